import { Criticality, Level } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectorIds, type Family } from '../verdict.ts';
import { alertSurprise, decayed, type Evidence, levelOf, scoreOf, thresholds } from './score.ts';

const families: readonly Family[] = ['identity', 'network', 'object', 'volume', 'content'];
const evidence: fc.Arbitrary<Evidence> = fc.record({
  detector: fc.constantFrom(...detectorIds),
  family: fc.constantFrom(...families),
  surprise: fc.double({ min: 0.1, max: 40, noNaN: true }),
  successShare: fc.double({ min: 0, max: 1, noNaN: true }),
});
const list = fc.uniqueArray(evidence, { maxLength: 6, selector: (e) => e.detector });
const context = fc.record({
  alertSurprise: fc.double({ min: 5, max: 8, noNaN: true }),
  criticality: fc.constantFrom(Criticality.LOW, Criticality.NORMAL, Criticality.HIGH, Criticality.CROWN),
  reputation: fc.double({ min: 0, max: 1, noNaN: true }),
});

describe('a score', () => {
  it('lies between 0 and 100 and is the sum of its contributions', () => {
    fc.assert(
      fc.property(list, context, (found, around) => {
        const { score, contributions } = scoreOf(found, around);
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(100);
        expect(contributions.reduce((sum, c) => sum + c.points, 0)).toBeCloseTo(score, 9);
      }),
    );
  });

  it('does not fall when one finding becomes more surprising', () => {
    fc.assert(
      fc.property(
        list,
        context,
        fc.nat(5),
        fc.double({ min: 0, max: 10, noNaN: true }),
        (found, around, which, more) => {
          const at = found[which];
          if (!at) return;
          const stronger = found.map((e) => (e === at ? { ...e, surprise: e.surprise + more } : e));
          expect(scoreOf(stronger, around).score).toBeGreaterThanOrEqual(scoreOf(found, around).score - 1e-9);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('does not depend on the order of its findings', () => {
    fc.assert(
      fc.property(list, context, (found, around) => {
        expect(scoreOf([...found].reverse(), around)).toEqual(scoreOf(found, around));
      }),
    );
  });

  it('is at the edge of Elevated at the alert threshold, and not before it', () => {
    const around = { alertSurprise: 6, criticality: Criticality.NORMAL, reputation: 0 };
    const one = (surprise: number): number =>
      scoreOf([{ detector: 'scraping', family: 'volume', surprise, successShare: 0 }], around).score;
    expect(levelOf(one(5.999), Level.NONE)).toBe(Level.LOW);
    expect(levelOf(one(6), Level.NONE)).toBe(Level.ELEVATED);
  });

  it('stays below Elevated while the evidence is within the budget, whatever it is about', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...families),
        fc.double({ min: 0.1, max: 5.99, noNaN: true }),
        context,
        (family, surprise, around) => {
          const one = { detector: 'tokenAbuse' as const, family, surprise, successShare: 1 };
          expect(scoreOf([one], { ...around, alertSurprise: 6 }).score).toBeLessThan(thresholds[Level.ELEVATED]);
        },
      ),
    );
  });

  it('halves its evidence every half hour', () => {
    expect(decayed(8, 30 * 60_000)).toBeCloseTo(4);
    expect(decayed(8, -5)).toBe(8);
  });
});

describe('a level', () => {
  it('rises at its threshold and falls only five points below', () => {
    for (const [level, from] of Object.entries(thresholds).map(([l, t]) => [Number(l) as Level, t] as const)) {
      expect(levelOf(from, Level.NONE)).toBe(level);
      expect(levelOf(from - 0.01, Level.NONE)).toBeLessThan(level);
      expect(levelOf(from - 4.9, level)).toBe(level);
      expect(levelOf(from - 5.1, level)).toBeLessThan(level);
    }
  });

  it('never rises by falling, nor passes what the score says by more than one step', () => {
    const score = fc.double({ min: 0, max: 100, noNaN: true });
    const level = fc.constantFrom(Level.NONE, Level.LOW, Level.ELEVATED, Level.HIGH, Level.CRITICAL);
    fc.assert(
      fc.property(score, level, (at, before) => {
        const plain = levelOf(at, Level.NONE);
        const now = levelOf(at, before);
        expect(now).toBeGreaterThanOrEqual(plain);
        expect(now).toBeLessThanOrEqual(Math.max(plain, before));
        expect(now - plain).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('the alert threshold', () => {
  it('spends the budget over the chances of a day', () => {
    expect(alertSurprise(1, 1e6)).toBeCloseTo(6);
    expect(alertSurprise(10, 1e7)).toBeCloseTo(6);
  });
  it('has a default, a floor and a ceiling', () => {
    expect(alertSurprise(0, 2e6)).toBeCloseTo(6);
    expect(alertSurprise(100, 1)).toBe(5);
    expect(alertSurprise(0.001, 1e12)).toBe(8);
  });
});

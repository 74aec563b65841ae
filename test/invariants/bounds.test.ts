/** Invariants 10 and 11: memory has a ceiling under every flood of keys, and what is anomalous teaches nothing. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Analysis } from '@picket/analyzer/analysis.ts';
import { cellOf, SUMS } from '@picket/analyzer/detect/population.ts';
import { detectorIds } from '@picket/analyzer/verdict.ts';
import { Key } from '@picket/analyzer/engine/key-kind.ts';
import { apiIdOf } from '@picket/analyzer/operations/template.ts';
import type { Described } from '../support/observation-builder.ts';
import { api, dayStart, play, startRun, policy, traffic } from './traffic.ts';

let analysis: Analysis | undefined;
afterEach(async () => {
  await analysis?.close();
  analysis = undefined;
});

describe('a flood of keys', () => {
  it('of a million addresses, one request each, costs a bounded table and leaves regulars their profiles', async () => {
    const run = startRun(0);
    analysis = run.analysis;
    run.analysis.input({ kind: 'policy', policy });
    await run.feed(traffic(3, { ordinary: 2000, attacks: false }));
    const before = await run.analysis.engine.usage();
    const flood = function* (): Generator<Described> {
      const at = dayStart + 27 * 3_600_000;
      for (let i = 0; i < 1_000_000; i++) {
        const address = `${i & 255}.${(i >> 8) & 255}.${(i >> 16) & 255}.flood`;
        yield { at: at + i / 50, address, userAgent: 'browser-1', headers: ['accept'], path: `/p/${i % 400}` };
      }
    };
    await run.feed(flood());
    const after = await run.analysis.engine.usage();
    expect(after.refused - before.refused).toBeGreaterThan(1_000_000);
    // Two keys per request; the doorkeeper lets a few pass whose bit another one set.
    expect(after.profiles).toBeLessThan(1_000_000);
    expect(after.maxBytes).toBe(before.maxBytes);
    expect(after.bytes).toBeLessThan(after.maxBytes);
    // Those who were there before the flood still are, and are nobody's victim.
    await run.feed([{ at: dayStart + 28 * 3_600_000, address: '203.0.1.51', userAgent: 'browser-2', path: '/p/1' }]);
    expect(run.analysis.verdicts().every((v) => v.score < 65)).toBe(true);
  }, 300_000);

  it('of logins from many sources keeps risks, candidates and shared addresses within their limits', async () => {
    const run = startRun(0);
    analysis = run.analysis;
    run.analysis.input({ kind: 'policy', policy });
    const attack = function* (): Generator<Described> {
      for (let i = 0; i < 40_000; i++) {
        const source = i % 6500;
        yield {
          at: dayStart + i * 60,
          address: `10.${source >> 8}.${source & 255}.1`,
          userAgent: `tool-${source % 900}`,
          headers: ['accept'],
          path: '/login',
          account: `victim-${i}`,
          login: 'failure',
        };
      }
    };
    await run.feed(attack());
    const state = await run.analysis.save();
    const [coordinator] = state.coordinators;
    expect(coordinator?.state.suspects.risks.length).toBeGreaterThan(2000);
    expect(coordinator?.state.suspects.risks.length).toBeLessThanOrEqual(5000);
    expect(coordinator?.state.candidates.length).toBeLessThanOrEqual(500);
    expect(coordinator?.state.suspects.sharedBy.length).toBeLessThanOrEqual(50_000);
    expect(coordinator?.state.suspects.evicted).toBeGreaterThan(0);
  }, 300_000);
});

describe('the attacker does not train the model', () => {
  const excess = detectorIds.indexOf('excess');
  /** Windows, and their mean logarithm, that the population of addresses has learned. */
  const learned = (of: Analysis): { windows: number; mean: number } => {
    const sums = of.engine.snapshot().get(apiIdOf(api).lo)?.sums;
    const at = cellOf(excess, Key.address) * SUMS;
    const windows = sums?.[at] ?? 0;
    return { windows, mean: (sums?.[at + 1] ?? 0) / Math.max(1, windows) };
  };

  const day = traffic(21, { ordinary: 4000, attacks: false });
  /** An address that sends `perMinute(i)` requests in its i-th minute. */
  function* source(minutes: number, perMinute: (i: number) => number): Generator<Described> {
    for (let i = 0; i < minutes; i++) {
      const count = perMinute(i);
      const at = dayStart + 26.5 * 3_600_000 + i * 60_000;
      for (let n = 0; n < count; n++)
        yield {
          at: at + (n * 59_000) / count,
          address: '192.0.2.66',
          userAgent: 'tool',
          headers: ['accept'],
          path: '/search',
        };
    }
    yield { at: dayStart + 26.5 * 3_600_000 + minutes * 60_000 + 700_000, address: '203.0.1.51', path: '/p/1' };
  }

  it('by a window far beyond all others', async () => {
    const without = await play(0, day);
    const usual = learned(without.analysis);
    await without.analysis.close();
    const run = startRun(0);
    analysis = run.analysis;
    run.analysis.input({ kind: 'policy', policy });
    await run.feed(day);
    await run.feed(source(10, () => 2000));
    const now = learned(run.analysis);
    expect(usual.windows).toBeGreaterThan(500);
    // Ten windows of 2,000 requests would show; the last ones of the day that closed in the meantime may.
    expect(now.mean).toBeLessThan(usual.mean * 1.02);
    expect(run.analysis.verdicts().some((v) => v.findings.some((f) => f.detector === 'excess'))).toBe(true);
  });

  it('by a slow ramp: the end of it is found although its beginning looked ordinary', async () => {
    const run = startRun(0);
    analysis = run.analysis;
    run.analysis.input({ kind: 'policy', policy });
    await run.feed(day);
    const usual = learned(run.analysis);
    await run.feed(source(120, (i) => Math.round(3 * 1.06 ** i)));
    const now = learned(run.analysis);
    // What still looked ordinary on the way up is learned; what did not, and that is most requests, is not.
    expect(now.mean).toBeLessThan(usual.mean + 0.35);
    expect(run.analysis.verdicts().some((v) => v.findings.some((f) => f.detector === 'excess'))).toBe(true);
  });
});

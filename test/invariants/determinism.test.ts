/** Invariant 3: the same observations, ticks and inputs give the same findings, verdicts and decisions. */
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type Analysis, type AnalysisOutcome, type AnalysisState, createAnalysis } from '@picket/analyzer/analysis.ts';
import { play, policy, startRun, traffic, values } from './traffic.ts';

const open: Analysis[] = [];
afterEach(async () => {
  for (const analysis of open.splice(0)) await analysis.close();
});

/** All that leaves an analysis. */
const said = (outcomes: readonly AnalysisOutcome[]) =>
  outcomes
    .filter((o) => o.findings.length + o.verdicts.length + o.decisions.length > 0)
    .map(({ tick, at, lastSeq, findings, verdicts, decisions }) => ({
      tick,
      at,
      lastSeq,
      findings,
      verdicts,
      decisions,
    }));

async function outcomesOf(workers: number, seed: number): Promise<ReturnType<typeof said>> {
  const { analysis, outcomes } = await play(workers, traffic(seed, { ordinary: 3000 }));
  open.push(analysis);
  return said(outcomes);
}

describe('however many threads there are', () => {
  it.each([1, 2, 3])('seed %i gives the same on 0, 1 and 2 workers', async (seed) => {
    const alone = await outcomesOf(0, seed);
    // The comparison would be worth little if nothing was said.
    expect(new Set(alone.flatMap((o) => o.findings.map((f) => f.detector))).size).toBeGreaterThanOrEqual(6);
    expect(alone.flatMap((o) => o.decisions).length).toBeGreaterThan(2);
    expect(alone.flatMap((o) => o.verdicts).filter((v) => v.inheritsFrom !== undefined).length).toBeGreaterThan(2);
    for (const workers of [1, 2]) expect(await outcomesOf(workers, seed)).toEqual(alone);
  });
});

describe('from a checkpoint', () => {
  /** The state as a file would hold it. */
  const copied = (state: AnalysisState): AnalysisState => deserialize(serialize(state)) as AnalysisState;

  it('any cut, on any number of workers, continues as if nothing had happened', async () => {
    const observations = traffic(11, { ordinary: 1500 });
    const whole = await play(0, observations);
    open.push(whole.analysis);
    const expected = judged(said(whole.outcomes));
    const cuts = fc.integer({ min: 1, max: observations.length - 1 });
    const property = fc.asyncProperty(cuts, fc.constantFrom(0, 2), async (at, workers) => {
      // A restart does not divide a tick, so cut between two of them.
      let cut = at;
      while (cut < observations.length && sameTick(observations[cut - 1], observations[cut])) cut++;
      const first = startRun(0);
      first.analysis.input({ kind: 'policy', policy });
      const before = await first.feed(observations.slice(0, cut));
      const analysis = createAnalysis({ workers, valuesOf: () => values });
      open.push(analysis);
      await analysis.load(copied(await first.analysis.save()));
      const after = await startRun(0, analysis).feed(observations.slice(cut));
      expect(judged([...said(before), ...said(after)])).toEqual(expected);
    });
    await fc.assert(property, { numRuns: 5, seed: 3, endOnFailure: true });
  });

  it('a review before the cut still counts after it', async () => {
    const observations = traffic(5, { ordinary: 3000 });
    const cut = observations.length - 300;
    const first = startRun(0);
    first.analysis.input({ kind: 'policy', policy });
    await first.feed(observations.slice(0, cut));
    const [worst] = first.analysis.verdicts();
    if (!worst) throw new Error('no verdict to review');
    first.analysis.input({ kind: 'review', verdict: worst.name, disposition: 'FalsePositive' });
    await first.feed(observations.slice(cut, cut + 20));
    const second = createAnalysis({ workers: 0, valuesOf: () => values });
    await second.load(copied(await first.analysis.save()));
    const rest = observations.slice(cut + 20);
    const expected = said(await first.feed(rest));
    const again = said(await startRun(0, second).feed(rest));
    expect(judged(again)).toEqual(judged(expected));
    const decided = again.flatMap((o) => o.decisions).filter((d) => d.decision.verdict === worst.name);
    expect(decided).toEqual([]);
  });
});

function sameTick(a: { at: number } | undefined, b: { at: number } | undefined): boolean {
  return a !== undefined && b !== undefined && Math.floor(a.at / 250) === Math.floor(b.at / 250);
}

/**
 * What a checkpoint does not hold is no part of a judgement: request ids are samples for a person, and match values of
 * decisions that end are raw.
 */
function judged(outcomes: ReturnType<typeof said>): unknown {
  return outcomes.map((o) => ({
    ...o,
    verdicts: o.verdicts.map((v) => ({ ...v, requestIds: [] })),
    decisions: o.decisions.map((d) =>
      d.event === 'lifted' || d.event === 'expired' ? { ...d, decision: { ...d.decision, match: [] } } : d,
    ),
  }));
}

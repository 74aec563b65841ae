/** A key rotation in the middle of ordinary traffic and attacks changes no judgement. */
import { deserialize, serialize } from 'node:v8';
import { afterEach, describe, expect, it } from 'vitest';
import { type Analysis, type AnalysisOutcome, type AnalysisState, createAnalysis } from '@picket/analyzer/analysis.ts';
import { F } from '@picket/analyzer/observation.ts';
import { fold, mixed, mixKey } from '@picket/analyzer/profile/hash.ts';
import { dayStart, policy, startRun, traffic, values } from './traffic.ts';

const open: Analysis[] = [];
afterEach(async () => {
  for (const analysis of open.splice(0)) await analysis.close();
});

const fields = [F.user, F.app, F.token, F.session, F.address, F.network, F.workload, F.account, F.counterparty];

/** Gives every pseudonym another value from `at` on, as a border with a rotated ring does: told once per value and process. */
function rotating(from: number): (analysis: Analysis, base: number, at: number) => void {
  const told = new Set<string>();
  const renamed = (lo: number, hi: number): [number, number] => {
    mixKey(lo, hi, 1, 77);
    return [fold(mixed.lo, 1), fold(mixed.hi, 1)];
  };
  return (analysis, base, at) => {
    if (at < from) return;
    const { u32 } = analysis.engine.batch;
    for (const field of fields) {
      const [fromLo, fromHi] = [u32[base + field] as number, u32[base + field + 1] as number];
      if ((fromLo | fromHi) === 0) continue;
      const [lo, hi] = renamed(fromLo, fromHi);
      if (!told.has(`${lo} ${hi}`)) analysis.rename({ from: { lo: fromLo, hi: fromHi }, to: { lo, hi } }, at);
      told.add(`${lo} ${hi}`);
      u32[base + field] = lo;
      u32[base + field + 1] = hi;
    }
  };
}

const said = (outcomes: readonly AnalysisOutcome[]): unknown =>
  outcomes.map(({ tick, findings, verdicts, decisions }) => ({
    tick,
    findings,
    verdicts: verdicts.map((v) => ({ ...v, requestIds: [] })),
    decisions: decisions.map((d) => ({ ...d, decision: { ...d.decision, match: [] } })),
  }));

async function play(workers: number, rotatedAt: number): Promise<{ said: unknown; decisions: number }> {
  const run = startRun(workers, undefined, rotating(rotatedAt));
  open.push(run.analysis);
  run.analysis.input({ kind: 'policy', policy });
  const outcomes = await run.feed(traffic(6, { ordinary: 2500 }));
  return { said: said(outcomes), decisions: outcomes.flatMap((o) => o.decisions).length };
}

const hour = 3_600_000;
/** In the middle of the attacks, which begin at 25 h. */
const during = dayStart + 25 * hour + 10 * 60_000;

describe('a key rotation', () => {
  it('in the middle of attacks changes nothing that is said, on any number of workers', async () => {
    const without = await play(0, Number.POSITIVE_INFINITY);
    expect(without.decisions).toBeGreaterThan(10);
    expect((await play(0, during)).said).toEqual(without.said);
    expect((await play(2, during)).said).toEqual(without.said);
  });

  it('is remembered by a checkpoint', async () => {
    const observations = traffic(6, { ordinary: 1500 });
    const whole = startRun(0, undefined, rotating(during));
    whole.analysis.input({ kind: 'policy', policy });
    open.push(whole.analysis);
    const expected = said(await whole.feed(observations));
    const cut = observations.findIndex((o) => o.at > during + 300_000);
    const first = startRun(0, undefined, rotating(during));
    first.analysis.input({ kind: 'policy', policy });
    const before = await first.feed(observations.slice(0, cut));
    const analysis = createAnalysis({ workers: 0, valuesOf: () => values });
    open.push(analysis, first.analysis);
    await analysis.load(deserialize(serialize(await first.analysis.save())) as AnalysisState);
    // The new process tells again what the old one has told.
    const after = await startRun(0, analysis, rotating(during)).feed(observations.slice(cut));
    expect([...(said(before) as unknown[]), ...(said(after) as unknown[])]).toEqual(expected);
  });
});

/** A key rotation in the middle of ordinary traffic and attacks changes no judgement. */
import { deserialize, serialize } from 'node:v8';
import { afterEach, describe, expect, it } from 'vitest';
import { type Analysis, type AnalysisOutcome, type AnalysisState, createAnalysis } from '@picket/analyzer/analysis.ts';
import { createKeyRing, type KeyRing, rotateKeyRing } from '@picket/analyzer/identify/key-ring.ts';
import { F, ObservationBatch, STRIDE } from '@picket/analyzer/observation.ts';
import type { Renaming } from '@picket/analyzer/profile/aliases.ts';
import { fold, mixed, mixKey } from '@picket/analyzer/profile/hash.ts';
import { type LoggedRenaming, renamingsToRow } from '@picket/analyzer/replay/renamings.ts';
import { answerToRow, inputToRow, rerun } from '@picket/analyzer/replay/rerun.ts';
import type { InputRow, Store } from '@picket/analyzer/store/store.ts';
import { dayStart, policy, startRun, traffic, values } from './traffic.ts';

const open: Analysis[] = [];
afterEach(async () => {
  for (const analysis of open.splice(0)) await analysis.close();
});

const fields = [F.user, F.app, F.token, F.session, F.address, F.network, F.workload, F.account, F.counterparty];

/** Gives every pseudonym another value from `at` on, as a border with a rotated ring does: told once per value and process. */
function rotating(
  from: number,
  onRename: (analysis: Analysis, renaming: Renaming, at: number) => void = () => {},
): (analysis: Analysis, base: number, at: number) => void {
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
      const renaming = { from: { lo: fromLo, hi: fromHi }, to: { lo, hi } };
      if (!told.has(`${lo} ${hi}`) && analysis.rename(renaming, at)) onRename(analysis, renaming, at);
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

  it('can be replayed from rows under both keys, and not without the key that tells who is who', async () => {
    let made = 0;
    const random = (count: number): Uint8Array => new Uint8Array(count).fill(++made);
    const old = createKeyRing(random, 0);
    const ring = rotateKeyRing(old, random, 0, 1000);
    const stored = new ObservationBatch(4096);
    const renamings: LoggedRenaming[] = [];
    const rotate = rotating(during, (analysis, renaming, at) =>
      renamings.push({ ...renaming, seq: analysis.engine.lastSeq + 1, at }),
    );
    const run = startRun(0, undefined, (analysis, base, at) => {
      rotate(analysis, base, at);
      const into = stored.append();
      stored.u32.set(analysis.engine.batch.u32.subarray(base, base + STRIDE), into);
      stored.f64[(into + F.seq) >> 1] = analysis.engine.lastSeq + 1;
    });
    open.push(run.analysis);
    run.analysis.input({ kind: 'policy', policy });
    const outcomes = await run.feed(traffic(6, { ordinary: 800 }));
    expect(renamings.length).toBeGreaterThan(100);
    const inputs: InputRow[] = outcomes.flatMap(({ lastSeq: seq, at, inputs: taken, answers }) => [
      ...taken.map((input) => ({ seq, at, ...inputToRow(input) })),
      ...answers.map((answer) => ({ seq, at, ...answerToRow(answer) })),
    ]);
    const [first] = renamings;
    inputs.push({
      seq: (first as LoggedRenaming).seq,
      at: during,
      ...renamingsToRow(renamings, ring.active, random(12)),
    });
    const store = {
      readGaps: async () => [],
      readInputs: async () => inputs,
      readTicks: async function* () {
        yield outcomes.map(({ tick, at, lastSeq }) => ({ tick, at, lastSeq }));
      },
      readObservations: async function* () {
        yield stored;
      },
    } as unknown as Store;
    const again = async (keys: KeyRing | undefined): Promise<AnalysisOutcome[]> => {
      const analysis = createAnalysis({ workers: 0, valuesOf: () => values });
      open.push(analysis);
      const replayed: AnalysisOutcome[] = [];
      await rerun(analysis, store, { strict: true, keys, onOutcome: (outcome) => replayed.push(outcome) });
      return replayed;
    };
    expect(said(await again(ring))).toEqual(said(outcomes));
    for (const keys of [old, undefined]) await expect(again(keys)).rejects.toThrow(`key ${ring.active.id}`);
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

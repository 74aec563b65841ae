/** Invariant 3 for decisions: whether Envoy could match a principal is an input, so a rerun decides the same without any value. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Analysis, type AnalysisOutcome, createAnalysis } from '@picket/analyzer/analysis.ts';
import type { MatchRecord, MatchValues } from '@picket/analyzer/decide/match.ts';
import { answerFromRow, answerToRow } from '@picket/analyzer/replay/rerun.ts';
import { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { policy, startRun, traffic, values } from './traffic.ts';

const open: Analysis[] = [];
afterEach(async () => {
  for (const analysis of open.splice(0)) await analysis.close();
});

/** No user has a safe key, and every other question about an address finds it forgotten. */
function moody(): MatchValues {
  let asked = 0;
  return {
    ...values,
    keyOf(kind, pseudonym) {
      if (kind === PrincipalKind.USER) return { ok: false, reason: 'NoSafeMatchKey', message: 'no enforceAs' };
      if (asked++ % 2 === 0) return { ok: false, reason: 'ValueForgotten', message: 'not seen lately' };
      return values.keyOf(kind, pseudonym);
    },
  };
}

const blank: MatchValues = {
  keyOf: () => ({ ok: false, reason: 'ValueForgotten', message: 'a rerun knows no values' }),
  traitOf: () => undefined,
};

const judged = (outcomes: readonly AnalysisOutcome[]) =>
  outcomes.map(({ tick, verdicts, decisions, answers }) => ({
    tick,
    verdicts,
    answers,
    decisions: decisions.map((d) => ({ ...d, decision: { ...d.decision, match: [] } })),
  }));

describe('a rerun without values', () => {
  it('makes, extends and ends the same decisions as the live run that had them', async () => {
    const observations = traffic(4, { ordinary: 2500 });
    const live = startRun(0, createAnalysis({ workers: 0, valuesOf: moody }));
    open.push(live.analysis);
    live.analysis.input({ kind: 'policy', policy });
    const expected = await live.feed(observations);
    const events = new Set(expected.flatMap((o) => o.decisions.map((d) => d.event)));
    expect(events).toContain('decided');
    expect(events).toContain('expired');
    const logged = new Map<number, MatchRecord[]>(
      expected.map((o) => [o.tick, o.answers.map((a) => answerFromRow(answerToRow(a)))]),
    );
    const refused = expected.flatMap((o) => o.answers).filter((a) => !a.statement.ok);
    expect(refused.length).toBeGreaterThan(0);

    const bare = createAnalysis({ workers: 0, valuesOf: () => blank });
    open.push(bare);
    bare.recalling(true);
    const again = startRun(0, {
      ...bare,
      engine: bare.engine,
      run(closed) {
        for (const record of logged.get(closed.tick) ?? []) bare.recall(record);
        return bare.run(closed);
      },
    });
    again.analysis.input({ kind: 'policy', policy });
    expect(judged(await again.feed(observations))).toEqual(judged(expected));
  });
});

/**
 * How Envoy can match a principal, asked of the border once per decision. The answer hangs on what the border then knows,
 * so it is an input: logged when it changes, and in a rerun taken from the log.
 */
import type { Decision, Predicate } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import type { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Risk } from '../score/risk.ts';
import type { DetectorId } from '../verdict.ts';
import type { CoordinatorOutput } from './coordinator-output.ts';
import { buildMatch, type MatchAnswer, type MatchRecord, type MatchStatement, type MatchValues } from './match.ts';
import type { Situation } from './situation.ts';

export interface MatchAnswers {
  /** @param previous the decision that is in force on the principal */
  matchOf(key: string, risk: Risk, previous: Decision | undefined, output: CoordinatorOutput): MatchAnswer;
  /** What was answered in the tick that comes next. */
  recall(record: MatchRecord): void;
  /** A rerun: match answers are those that were given then. */
  recalling(on: boolean): void;
}

/** What they find is abuse of logins. */
export const loginDetectors: ReadonlySet<DetectorId> = new Set<DetectorId>([
  'bruteForce',
  'credentialStuffing',
  'distributedStuffing',
]);

export function createMatchAnswers(situation: Situation, values: MatchValues): MatchAnswers {
  const recalled = new Map<string, MatchStatement>();
  let rerunning = false;

  /** After a restart the value is forgotten, but the decision that was sent before still has its match. */
  const keptMatch = (
    kind: PrincipalKind,
    pseudonym: string,
    previous: Decision | undefined,
  ): Predicate[] | undefined =>
    previous && previous.match.length > 0 ? previous.match : values.matchInForce?.(kind, pseudonym);

  return {
    matchOf(key, risk, previous, output) {
      const { policy } = situation;
      const detectors = [...risk.findings.keys()];
      const loginsOnly = detectors.every((d) => loginDetectors.has(d));
      const { kind, pseudonym, traits } = risk;
      const built = buildMatch({ kind, pseudonym, traits, loginsOnly }, policy, values);
      const kept = built.ok || built.reason !== 'ValueForgotten' ? undefined : keptMatch(kind, pseudonym, previous);
      let match: MatchAnswer = kept ? { ok: true, match: kept } : built;
      const then = rerunning ? (recalled.get(key) ?? risk.matchable) : undefined;
      // What was matched then may be forgotten by now: the decision stands, and its match with those who hold it.
      if (then) match = then.ok ? { ok: true, match: match.ok ? match.match : [] } : then;
      recalled.delete(key);
      const statement: MatchStatement = match.ok
        ? { ok: true }
        : { ok: false, reason: match.reason, message: match.message };
      if (!sameStatement(statement, risk.matchable))
        output.answers.push({ api: policy.api, kind, pseudonym, statement });
      risk.matchable = statement;
      return match;
    },
    recall: ({ kind, pseudonym, statement }) => void recalled.set(`${kind}:${pseudonym}`, statement),
    recalling(on) {
      rerunning = on;
      recalled.clear();
    },
  };
}

function sameStatement(a: MatchStatement, b: MatchStatement | undefined): boolean {
  if (a.ok || !b || b.ok) return a.ok === b?.ok;
  return a.reason === b.reason && a.message === b.message;
}

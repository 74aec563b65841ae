/** What a coordinator says when something happened. */
import type { Decision } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import type { Finding, Verdict } from '../verdict.ts';
import type { MatchRecord } from './match.ts';

export type DecisionEvent = 'decided' | 'extended' | 'lifted' | 'expired' | 'suppressed';

export interface DecisionChange {
  event: DecisionEvent;
  decision: Decision;
  reason: string;
}

export interface CoordinatorOutput {
  findings: Finding[];
  verdicts: Verdict[];
  decisions: DecisionChange[];
  /** Match answers that differ from the last ones about the same principals. */
  answers: MatchRecord[];
}

export function emptyOutput(): CoordinatorOutput {
  return { findings: [], verdicts: [], decisions: [], answers: [] };
}

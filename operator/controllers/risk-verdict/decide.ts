import type { RiskVerdictStatus } from '@picket/crds/gen/types.ts';
import { buildConditions, type ConditionClaim } from '../conditions.ts';
import type { RiskVerdictFacts } from './gather.ts';

/** The operator's part of a verdict's status: what Envoys acknowledged of its decision. */
export function decide({ verdict, decision }: RiskVerdictFacts, now: number): RiskVerdictStatus {
  const claim: ConditionClaim = !decision
    ? {
        type: 'Programmed',
        status: 'False',
        reason: verdict.status?.decision ? 'NotInForce' : 'NoDecision',
        message: verdict.status?.decision ? 'The decision is over or not yet known' : 'Nothing was decided',
      }
    : decision.problem
      ? { type: 'Programmed', status: 'False', ...decision.problem }
      : {
          type: 'Programmed',
          status: 'True',
          reason: 'Acknowledged',
          message: `${decision.programmedEnvoys} of ${decision.totalEnvoys} Envoys acknowledged ${decision.id}`,
        };
  const { generation } = verdict.metadata;
  return {
    conditions: buildConditions([claim], verdict.status?.conditions, generation, now),
    enforcement: {
      programmedEnvoys: decision?.programmedEnvoys ?? 0,
      totalEnvoys: decision?.totalEnvoys ?? 0,
      ...(decision?.programmedAtMs === undefined
        ? {}
        : { programmedAt: new Date(decision.programmedAtMs).toISOString() }),
    },
  };
}

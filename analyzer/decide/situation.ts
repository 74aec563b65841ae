/** What every judgement of an API depends on beside the principal: its policy, its population and the tick. */
import { type CompiledPolicy, Criticality } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { ApiPopulation } from '../detect/population.ts';
import type { Standing } from '../profile/standing-count.ts';
import { alertSurprise, type ScoreContext } from '../score/score.ts';

/** One per coordinator, which alone changes it. */
export interface Situation {
  policy: CompiledPolicy;
  population: ApiPopulation | undefined;
  standing: Standing | undefined;
  tick: number;
  /** Event time of the tick, Unix ms. */
  at: number;
}

export function createSituation(policy: CompiledPolicy): Situation {
  return { policy, population: undefined, standing: undefined, tick: 0, at: 0 };
}

/** Surprise at which the budget of false alerts is spent. */
export function alertOf({ policy, population }: Situation): number {
  return alertSurprise(policy.behavior?.falseAlertsPerDay ?? 0, population?.testsPerDay ?? 0);
}

export function scoreContextOf(situation: Situation, risk: { reputation: number }): ScoreContext {
  return {
    alertSurprise: alertOf(situation),
    criticality: situation.policy.criticality || Criticality.NORMAL,
    reputation: risk.reputation,
  };
}

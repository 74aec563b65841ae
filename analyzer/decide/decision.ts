/** Which action, if any, a risk earns under a policy. Pure: the same inputs give the same answer. */
import {
  Action,
  type CompiledPolicy,
  type Level,
  Mode,
  PrincipalKind,
  type Response,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Standing } from '../profile/standing-count.ts';
import { evidenceOf, type Risk } from '../score/risk.ts';
import { corroborates } from '../score/score.ts';
import { checkSafety, limitsOf, type SafetyLimits, type SafetyView } from './safety.ts';

export interface DecisionInputs {
  risk: Risk;
  policy: CompiledPolicy;
  /** Event time now and the time the population's baselines go back to (0 = none). */
  now: number;
  populationSince: number;
  safety: SafetyView;
  /** Requests of the principal by all requests of its kind in good standing. */
  shareOfRequests: number;
  /** A campaign's decision in force acts on requests with the traits that this principal shows. */
  coveredByCampaign: boolean;
}

export type DecisionAnswer =
  | {
      decide: true;
      action: Action;
      mode: Mode;
      forMs: number;
      response: Response;
      /** Why the action is milder than the policy says, where the safety limits made it so. */
      eased: string | undefined;
    }
  | { decide: false; reason: HoldReason; message: string };

/** Why nothing is done, or less than the policy says. Closed list; part of status. */
export type HoldReason =
  | ''
  | 'Observe'
  | 'BelowResponses'
  | 'Exempt'
  | 'Reviewed'
  | 'NotActedOn'
  | 'SharedAddress'
  | 'LowPrecision'
  | 'Bystanders'
  | 'Learning'
  | 'WithinSafety'
  | 'Capacity'
  | 'CoveredByCampaign'
  | 'NoSafeMatchKey'
  | 'Unverified'
  | 'ValueForgotten'
  | 'NotMatchable';

const defaultActOn = [PrincipalKind.USER, PrincipalKind.APP, PrincipalKind.ADDRESS, PrincipalKind.CAMPAIGN];
/** Share of a campaign's traffic that must be attack before it is denied or throttled. */
export const precision = { deny: 0.8, throttle: 0.5 } as const;
const maxDoublings = 12;

export function decideAction(inputs: DecisionInputs): DecisionAnswer {
  const { risk, policy, now } = inputs;
  const behavior = policy.behavior;
  const mode = behavior?.mode ?? Mode.OBSERVE;
  const hold = (reason: HoldReason, message: string): DecisionAnswer => ({ decide: false, reason, message });
  if (!behavior || mode === Mode.OBSERVE || mode === Mode.UNSPECIFIED)
    return hold('Observe', 'no policy acts on this API: mode is Observe');
  if (risk.exempt) return hold('Exempt', 'a PolicyExemption covers this principal');
  if (now < risk.clearedUntil) return hold('Reviewed', 'a person reviewed this verdict as benign');
  const response = strongest(behavior.responses, risk.level);
  if (!response) return hold('BelowResponses', 'no response of the policy is due at this level');
  const actOn = behavior.actOn.length > 0 ? behavior.actOn : defaultActOn;
  if (!actOn.includes(risk.kind)) return hold('NotActedOn', `actOn does not name ${PrincipalKind[risk.kind]}`);

  let action = response.action;
  const limits = limitsOf(behavior.safety);
  const { minBaselineMs: minBaseline, maxPrincipalsPerAddress: maxSharers } = limits;
  if (action > Action.TAG && risk.facts.sharedBy > maxSharers) {
    if (risk.kind === PrincipalKind.ADDRESS)
      return hold('SharedAddress', `${risk.facts.sharedBy} principals share this address, the limit is ${maxSharers}`);
    if (risk.kind === PrincipalKind.CAMPAIGN)
      return hold('LowPrecision', `${risk.facts.sharedBy} principals in good standing share these traits`);
  }
  if (risk.campaign && action > Action.TAG) {
    if (risk.campaign.precision < precision.throttle)
      return hold(
        'LowPrecision',
        `only ${Math.round(risk.campaign.precision * 100)}% of what carries these traits is attack`,
      );
    const bystanders = maxBystanders(limits, inputs.safety.standing);
    if (action === Action.DENY && risk.campaign.standing > bystanders)
      return hold(
        'Bystanders',
        `${Math.round(risk.campaign.standing)} people logged in with these traits before, the limit is ${Math.round(bystanders)}`,
      );
    if (risk.campaign.precision < precision.deny && action === Action.DENY) action = Action.THROTTLE;
  }
  const age = inputs.populationSince === 0 ? 0 : now - inputs.populationSince;
  if (action > Action.TAG && age < minBaseline)
    return hold('Learning', `the baseline is ${hours(age)} old, safety.minBaseline is ${hours(minBaseline)}`);
  let eased: string | undefined;
  if (action > Action.TAG && risk.kind !== PrincipalKind.CAMPAIGN) {
    const established = risk.firstSeen - risk.facts.firstAt >= minBaseline;
    const answer = checkSafety(risk.kind, established, inputs.shareOfRequests, limits, inputs.safety);
    // Several kinds of evidence against each of them are no false positive: such principals must not shield each other.
    if (!answer.ok && !answer.soften && agreeing(risk, now) < 2) return hold('WithinSafety', answer.message);
    if (!answer.ok && inputs.coveredByCampaign)
      return hold('CoveredByCampaign', 'the decision on a campaign acts on these requests');
    if (!answer.ok && action === Action.DENY) {
      action = Action.THROTTLE;
      eased = answer.message;
    }
  }
  const forMs = Number(response.forMs);
  const maxForMs = Number(response.maxForMs) || forMs * 12;
  return {
    decide: true,
    action,
    mode,
    forMs: Math.min(maxForMs, forMs * 2 ** Math.min(maxDoublings, risk.strikes)),
    response,
    eased,
  };
}

/** People in good standing whom a decision on shared traits may hit. */
export function maxBystanders(limits: SafetyLimits, standing: Standing | undefined): number {
  const people = Math.max(
    standing?.principals[PrincipalKind.USER] ?? 0,
    standing?.principals[PrincipalKind.ADDRESS] ?? 0,
  );
  return Math.max(limits.maxPrincipalsPerAddress, limits.maxShareOfPrincipals * people);
}

/** Families of evidence that speak against a principal. */
function agreeing(risk: Risk, at: number): number {
  const strong = evidenceOf(risk, at).filter((e) => e.surprise >= corroborates);
  return new Set(strong.map((e) => e.family)).size;
}

/** The response of the highest level that is reached; of several at one level the hardest. */
function strongest(responses: readonly Response[], level: Level): Response | undefined {
  let best: Response | undefined;
  for (const response of responses) {
    if (response.level > level) continue;
    if (!best || response.level > best.level || (response.level === best.level && response.action > best.action))
      best = response;
  }
  return best;
}

function hours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} h`;
}

import type { BehaviorPolicy, BehaviorPolicyStatus } from '@picket/crds/gen/types.ts';
import { throttleRate } from '../../envoy/render/throttle.ts';
import { buildConditions, type ConditionClaim, readyClaim } from '../conditions.ts';
import type { BehaviorPolicyFacts } from './gather.ts';

/** Bound of `status.targets` in the schema. */
const maxTargets = 64;

type Target = BehaviorPolicyFacts['targets'][number];

/** Status of a policy: where it applies and what Envoys acknowledged of it. */
export function decide(facts: BehaviorPolicyFacts, now: number): BehaviorPolicyStatus {
  const { policy, targets } = facts;
  const { generation } = policy.metadata;
  const attached = targets.filter((target) => target.exists && target.beatenBecause === undefined);
  const standing = [acceptance(facts), attachment(targets, attached)];
  const claims = [...standing, ...acting(facts, attached), readyClaim(standing, 'The policy is valid and applies')];
  return {
    observedGeneration: generation,
    conditions: buildConditions(claims, policy.status?.conditions, generation, now),
    attachedTargets: attached.length,
    targets: targets.slice(0, maxTargets).map((target) => ({
      api: target.api,
      conditions: buildConditions(
        [
          attachment(
            [target],
            attached.filter((one) => one === target),
          ),
        ],
        policy.status?.targets?.find((stored) => stored.api === target.api)?.conditions,
        generation,
        now,
      ),
    })),
  };
}

function acceptance({ policy, targets }: BehaviorPolicyFacts): ConditionClaim {
  const problems = [...unknownFlows(policy, targets), ...unsupported(policy)];
  const [first] = problems;
  return first
    ? { type: 'Accepted', status: 'False', reason: first.reason, message: problems.map((p) => p.message).join('. ') }
    : { type: 'Accepted', status: 'True', reason: 'Accepted', message: roundedRates(policy) ?? 'The policy is valid' };
}

function unknownFlows(policy: BehaviorPolicy, targets: readonly Target[]) {
  const problems: { reason: string; message: string }[] = [];
  policy.spec.responses.forEach((response, i) => {
    for (const flow of response.flows ?? []) {
      const without = targets.filter((target) => target.exists && !target.flows.includes(flow));
      if (without.length === 0) continue;
      problems.push({
        reason: 'UnknownFlow',
        message: `spec.responses[${i}].flows: ${without.map((t) => t.api).join(', ')} declares no flow ${flow}; correct the name or declare it`,
      });
    }
  });
  return problems;
}

function unsupported(policy: BehaviorPolicy) {
  return policy.spec.responses.flatMap((response, i) =>
    response.action === 'Challenge'
      ? [
          {
            reason: 'UnsupportedAction',
            message: `spec.responses[${i}].action: Challenge needs a challenge service, which this version does not have: callers at this level are judged and shown, and Envoy does nothing to them; use Throttle or Deny`,
          },
        ]
      : [],
  );
}

/** Envoy's limiter knows a fixed set of rates. */
function roundedRates(policy: BehaviorPolicy): string | undefined {
  const notes = policy.spec.responses.flatMap((response, i) => {
    const asked = response.throttle?.requestsPerMinute;
    if (asked === undefined || throttleRate(asked) === asked) return [];
    return [
      `spec.responses[${i}].throttle: Envoy gets ${throttleRate(asked)} requests per minute, the next rate it knows`,
    ];
  });
  return notes.length === 0 ? undefined : notes.join('. ');
}

function attachment(targets: readonly Target[], attached: readonly Target[]): ConditionClaim {
  const claim = { type: 'Attached' as const };
  const missing = targets.filter((target) => !target.exists);
  const beaten = targets.flatMap((target) => target.beatenBecause ?? []);
  const notes = [
    ...(missing.length > 0
      ? [
          `spec.targetRefs: no ProtectedAPI ${missing.map((t) => t.api).join(', ')} in this namespace; create it or correct the name`,
        ]
      : []),
    ...beaten,
  ];
  if (attached.length > 0 && notes.length === 0) {
    return {
      ...claim,
      status: 'True',
      reason: 'Attached',
      message: `Applies to ${attached.map((t) => t.api).join(', ')}`,
    };
  }
  const reason = beaten.length > 0 ? 'Conflicted' : missing.length > 0 ? 'TargetNotFound' : 'NoTarget';
  const message =
    notes.length > 0 ? notes.join('. ') : 'spec.targetSelector: no ProtectedAPI in this namespace has these labels';
  // Part of the targets is better said than none: the message names those that it does not apply to.
  return attached.length > 0
    ? { ...claim, status: 'True', reason: 'PartlyAttached', message }
    : { ...claim, status: 'False', reason, message };
}

function acting({ policy, envoys }: BehaviorPolicyFacts, attached: readonly Target[]): ConditionClaim[] {
  const both = (status: 'True' | 'False', reason: string, message: string): ConditionClaim[] => [
    { type: 'Programmed', status, reason, message },
    { type: 'Enforced', status, reason, message },
  ];
  const { mode } = policy.spec;
  if (attached.length === 0) return both('False', 'NotAttached', 'The policy applies to no API');
  if (mode === 'Observe') {
    return [
      { type: 'Programmed', status: 'True', reason: 'Observe', message: 'Observing takes nothing in Envoy' },
      { type: 'Enforced', status: 'False', reason: 'Observe', message: 'spec.mode is Observe: nothing is done' },
    ];
  }
  if (envoys === 0) return both('False', 'NoEnvoys', 'No Envoy of the fleet is connected');
  const decisions = attached.flatMap((target) => target.decisions);
  const waiting = decisions.filter((decision) => decision.problem !== undefined);
  const worst = waiting.find((decision) => decision.problem?.reason !== 'Pending') ?? waiting[0];
  const programmed: ConditionClaim = worst?.problem
    ? {
        type: 'Programmed',
        status: 'False',
        reason: worst.problem.reason,
        message: `${waiting.length} of ${decisions.length} decisions are not in every Envoy: ${worst.problem.message}`,
      }
    : {
        type: 'Programmed',
        status: 'True',
        reason: decisions.length === 0 ? 'NothingToDo' : 'Acknowledged',
        message: `${envoys} Envoys acknowledged ${decisions.length} decisions`,
      };
  const enforced: ConditionClaim =
    mode === 'DryRun'
      ? {
          type: 'Enforced',
          status: 'False',
          reason: 'DryRun',
          message: 'spec.mode is DryRun: requests are only classified',
        }
      : { ...programmed, type: 'Enforced' };
  return [programmed, enforced];
}

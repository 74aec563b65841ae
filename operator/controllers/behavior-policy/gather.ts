import type { BehaviorPolicy } from '@picket/crds/gen/types.ts';
import { attachPolicies, specificity } from '../../compile/attachment.ts';
import type { DecisionStanding } from '../../envoy/fleet.ts';
import { nameOf } from '../../compile/precedence.ts';
import type { ObjectCache } from '../object-cache.ts';

export interface BehaviorPolicyFacts {
  policy: BehaviorPolicy;
  /** APIs that it names, selects or both. */
  targets: {
    api: string;
    exists: boolean;
    /** Flows that the API declares. */
    flows: string[];
    /** Why another policy applies instead. */
    beatenBecause: string | undefined;
    decisions: DecisionStanding[];
  }[];
  envoys: number;
}

export interface BehaviorPolicySources {
  objects: ObjectCache;
  decisionsOf(policy: string): DecisionStanding[];
  envoys(): number;
}

export function gather(
  sources: BehaviorPolicySources,
  key: { namespace: string; name: string },
): BehaviorPolicyFacts | undefined {
  const { objects } = sources;
  const policy = objects.get('BehaviorPolicy', key.namespace, key.name);
  if (!policy) return undefined;
  const policies = objects.list('BehaviorPolicy');
  const apis = objects.list('ProtectedAPI').filter((api) => specificity(policy, api));
  const decisions = sources.decisionsOf(nameOf(policy));
  const targets: BehaviorPolicyFacts['targets'] = apis.map((api) => ({
    api: api.metadata.name,
    exists: true,
    flows: (api.spec.flows ?? []).map((flow) => flow.name),
    beatenBecause: attachPolicies(api, policies).losers.find((loser) => loser.policy === policy)?.because,
    decisions: decisions.filter((decision) => decision.api === nameOf(api)),
  }));
  for (const ref of policy.spec.targetRefs ?? []) {
    if (targets.some((target) => target.api === ref.name)) continue;
    targets.push({ api: ref.name, exists: false, flows: [], beatenBecause: undefined, decisions: [] });
  }
  return { policy, targets, envoys: sources.envoys() };
}

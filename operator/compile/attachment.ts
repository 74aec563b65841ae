import type { BehaviorPolicy, ProtectedAPI } from '@picket/crds/gen/types.ts';
import { nameOf, olderFirst } from './precedence.ts';

/** How a policy came to an API: naming it beats selecting it. */
type Specificity = 'name' | 'selector';

export interface Attachment {
  policy: BehaviorPolicy;
  by: Specificity;
}

/** The policy that applies to an API, and those it beat. */
export interface Attached {
  winner: Attachment | undefined;
  losers: { policy: BehaviorPolicy; because: string }[];
}

/** Gateway API's conflict rules: the more specific attachment, then the older object, then the first by name. */
export function attachPolicies(api: ProtectedAPI, policies: readonly BehaviorPolicy[]): Attached {
  const candidates: Attachment[] = [];
  for (const policy of policies) {
    const by = specificity(policy, api);
    if (by) candidates.push({ policy, by });
  }
  candidates.sort((a, b) => rank(a.by) - rank(b.by) || olderFirst(a.policy, b.policy));
  const [winner, ...losers] = candidates;
  return {
    winner,
    losers: losers.map(({ policy, by }) => ({
      policy,
      because:
        winner && winner.by !== by
          ? `BehaviorPolicy ${nameOf(winner.policy)} names the API ${nameOf(api)}, which goes before a selector`
          : `BehaviorPolicy ${winner ? nameOf(winner.policy) : ''} applies to ${nameOf(api)} as well and is older`,
    })),
  };
}

/** Undefined when the policy is not meant for the API. */
export function specificity(policy: BehaviorPolicy, api: ProtectedAPI): Specificity | undefined {
  if (policy.metadata.namespace !== api.metadata.namespace) return undefined;
  if (policy.spec.targetRefs?.some((ref) => ref.name === api.metadata.name)) return 'name';
  const wanted = policy.spec.targetSelector?.matchLabels;
  if (!wanted) return undefined;
  const labels = api.metadata.labels ?? {};
  return Object.entries(wanted).every(([key, value]) => labels[key] === value) ? 'selector' : undefined;
}

function rank(by: Specificity): number {
  return by === 'name' ? 0 : 1;
}

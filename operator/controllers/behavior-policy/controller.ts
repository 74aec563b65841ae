import type { StatusWriter } from '../status.ts';
import { apply } from './apply.ts';
import { decide } from './decide.ts';
import { gather, type BehaviorPolicySources } from './gather.ts';

export async function reconcile(
  sources: BehaviorPolicySources,
  sinks: StatusWriter,
  key: { namespace: string; name: string },
  now: number,
): Promise<void> {
  const facts = gather(sources, key);
  if (facts) await apply(sinks, facts.policy, decide(facts, now));
}

import type { BehaviorPolicy, BehaviorPolicyStatus } from '@picket/crds/gen/types.ts';
import { type StatusWriter, writeStatus } from '../status.ts';

export function apply(sinks: StatusWriter, policy: BehaviorPolicy, status: BehaviorPolicyStatus): Promise<void> {
  return writeStatus(sinks, policy, status);
}

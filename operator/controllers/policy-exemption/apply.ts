import type { PolicyExemption, PolicyExemptionStatus } from '@picket/crds/gen/types.ts';
import { type StatusWriter, writeStatus } from '../status.ts';

export function apply(sinks: StatusWriter, exemption: PolicyExemption, status: PolicyExemptionStatus): Promise<void> {
  return writeStatus(sinks, exemption, status);
}

import type { RiskVerdict, RiskVerdictStatus } from '@picket/crds/gen/types.ts';
import { type StatusWriter, writeStatus } from '../status.ts';

export function apply(sinks: StatusWriter, verdict: RiskVerdict, status: RiskVerdictStatus): Promise<void> {
  return writeStatus(sinks, verdict, status);
}

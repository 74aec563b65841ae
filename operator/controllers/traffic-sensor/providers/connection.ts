import type { ConditionClaim } from '../../conditions.ts';
import type { TrafficSensorFacts } from '../gather.ts';

/**
 * `Programmed` by the Envoys that are connected.
 *
 * @param hint what a person looks at when none is
 */
export function connection(
  { fleet, connectedEnvoys, readyPods }: Pick<TrafficSensorFacts, 'fleet' | 'connectedEnvoys' | 'readyPods'>,
  hint: string,
): ConditionClaim {
  const claim = { type: 'Programmed' as const };
  const total = Math.max(readyPods ?? 0, connectedEnvoys);
  if (connectedEnvoys === 0) {
    return {
      ...claim,
      status: 'False',
      reason: 'NoEnvoys',
      message: `no Envoy of fleet ${fleet} is connected: ${hint}`,
    };
  }
  const message = `${connectedEnvoys} of ${total} Envoys of fleet ${fleet} are connected`;
  return connectedEnvoys < total
    ? { ...claim, status: 'False', reason: 'Pending', message }
    : { ...claim, status: 'True', reason: 'Connected', message };
}

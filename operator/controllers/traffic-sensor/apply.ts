import type { TrafficSensor, TrafficSensorStatus } from '@picket/crds/gen/types.ts';
import { type StatusWriter, writeStatus } from '../status.ts';

export function apply(sinks: StatusWriter, sensor: TrafficSensor, status: TrafficSensorStatus): Promise<void> {
  return writeStatus(sinks, sensor, status);
}

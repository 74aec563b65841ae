import type { TrafficSensor, TrafficSensorStatus } from '@picket/crds/gen/types.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { ObjectSink } from '../sinks.ts';
import { type StatusWriter, writeStatus } from '../status.ts';
import type { TrafficSensorPlan } from './decide.ts';
import type { Refusal } from './providers/provider.ts';

export interface TrafficSensorSinks extends StatusWriter {
  providerObjects: ObjectSink;
}

/** @returns why the API server did not take an object; what else goes wrong is thrown and tried again. */
export async function applyObjects(
  { providerObjects }: TrafficSensorSinks,
  { objects, obsolete }: Pick<TrafficSensorPlan, 'objects' | 'obsolete'>,
): Promise<Refusal | undefined> {
  for (const object of objects) {
    try {
      await providerObjects.apply(object);
    } catch (error) {
      if (!(error instanceof PicketError)) throw error;
      if (error.code !== 'NotFound' && error.code !== 'InvalidObject') throw error;
      return { kind: object.kind, installed: error.code !== 'NotFound', message: error.message };
    }
  }
  for (const key of obsolete) {
    await providerObjects.delete(key).catch((error: unknown) => {
      // Somebody was faster.
      if (!(error instanceof PicketError && error.code === 'NotFound')) throw error;
    });
  }
  return undefined;
}

export function applyStatus(
  sinks: TrafficSensorSinks,
  sensor: TrafficSensor,
  status: TrafficSensorStatus,
): Promise<void> {
  return writeStatus(sinks, sensor, status);
}

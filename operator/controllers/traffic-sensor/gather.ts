import type { TrafficSensor } from '@picket/crds/gen/types.ts';
import type { ObjectStore, StoredObject } from '@picket/runtime/objects/object-store.ts';
import type { ObjectCache } from '../object-cache.ts';

export interface TrafficSensorFacts {
  sensor: TrafficSensor;
  /** The fleet that this operator serves. */
  fleet: string;
  connectedEnvoys: number;
  /** Ready pods of the selector; undefined = the sensor selects none, or they cannot be listed. */
  readyPods: number | undefined;
}

export interface TrafficSensorSources {
  objects: ObjectCache;
  store: Pick<ObjectStore, 'list'>;
  fleet: string;
  connectedEnvoys(): number;
}

interface Pod extends StoredObject<unknown, { conditions?: { type: string; status: string }[] }> {}

export async function gather(
  sources: TrafficSensorSources,
  key: { namespace: string; name: string },
): Promise<TrafficSensorFacts | undefined> {
  const sensor = sources.objects.get('TrafficSensor', key.namespace, key.name);
  if (!sensor) return undefined;
  const { fleet } = sources;
  return {
    sensor,
    fleet,
    connectedEnvoys: sources.connectedEnvoys(),
    readyPods: sensor.metadata.name === fleet ? await countReadyPods(sources.store, sensor) : undefined,
  };
}

/** Pods are counted when asked and not watched: a cluster has thousands that are none of ours. */
async function countReadyPods(store: Pick<ObjectStore, 'list'>, sensor: TrafficSensor): Promise<number | undefined> {
  const labels = sensor.spec.envoy?.selector?.matchLabels;
  if (!labels || Object.keys(labels).length === 0) return undefined;
  const pods = await store.list<Pod>('Pod', sensor.metadata.namespace, labels);
  return pods.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
  ).length;
}

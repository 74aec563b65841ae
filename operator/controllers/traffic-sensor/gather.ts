import type { TrafficSensor } from '@picket/crds/gen/types.ts';
import type { ObjectKey, ObjectStore, StoredObject } from '@picket/runtime/objects/object-store.ts';
import { type Report, sensorLabel } from '../../envoy/providers/wiring.ts';
import { type ObjectCache, providerResources } from '../object-cache.ts';
import type { ProviderFacts, ProviderSettings } from './providers/provider.ts';

export interface TrafficSensorFacts {
  sensor: TrafficSensor;
  /** The fleet that this operator serves. */
  fleet: string;
  connectedEnvoys: number;
  /** Ready pods of the selector; undefined = the sensor selects none, or they cannot be listed. */
  readyPods: number | undefined;
  provider: ProviderFacts;
}

export interface TrafficSensorSources {
  objects: ObjectCache;
  store: Pick<ObjectStore, 'list'>;
  fleet: string;
  connectedEnvoys(): number;
  providers: ProviderSettings | undefined;
  report(): Report;
}

interface Pod extends StoredObject<unknown, { conditions?: { type: string; status: string }[] }> {}

export async function gather(
  sources: TrafficSensorSources,
  key: { namespace: string; name: string },
): Promise<TrafficSensorFacts | undefined> {
  const sensor = sources.objects.get('TrafficSensor', key.namespace, key.name);
  if (!sensor) return undefined;
  const { fleet } = sources;
  const served = sensor.metadata.name === fleet;
  return {
    sensor,
    fleet,
    connectedEnvoys: sources.connectedEnvoys(),
    readyPods: served ? await countReadyPods(sources.store, sensor) : undefined,
    provider: await gatherProvider(sources, sensor),
  };
}

async function gatherProvider(
  { objects, store, report, fleet, providers: settings }: TrafficSensorSources,
  sensor: TrafficSensor,
): Promise<ProviderFacts> {
  const { namespace, name } = sensor.metadata;
  const present: StoredObject[] = [];
  for (const kind of name === fleet ? writtenKinds(settings) : []) {
    present.push(...(await store.list(kind, namespace, { [sensorLabel]: name })));
  }
  const gateway = (called: string): ObjectKey => ({ kind: 'Gateway', namespace, name: called });
  return {
    settings,
    report: sensor.spec.envoy?.feeds?.accessLog === false ? undefined : report(),
    gateways: new Map((sensor.spec.envoy?.gateways ?? []).map((g) => [g, objects.referenced(gateway(g))] as const)),
    present,
    refusal: undefined,
  };
}

/** Kinds that are written with these settings: the operator has rights to no others. */
function writtenKinds(settings: ProviderSettings | undefined): string[] {
  const { tlsSecret, bodies } = settings?.addresses ?? {};
  const kinds = (settings?.enabled ?? []).flatMap((provider) => Object.keys(providerResources[provider]));
  return kinds.filter(
    (kind) =>
      (kind !== 'EnvoyProxy' || tlsSecret !== undefined) && (kind !== 'EnvoyExtensionPolicy' || bodies !== undefined),
  );
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

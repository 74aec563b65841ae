import type { ApplyObject } from '@picket/runtime/objects/object-store.ts';
import { accessLogOptions } from '../render/access-log.ts';
import { filtersAfterAuthentication, filtersBeforeAuthentication, tlsInspector } from '../render/listener.ts';
import type { Json } from '../render/matcher.ts';
import { connectionManagerFilter, routerFilter, typeUrls } from '../render/names.ts';
import { asMerged, ownedObject, type Wiring, wiringAccessLogs, wiringClusters } from './wiring.ts';

/** Whose Envoys: those of Gateways, or pods by label, gateways and sidecars alike. */
export type IstioTarget = { gateways: readonly string[] } | { matchLabels: Readonly<Record<string, string>> };

/**
 * The `EnvoyFilter` of a sensor. Istio carries the wiring and nothing that changes with a decision: what the filters do
 * arrives by ECDS.
 */
export function renderIstio(wiring: Wiring, target: IstioTarget): ApplyObject {
  // Of a sidecar the inbound side is the API; outbound requests are seen where they arrive.
  const contexts = 'gateways' in target ? ['GATEWAY'] : ['GATEWAY', 'SIDECAR_INBOUND'];
  return ownedObject(wiring, 'networking.istio.io/v1alpha3', 'EnvoyFilter', `picket-${wiring.sensor.name}`, {
    ...('gateways' in target
      ? {
          targetRefs: target.gateways.map((name) => ({ group: 'gateway.networking.k8s.io', kind: 'Gateway', name })),
        }
      : { workloadSelector: { labels: target.matchLabels } }),
    configPatches: [
      ...wiringClusters(wiring).map((value) => ({
        applyTo: 'CLUSTER',
        match: { context: 'ANY' },
        patch: { operation: 'ADD', value },
      })),
      ...contexts.flatMap((context) => listenerPatches(wiring, context)),
    ],
  });
}

function listenerPatches(wiring: Wiring, context: string): Json[] {
  const connectionManager: Json = {
    name: connectionManagerFilter,
    typed_config: {
      '@type': typeUrls.connectionManager,
      // Lists are joined: Istio's own access logs stay.
      access_log: wiringAccessLogs(wiring, wiring.fleet),
      access_log_options: asMerged(accessLogOptions),
    },
  };
  const filter = { name: connectionManagerFilter };
  const inManager: Json = { context, listener: { filterChain: { filter } } };
  const atRouter: Json = {
    context,
    listener: { filterChain: { filter: { ...filter, subFilter: { name: routerFilter } } } },
  };
  return [
    ...(wiring.report?.ja4 ? [fingerprints(context)] : []),
    { applyTo: 'NETWORK_FILTER', match: inManager, patch: { operation: 'MERGE', value: connectionManager } },
    // Each goes in front of those before it.
    ...filtersBeforeAuthentication(wiring.fleet)
      .toReversed()
      .map((value) => ({
        applyTo: 'HTTP_FILTER',
        match: inManager,
        patch: { operation: 'INSERT_FIRST', value: asMerged(value) },
      })),
    ...filtersAfterAuthentication(wiring.report?.flowFilter, wiring.fleet).map((value) => ({
      applyTo: 'HTTP_FILTER',
      match: atRouter,
      patch: { operation: 'INSERT_BEFORE', value: asMerged(value) },
    })),
  ];
}

/** Istio has an inspector on listeners that terminate TLS, and no setting of its own by which it computes fingerprints. */
function fingerprints(context: string): Json {
  return {
    applyTo: 'LISTENER_FILTER',
    match: { context, listener: { listenerFilter: tlsInspector['name'] } },
    patch: { operation: 'MERGE', value: asMerged(tlsInspector) },
  };
}

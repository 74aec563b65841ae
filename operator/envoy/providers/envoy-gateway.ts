import type { ApplyObject } from '@picket/runtime/objects/object-store.ts';
import { accessLogOptions } from '../render/access-log.ts';
import { filtersAfterAuthentication, filtersBeforeAuthentication } from '../render/listener.ts';
import type { Json } from '../render/matcher.ts';
import { connectionManagerFilter, routerFilter } from '../render/names.ts';
import { asMerged, ownedObject, tlsFolder, type Wiring, wiringAccessLogs, wiringClusters } from './wiring.ts';

const apiVersion = 'gateway.envoyproxy.io/v1alpha1';

/** What is read of a Gateway. */
export interface GatewayListeners {
  name: string;
  listeners: readonly { name: string; port: number; protocol: string }[];
}

/**
 * How Envoy Gateway names listeners: by the Gateway's listener, or (runtime flag `XDSNameSchemeV2`) by port. Which one
 * it uses shows in what it says of a patch.
 */
export type NameScheme = 'ByListener' | 'ByPort';

/** Name of the objects of a sensor; the patch policy of each Gateway has the Gateway's name behind it. */
export function envoyGatewayName(sensor: string, gateway?: string): string {
  return gateway === undefined ? `picket-${sensor}` : `picket-${sensor}-${gateway}`;
}

/**
 * `EnvoyProxy`: gives the pods of Envoy the certificate with which they reach Picket. A Gateway must refer to it.
 *
 * @returns undefined when nothing needs a certificate
 */
export function renderEnvoyProxy(wiring: Wiring): ApplyObject | undefined {
  if (wiring.tlsSecret === undefined) return undefined;
  const volume = 'picket-tls';
  return ownedObject(wiring, apiVersion, 'EnvoyProxy', envoyGatewayName(wiring.sensor.name), {
    provider: {
      type: 'Kubernetes',
      kubernetes: {
        envoyDeployment: {
          // Optional: a Secret that is missing must not keep Envoy from starting.
          pod: { volumes: [{ name: volume, secret: { secretName: wiring.tlsSecret, optional: true } }] },
          container: { volumeMounts: [{ name: volume, mountPath: tlsFolder, readOnly: true }] },
        },
      },
    },
  });
}

/**
 * `EnvoyExtensionPolicy`: mirrors bodies of all routes of the Gateways by ext_proc, which nobody waits for. A policy of
 * the same kind on a route takes its place there, unless it has a `mergeType`.
 *
 * @returns undefined when nothing takes bodies
 */
export function renderBodyMirror(wiring: Wiring, gateways: readonly string[]): ApplyObject | undefined {
  if (!wiring.bodies) return undefined;
  const { namespace, name, port } = wiring.bodies;
  return ownedObject(wiring, apiVersion, 'EnvoyExtensionPolicy', envoyGatewayName(wiring.sensor.name), {
    targetRefs: gateways.map((gateway) => ({
      group: 'gateway.networking.k8s.io',
      kind: 'Gateway',
      name: gateway,
    })),
    extProc: [
      {
        backendRefs: [{ group: '', kind: 'Service', name, namespace, port }],
        shadowMode: true,
        failOpen: true,
        processingMode: {
          request: { body: 'Streamed', attributes: ['source.address', 'request.id', 'connection.id'] },
          response: { body: 'Streamed' },
        },
      },
    ],
  });
}

/** `EnvoyPatchPolicy` of one Gateway: clusters, access log and filters, put into what Envoy Gateway made of it. */
export function renderPatchPolicy(wiring: Wiring, gateway: GatewayListeners, scheme: NameScheme): ApplyObject {
  const { namespace, name: sensor } = wiring.sensor;
  return ownedObject(wiring, apiVersion, 'EnvoyPatchPolicy', envoyGatewayName(sensor, gateway.name), {
    targetRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: gateway.name },
    type: 'JSONPatch',
    jsonPatches: [
      ...wiringClusters(wiring).map((cluster) => ({
        type: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
        name: cluster['name'],
        operation: { op: 'add', path: '', value: cluster },
      })),
      ...envoyListeners(namespace, gateway, scheme).flatMap(({ name, statPrefix }) =>
        listenerOperations(wiring, statPrefix).map((operation) => ({
          type: 'type.googleapis.com/envoy.config.listener.v3.Listener',
          name,
          operation,
        })),
      ),
    ],
  });
}

/** Listeners of Envoy that carry HTTP: those of a Gateway on one port share one, which has the name of the first. */
function envoyListeners(
  namespace: string,
  gateway: GatewayListeners,
  scheme: NameScheme,
): { name: string; statPrefix: string }[] {
  const first = new Map<number, { name: string; statPrefix: string }>();
  for (const { name, port, protocol } of gateway.listeners) {
    if ((protocol !== 'HTTP' && protocol !== 'HTTPS') || first.has(port)) continue;
    first.set(
      port,
      scheme === 'ByPort'
        ? { name: `tcp-${port}`, statPrefix: `${protocol.toLowerCase()}-${port}` }
        : {
            name: `${namespace}/${gateway.name}/${name}`,
            statPrefix: `${protocol.toLowerCase()}-${unprivileged(port)}`,
          },
    );
  }
  return [...first.values()];
}

/** Port that Envoy listens on in its pod. */
function unprivileged(port: number): number {
  return port < 1024 ? port + 10_000 : port;
}

/** A path in RFC 9535's syntax finds the place in every filter chain; the array index of an `add` is where it goes. */
function listenerOperations(wiring: Wiring, statPrefix: string): Json[] {
  const manager = `..filters[?(@.name=='${connectionManagerFilter}')].typed_config`;
  const add = (jsonPath: string, path: string | undefined, value: Json): Json => ({
    op: 'add',
    jsonPath,
    ...(path === undefined ? {} : { path }),
    value,
  });
  return [
    ...wiringAccessLogs(wiring, statPrefix).map((log) => add(manager, '/access_log/0', log)),
    add(manager, '/access_log_options', asMerged(accessLogOptions)),
    ...filtersBeforeAuthentication(wiring.fleet)
      .toReversed()
      .map((filter) => add(manager, '/http_filters/0', asMerged(filter))),
    ...filtersAfterAuthentication(wiring.report?.flowFilter, wiring.fleet).map((filter) =>
      add(`..http_filters[?(@.name=='${routerFilter}')]`, undefined, asMerged(filter)),
    ),
  ];
}

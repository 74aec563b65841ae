import type { ProtectedAPI, TrafficSensor } from '@picket/crds/gen/types.ts';
import { nameOf } from './precedence.ts';

/**
 * Why an API may not have its hosts: where sensors exist, an API may claim only what one of them grants its namespace.
 * Undefined = it may; without any sensor everybody may, as with a folder of manifests.
 */
export function findUngranted(
  api: ProtectedAPI,
  hosts: readonly string[],
  sensors: readonly TrafficSensor[],
): string | undefined {
  const { namespace } = api.metadata;
  const granting = sensors.filter(({ spec }) => spec.envoy !== undefined);
  if (granting.length === 0) return undefined;
  const ours = granting.filter((sensor) => grantsNamespace(sensor, namespace));
  if (ours.length === 0) {
    return (
      `metadata.namespace: no TrafficSensor grants namespace ${namespace} its Envoys; ` +
      `let the owner of ${granting.map(nameOf).sort().join(' or ')} add it to spec.namespaces`
    );
  }
  const refused = hosts.find((host) => !ours.some((sensor) => grantsHost(sensor, host)));
  return refused === undefined
    ? undefined
    : `spec.hosts: no TrafficSensor grants namespace ${namespace} the host ${refused}; ` +
        `let the owner of ${ours.map(nameOf).sort().join(' or ')} add it to spec.hostnames, or choose another host`;
}

function grantsNamespace({ metadata, spec }: TrafficSensor, namespace: string): boolean {
  const named = spec.namespaces ?? [metadata.namespace];
  return named.includes('*') || named.includes(namespace);
}

function grantsHost({ spec }: TrafficSensor, host: string): boolean {
  if (!spec.hostnames) return true;
  return spec.hostnames.some((pattern) => {
    if (pattern === '*' || pattern === host) return true;
    // "*.example.com" grants each name below, and the wildcard itself.
    return pattern.startsWith('*.') && host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
  });
}

/** Flags and environment of `picket-operator`. */
import {
  listOf,
  oneOf,
  optional,
  parseBoolean,
  parseListenAddress,
  parseText,
  type Setting,
  type SettingValues,
} from '@picket/runtime/config.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import { commonSettings, kubernetesSettings, natsSettings, tlsSettings } from '@picket/runtime/process-settings.ts';
import type { ProviderSettings } from './controllers/traffic-sensor/providers/provider.ts';

/** `namespace/name:port` of a Service. */
function parseService(text: string): { namespace: string; name: string; port: number } {
  const parts = /^([a-z0-9-]+)\/([a-z0-9-]+):(\d{1,5})$/.exec(text);
  if (!parts) throw new Error('must be namespace/name:port of a Service');
  return { namespace: parts[1] as string, name: parts[2] as string, port: Number(parts[3]) };
}

export const operatorSettings = {
  ...kubernetesSettings,
  ...natsSettings,
  xdsListen: {
    flag: 'xds-listen',
    env: 'PICKET_XDS_LISTEN',
    help: 'where Envoys fetch filters (delta ECDS over gRPC)',
    parse: parseListenAddress,
    default: '127.0.0.1:18091',
  },
  ...tlsSettings,
  ja4: {
    flag: 'ja4',
    env: 'PICKET_JA4',
    help: 'listeners of the fleet terminate TLS and compute JA4, so that decisions may name it: true or false',
    parse: parseBoolean,
    default: 'false',
  },
  providers: {
    flag: 'providers',
    env: 'PICKET_PROVIDERS',
    help: 'control planes that are given objects for their Envoys: EnvoyGateway, Istio, or both, separated by commas',
    parse: listOf(oneOf('EnvoyGateway', 'Istio')),
    default: '',
  },
  envoyXds: {
    flag: 'envoy-xds',
    env: 'PICKET_ENVOY_XDS',
    help: 'host:port under which Envoys of these control planes find the filters',
    parse: optional(parseListenAddress),
    default: '',
  },
  envoyAls: {
    flag: 'envoy-als',
    env: 'PICKET_ENVOY_ALS',
    help: 'host:port under which they find the analyzer',
    parse: optional(parseListenAddress),
    default: '',
  },
  envoyBodies: {
    flag: 'envoy-bodies',
    env: 'PICKET_ENVOY_BODIES',
    help: 'Service that takes their bodies by ext_proc, namespace/name:port; without it none are mirrored',
    parse: optional(parseService),
    default: '',
  },
  envoyTlsSecret: {
    flag: 'envoy-tls-secret',
    env: 'PICKET_ENVOY_TLS_SECRET',
    help: 'Secret beside these Envoys with tls.crt, tls.key and ca.crt; without it they connect in the clear',
    parse: optional(parseText),
    default: '',
  },
  leaseNamespace: {
    flag: 'lease-namespace',
    env: 'POD_NAMESPACE',
    help: 'namespace of the Lease by which replicas agree who writes',
    parse: parseText,
    default: 'default',
  },
  leaseName: {
    flag: 'lease-name',
    env: 'PICKET_LEASE_NAME',
    help: 'its name',
    parse: parseText,
    default: 'picket-operator',
  },
  identity: {
    flag: 'identity',
    env: 'POD_NAME',
    help: 'name of this replica, unique among them; without it the host name',
    parse: optional(parseText),
    default: '',
  },
  ...commonSettings,
} as const satisfies Record<string, Setting<unknown>>;

/**
 * @returns undefined when no provider is switched on
 * @throws PicketError `InvalidConfig` when one is, and Envoys would not find Picket
 */
export function providersOf(settings: SettingValues<typeof operatorSettings>): ProviderSettings | undefined {
  const { providers: enabled, envoyXds: xds, envoyAls: als, envoyBodies, envoyTlsSecret } = settings;
  if (enabled.length === 0) return undefined;
  if (!xds || !als) {
    throw new PicketError(
      'InvalidConfig',
      `--${operatorSettings[xds ? 'envoyAls' : 'envoyXds'].flag}: with --providers, Envoys must be told where Picket is, as host:port`,
    );
  }
  const where = ({ host, port }: typeof xds) => ({ host, port });
  return {
    enabled,
    addresses: {
      xds: where(xds),
      als: where(als),
      ...(envoyBodies ? { bodies: envoyBodies } : {}),
      ...(envoyTlsSecret === undefined ? {} : { tlsSecret: envoyTlsSecret }),
    },
  };
}

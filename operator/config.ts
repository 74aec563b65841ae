/** Flags and environment of `picket-operator`. */
import { optional, parseBoolean, parseListenAddress, parseText, type Setting } from '@picket/runtime/config.ts';
import { commonSettings, kubernetesSettings, natsSettings, tlsSettings } from '@picket/runtime/process-settings.ts';

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

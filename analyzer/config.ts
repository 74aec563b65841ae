/** Flags and environment of `picket-analyzer`. */
import {
  integerBetween,
  listOf,
  optional,
  parseListenAddress,
  parseText,
  parseUrl,
  type Setting,
} from '@picket/runtime/config.ts';
import { commonSettings, kubernetesSettings, natsSettings, tlsSettings } from '@picket/runtime/process-settings.ts';

export const analyzerSettings = {
  ...kubernetesSettings,
  ...natsSettings,
  data: {
    flag: 'data',
    env: 'PICKET_DATA',
    help: 'folder of its own for keys, checkpoints and the embedded store; must outlive the process',
    parse: parseText,
  },
  storeUrl: {
    flag: 'store-url',
    env: 'PICKET_STORE_URL',
    help: 'ClickHouse server, http:// or https://; without it an embedded engine in the data folder',
    parse: optional(parseUrl('http', 'https')),
    default: '',
  },
  storeUser: {
    flag: 'store-user',
    env: 'PICKET_STORE_USER',
    help: 'user at ClickHouse',
    parse: parseText,
    default: 'default',
  },
  storePassword: {
    flag: 'store-password',
    env: 'PICKET_STORE_PASSWORD',
    help: 'password at ClickHouse; use the variable, others can read flags',
    parse: optional(parseText),
    default: '',
    secret: true,
  },
  alsListen: {
    flag: 'als-listen',
    env: 'PICKET_ALS_LISTEN',
    help: 'where Envoys send access logs (gRPC)',
    parse: parseListenAddress,
    default: '127.0.0.1:18090',
  },
  ...tlsSettings,
  envoyAdmin: {
    flag: 'envoy-admin',
    env: 'PICKET_ENVOY_ADMIN',
    help: 'admin URLs of Envoys, separated by commas: their counters tell how complete the access logs are',
    parse: listOf(parseUrl('http')),
    default: '',
  },
  history: {
    flag: 'history',
    env: 'PICKET_HISTORY',
    help: 'access logs to learn from before the feeds open, separated by commas',
    parse: listOf(parseText),
    default: '',
  },
  workers: {
    flag: 'workers',
    env: 'PICKET_WORKERS',
    help: 'threads for analysis; 0 is right on two cores',
    parse: integerBetween(0, 64),
    default: '0',
  },
  ...commonSettings,
} as const satisfies Record<string, Setting<unknown>>;

/** Settings that operator and analyzer share, under the same flags and variables. */
import { PicketError } from './errors.ts';
import {
  listOf,
  type ListenAddress,
  oneOf,
  optional,
  parseListenAddress,
  parseText,
  parseUrl,
  type Setting,
} from './config.ts';
import type { TlsFiles } from './grpc/server-credentials.ts';
import { logLevels } from './log.ts';

function parseName(text: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text))
    throw new Error('must be at most 63 small letters, digits and dashes, and end with none');
  return text;
}

export const kubernetesSettings = {
  kubeconfig: {
    flag: 'kubeconfig',
    help: 'file to reach Kubernetes with; without it KUBECONFIG, ~/.kube/config, then the service account of the pod',
    parse: optional(parseText),
    default: '',
  },
  context: {
    flag: 'context',
    help: 'context of the kubeconfig, if not its current one',
    parse: optional(parseText),
    default: '',
  },
  namespaces: {
    flag: 'namespaces',
    env: 'PICKET_NAMESPACES',
    help: 'namespaces to look after, separated by commas; none named = all',
    parse: listOf(parseName),
    default: '',
  },
} as const satisfies Record<string, Setting<unknown>>;

export const natsSettings = {
  natsUrl: {
    flag: 'nats-url',
    env: 'PICKET_NATS_URL',
    help: 'NATS server with JetStream, nats:// or tls://',
    parse: parseUrl('nats', 'tls'),
  },
  natsUser: {
    flag: 'nats-user',
    env: 'PICKET_NATS_USER',
    help: 'user at NATS',
    parse: optional(parseText),
    default: '',
  },
  natsPassword: {
    flag: 'nats-password',
    env: 'PICKET_NATS_PASSWORD',
    help: 'password at NATS; use the variable, others can read flags',
    parse: optional(parseText),
    default: '',
    secret: true,
  },
} as const satisfies Record<string, Setting<unknown>>;

export const tlsSettings = {
  tlsCert: {
    flag: 'tls-cert',
    env: 'PICKET_TLS_CERT',
    help: 'certificate of the listener for Envoys (PEM); needed beyond loopback, read again when it changes',
    parse: optional(parseText),
    default: '',
  },
  tlsKey: { flag: 'tls-key', env: 'PICKET_TLS_KEY', help: 'its private key', parse: optional(parseText), default: '' },
  tlsCa: {
    flag: 'tls-ca',
    env: 'PICKET_TLS_CA',
    help: 'authorities of the certificates that Envoys present',
    parse: optional(parseText),
    default: '',
  },
} as const satisfies Record<string, Setting<unknown>>;

export const commonSettings = {
  fleet: {
    flag: 'fleet',
    env: 'PICKET_FLEET',
    help: 'the Envoys that are configured together',
    parse: parseName,
    default: 'default',
  },
  healthListen: {
    flag: 'health-listen',
    env: 'PICKET_HEALTH_LISTEN',
    help: 'where /healthz, /readyz and /metrics are served, without TLS',
    parse: parseListenAddress,
    default: '127.0.0.1:18092',
  },
  logFormat: {
    flag: 'log-format',
    env: 'PICKET_LOG_FORMAT',
    help: 'json or text',
    parse: oneOf('json', 'text'),
    default: 'json',
  },
  logLevel: {
    flag: 'log-level',
    env: 'PICKET_LOG_LEVEL',
    help: `least level of log lines on standard error: ${logLevels.join(', ')}`,
    parse: oneOf(...logLevels),
    default: 'info',
  },
} as const satisfies Record<string, Setting<unknown>>;

/**
 * The files of a listener, all three or none.
 *
 * @throws PicketError InvalidConfig when some are missing, or the address is beyond loopback without them
 */
export function tlsOf(
  settings: { tlsCert: string | undefined; tlsKey: string | undefined; tlsCa: string | undefined },
  listen: ListenAddress,
  flag: string,
): TlsFiles | undefined {
  const { tlsCert, tlsKey, tlsCa } = settings;
  if (tlsCert && tlsKey && tlsCa) return { certificateFile: tlsCert, privateKeyFile: tlsKey, clientCaFile: tlsCa };
  if (tlsCert || tlsKey || tlsCa)
    throw new PicketError(
      'InvalidConfig',
      '--tls-cert, --tls-key and --tls-ca go together: some without the others secure nothing',
    );
  if (!listen.loopback)
    throw new PicketError(
      'InvalidConfig',
      `--${flag} is beyond loopback, which needs mutual TLS: give --tls-cert, --tls-key and --tls-ca`,
    );
  return undefined;
}

import { experimental, ServerCredentials } from '@grpc/grpc-js';
import type { TlsFiles } from '@picket/runtime/grpc/server-credentials.ts';

/** Mutual TLS of a listener; the files are read again when they change. */
export interface ServerTls extends TlsFiles {
  /** Names (SAN or subject CN) that may connect; left out, whoever the authorities signed. */
  allowedNames?: string[];
}

const reloadEveryMs = 10_000;

/**
 * Credentials for a listener. Only loopback goes without TLS.
 *
 * @throws Error when the address is not loopback and no TLS is given.
 */
export function serverCredentials(host: string, tls: ServerTls | undefined): ServerCredentials {
  if (!tls) {
    if (!isLoopback(host)) throw new Error(`${host} is not loopback: serving filters there takes mutual TLS`);
    return ServerCredentials.createInsecure();
  }
  const files = new experimental.FileWatcherCertificateProvider({
    certificateFile: tls.certificateFile,
    privateKeyFile: tls.privateKeyFile,
    caCertificateFile: tls.clientCaFile,
    refreshIntervalMs: reloadEveryMs,
  });
  return experimental.createCertificateProviderServerCredentials(files, files, true);
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

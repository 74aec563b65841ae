/**
 * mTLS for listeners, from files that may be replaced while the process runs (cert-manager, Kubernetes secrets). A
 * pair that does not work is reported and the last good one stays in use, unlike with grpc-js's own file watcher,
 * which then refuses every connection.
 */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { experimental, ServerCredentials } from '@grpc/grpc-js';
import { PicketError } from '../errors.ts';
import type { ListenAddress } from './listen-address.ts';

/** PEM files; all three are needed, because a listener beyond loopback always asks for the client's certificate. */
export interface TlsFiles {
  certificateFile: string;
  privateKeyFile: string;
  /** Certificate authorities of clients. */
  clientCaFile: string;
}

export interface ServerCredentialsOptions {
  flag: string;
  address: ListenAddress;
  tls?: TlsFiles | undefined;
  /** How often files are looked at; 30 s unless told. */
  refreshMs?: number;
  onReload?(): void;
  /** A replaced file that cannot be used. */
  onProblem?(error: PicketError): void;
}

export interface ReloadingCredentials {
  credentials: ServerCredentials;
  stop(): void;
}

interface TlsMaterial {
  certificate: Buffer;
  privateKey: Buffer;
  caCertificate: Buffer;
}

/**
 * Credentials for one listener: plain text on loopback without `tls`, mTLS with it.
 *
 * @throws PicketError InvalidConfig when the address is not loopback and there is no `tls`, or the files do not work
 */
export async function createServerCredentials(options: ServerCredentialsOptions): Promise<ReloadingCredentials> {
  const { address, flag, tls, refreshMs = 30_000 } = options;
  if (!tls) {
    if (address.loopback) return { credentials: ServerCredentials.createInsecure(), stop: () => {} };
    throw new PicketError(
      'InvalidConfig',
      `${flag}: ${address.target} is not loopback and feeds are trusted by certificate; give a certificate, a private ` +
        `key and the clients' CA, or listen on 127.0.0.1`,
      { reason: 'TlsRequired' },
    );
  }
  let current = await readMaterial(tls);
  type Provider = Parameters<typeof experimental.createCertificateProviderServerCredentials>[0];
  const caListeners = new Set<Parameters<Provider['addCaCertificateListener']>[0]>();
  const identityListeners = new Set<Parameters<Provider['addIdentityCertificateListener']>[0]>();
  const provider: Provider = {
    addCaCertificateListener(listener) {
      caListeners.add(listener);
      process.nextTick(listener, current);
    },
    removeCaCertificateListener: (listener) => void caListeners.delete(listener),
    addIdentityCertificateListener(listener) {
      identityListeners.add(listener);
      process.nextTick(listener, current);
    },
    removeIdentityCertificateListener: (listener) => void identityListeners.delete(listener),
  };
  const timer = setInterval(() => void refresh(tls), refreshMs);
  timer.unref();
  return {
    credentials: experimental.createCertificateProviderServerCredentials(provider, provider, true),
    stop: () => clearInterval(timer),
  };

  async function refresh(files: TlsFiles): Promise<void> {
    let next: TlsMaterial;
    try {
      next = await readMaterial(files);
    } catch (error) {
      options.onProblem?.(error as PicketError);
      return;
    }
    const same = (['certificate', 'privateKey', 'caCertificate'] as const).every((k) => next[k].equals(current[k]));
    if (same) return;
    current = next;
    for (const listener of caListeners) listener(current);
    for (const listener of identityListeners) listener(current);
    options.onReload?.();
  }
}

/** @throws PicketError InvalidConfig that names the files */
async function readMaterial(tls: TlsFiles): Promise<TlsMaterial> {
  try {
    const [certificate, privateKey, caCertificate] = await Promise.all([
      readFile(tls.certificateFile),
      readFile(tls.privateKeyFile),
      readFile(tls.clientCaFile),
    ]);
    // Fails for what is not PEM and for a key that belongs to another certificate, as halfway through a replacement.
    createSecureContext({ cert: certificate, key: privateKey, ca: caCertificate });
    return { certificate, privateKey, caCertificate };
  } catch (error) {
    throw new PicketError(
      'InvalidConfig',
      `the certificate ${tls.certificateFile}, key ${tls.privateKeyFile} and client CA ${tls.clientCaFile} cannot be ` +
        `used: ${(error as Error).message}`,
      { reason: 'TlsFiles', cause: error },
    );
  }
}

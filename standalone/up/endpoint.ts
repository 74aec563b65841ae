/** Addresses of flags as host and port. */
import { createServer } from 'node:net';
import { toPicketError } from '@picket/runtime/errors.ts';

/** `host:port` or `[v6]:port`, already checked. */
export function endpointOf(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon);
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port: Number(text.slice(colon + 1)) };
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === 'object' && address ? address.port : 0;
}

/** @throws PicketError AddressInUse and others, naming the flag, when nothing could listen there */
export async function checkPortFree({ host, port }: { host: string; port: number }, flag: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(toPicketError(error, `${flag} ${host}:${port}`)));
    server.listen(port, host, resolve);
  });
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

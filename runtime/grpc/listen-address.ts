import { PicketError } from '../errors.ts';

/** Where a gRPC listener binds. */
export interface ListenAddress {
  /** As grpc-js takes it: `host:port` or `[v6]:port`. */
  target: string;
  /** Only this machine can connect. */
  loopback: boolean;
}

/**
 * Parses `--…-listen` flags. @throws PicketError InvalidConfig that names the flag and the form.
 *
 * @param flag for the error message, for example `--als-listen`
 */
export function parseListenAddress(text: string, flag: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^[\]:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new PicketError(
      'InvalidConfig',
      `${flag}: "${text}" is not an address; write host:port or [IPv6]:port, port 0 for any free one`,
    );
  }
  const host = match[1] ?? match[2] ?? '';
  const loopback = host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
  return { target: text, loopback };
}

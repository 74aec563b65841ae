import { isIP } from 'node:net';
import type { Cidr } from './matcher.ts';

/**
 * Parses "203.0.113.7" or "203.0.113.0/24" (IPv4 or IPv6, no zone).
 *
 * @returns undefined when it is no address or prefix.
 */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = address.includes('%') ? 0 : isIP(address);
  if (family === 0) return undefined;
  const bits = family === 4 ? 32 : 128;
  if (slash < 0) return { addressPrefix: address, prefixLen: bits };
  const length = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined;
  return { addressPrefix: address, prefixLen: Number(length) };
}

/** Client addresses as logs write them: ports, brackets, lists. */
import { isIP } from 'node:net';
import { ownText } from './text-cache.ts';

/**
 * The address in `1.2.3.4`, `1.2.3.4:80`, `[::1]:80`, `::1`, `"1.2.3.4"`, `ip/1.2.3.4`, `tcp://1.2.3.4:80` and, for
 * IPv4 mapped into IPv6, the IPv4 address; "" when there is none.
 */
export function addressIn(token: string): string {
  let s = token;
  if (s.length < 2 || s.length > 80) return '';
  if (isIP(s) === 4) return s;
  if (s.charCodeAt(0) === 34) s = s.slice(1);
  if (s.endsWith('"') || s.endsWith(',')) s = s.slice(0, -1);
  const scheme = s.indexOf('//');
  if (scheme > 0) s = s.slice(scheme + 2);
  else if (s.startsWith('ip/')) s = s.slice(3);
  if (s.charCodeAt(0) === 91) {
    const close = s.indexOf(']');
    s = close > 0 ? s.slice(1, close) : s.slice(1);
  } else {
    const colon = s.indexOf(':');
    if (colon > 0 && s.indexOf(':', colon + 1) < 0) s = s.slice(0, colon);
  }
  const zone = s.indexOf('%');
  if (zone > 0) s = s.slice(0, zone);
  const kind = isIP(s);
  if (kind === 0) return '';
  if (kind === 6 && s.length > 7 && s.slice(0, 7).toLowerCase() === '::ffff:' && isIP(s.slice(7)) === 4) {
    return s.slice(7);
  }
  // Known by their text, unlike those above: a part of a line would keep all of it.
  return ownText(s);
}

/** Addresses that only a proxy, a gateway or a neighbour can have: RFC 1918, loopback, link-local, CGNAT, ULA. */
export function isInternal(address: string): boolean {
  if (address.includes(':')) {
    const s = address.toLowerCase();
    return s === '::1' || s.startsWith('fc') || s.startsWith('fd') || s.startsWith('fe8') || s.startsWith('fe9');
  }
  const dot = address.indexOf('.');
  const first = Number(address.slice(0, dot));
  if (first === 10 || first === 127) return true;
  const second = Number(address.slice(dot + 1, address.indexOf('.', dot + 1)));
  return (
    (first === 172 && second >= 16 && second <= 31) ||
    (first === 192 && second === 168) ||
    (first === 169 && second === 254) ||
    (first === 100 && second >= 64 && second <= 127)
  );
}

/**
 * The client in an `X-Forwarded-For` list: the rightmost address that is not internal, since everything left of what
 * the own proxies appended can be forged; the leftmost when all are internal. "" when no entry is an address.
 */
export function clientInForwarded(list: string): string {
  if (list === '' || list === '-') return '';
  if (!list.includes(',')) return addressIn(list.trim());
  let leftmost = '';
  // Headers can hold thousands of entries; the end of the list is the part that counts.
  for (const entry of list.split(',').slice(-64).reverse()) {
    const address = addressIn(entry.trim());
    if (address === '') continue;
    if (!isInternal(address)) return address;
    leftmost = address;
  }
  return leftmost;
}

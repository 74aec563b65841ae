/**
 * Client addresses. A person behind IPv6 has a /64 and often a new address in it every day, so the Address principal
 * of IPv6 is the /64; IPv4 in IPv6 is IPv4. The Network principal is the /24 or /48.
 */

/** The last parsed address: `family` 0 when the text was none. Words hold IPv4 in `a`, IPv6 in `a` to `d`. */
export const address = { family: 0 as 0 | 4 | 6, a: 0, b: 0, c: 0, d: 0 };

const groups = new Uint16Array(8);

/** Parses into `address`. Brackets, a zone and an IPv4 port are dropped. */
export function parseAddress(text: string): boolean {
  address.family = 0;
  if (text.length === 0 || text.length > 64) return false;
  if (parseV4(text)) return true;
  return text.includes(':') && parseV6(text);
}

/** The same for IPv4 in dots alone: false for everything else, at the first character that tells. */
export function parseIpv4(text: string): boolean {
  address.family = 0;
  return text.length <= 64 && parseV4(text);
}

/** Text of the Address principal of the last parsed address: "192.0.2.7" or "2001:db8:1:2::/64". */
export function addressText(): string {
  if (address.family === 4) return dotted(address.a);
  return `${hex(address.a >>> 16)}:${hex(address.a & 0xffff)}:${hex(address.b >>> 16)}:${hex(address.b & 0xffff)}::/64`;
}

/** Text of the Network principal: "192.0.2.0/24" or "2001:db8:1::/48". */
export function networkText(): string {
  if (address.family === 4) return `${dotted(address.a & 0xffffff00)}/24`;
  return `${hex(address.a >>> 16)}:${hex(address.a & 0xffff)}:${hex(address.b >>> 16)}::/48`;
}

/** An address of a private network (RFC 1918, RFC 4193). Loopback is none: everything behind a local proxy has it. */
export function isInside({ family, a }: { family: 0 | 4 | 6; a: number }): boolean {
  const first = a >>> 24;
  if (family === 6) return (first & 0xfe) === 0xfc;
  return family === 4 && (first === 10 || a >>> 16 === 0xc0a8 || a >>> 20 === 0xac1);
}

function hex(group: number): string {
  return group.toString(16);
}

function dotted(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

function parseV4(text: string): boolean {
  let word = 0;
  let part = -1;
  let parts = 0;
  const n = text.length;
  for (let i = 0; i <= n; i++) {
    const c = i < n ? text.charCodeAt(i) : 46;
    if (c >= 48 && c <= 57) {
      part = part < 0 ? c - 48 : part * 10 + c - 48;
      if (part > 255) return false;
    } else if (c === 46 || (c === 58 && parts === 3)) {
      if (part < 0 || parts === 4) return false;
      word = (word << 8) | part;
      part = -1;
      parts++;
      // What follows the colon is a port.
      if (c === 58) break;
    } else return false;
  }
  if (parts !== 4) return false;
  set4(word >>> 0);
  return true;
}

function set4(word: number): void {
  address.family = 4;
  address.a = word;
  address.b = address.c = address.d = 0;
}

function parseV6(raw: string): boolean {
  let text = raw;
  if (text.charCodeAt(0) === 91) {
    const end = text.indexOf(']');
    if (end < 0) return false;
    text = text.slice(1, end);
  }
  const zone = text.indexOf('%');
  if (zone >= 0) text = text.slice(0, zone);
  const tail = text.lastIndexOf(':') + 1;
  let tailGroups = 0;
  if (text.includes('.')) {
    if (!parseV4(text.slice(tail))) return false;
    const word = address.a;
    address.family = 0;
    text = `${text.slice(0, tail)}${hex(word >>> 16)}:${hex(word & 0xffff)}`;
    tailGroups = word;
  }
  const gap = text.indexOf('::');
  groups.fill(0);
  if (gap < 0) {
    if (readGroups(text, 0) !== 8) return false;
  } else {
    if (text.includes('::', gap + 1)) return false;
    const head = gap === 0 ? 0 : readGroups(text.slice(0, gap), 0);
    const rest = text.slice(gap + 2);
    const count = rest === '' ? 0 : countGroups(rest);
    if (head < 0 || head + count > 7 || (count > 0 && readGroups(rest, 8 - count) !== 8)) return false;
  }
  address.a = ((groups[0] as number) * 0x10000 + (groups[1] as number)) >>> 0;
  address.b = ((groups[2] as number) * 0x10000 + (groups[3] as number)) >>> 0;
  address.c = ((groups[4] as number) * 0x10000 + (groups[5] as number)) >>> 0;
  address.d = ((groups[6] as number) * 0x10000 + (groups[7] as number)) >>> 0;
  // ::ffff:a.b.c.d, and NAT64's 64:ff9b::a.b.c.d
  if (address.a === 0 && address.b === 0 && address.c === 0xffff) set4(address.d);
  else if (address.a === 0x0064ff9b && address.b === 0 && address.c === 0 && tailGroups !== 0) set4(address.d);
  else address.family = 6;
  return true;
}

function countGroups(text: string): number {
  let n = 1;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === 58) n++;
  return n;
}

/** Reads colon separated groups from `at` on and returns the position after the last, or -1. */
function readGroups(text: string, at: number): number {
  let value = -1;
  let digits = 0;
  let position = at;
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : 58;
    const digit = c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : c >= 65 && c <= 70 ? c - 55 : -1;
    if (digit >= 0) {
      value = (value < 0 ? 0 : value) * 16 + digit;
      if (++digits > 4) return -1;
    } else if (c === 58) {
      if (value < 0 || position >= 8) return -1;
      groups[position++] = value;
      value = -1;
      digits = 0;
    } else return -1;
  }
  return position;
}

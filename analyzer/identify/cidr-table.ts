/** Longest-prefix facts about networks: a hash per prefix length in use, which are few. */
import { address, parseAddress } from './address.ts';

export interface CidrTable {
  readonly size: number;
  /** Largest value of all prefixes that hold the address parsed last; 0 when none does. */
  lookup(): number;
}

/**
 * @param entries prefix ("192.0.2.0/24", "2001:db8::/32", a bare address) and a positive value. Of two values for one
 *   prefix the larger counts.
 * @param onInvalid called with each text that is no prefix.
 */
export function createCidrTable(entries: Iterable<[string, number]>, onInvalid: (text: string) => void): CidrTable {
  const v4 = new Map<number, Map<number, number>>();
  const v6 = new Map<number, Map<string, number>>();
  let size = 0;
  for (const [text, value] of entries) {
    const slash = text.indexOf('/');
    const length = slash < 0 ? Number.NaN : Number(text.slice(slash + 1));
    if (!parseAddress(slash < 0 ? text.trim() : text.slice(0, slash).trim())) {
      onInvalid(text);
      continue;
    }
    const full = address.family === 4 ? 32 : 128;
    // A prefix over IPv4 written as IPv6 counts from the other end.
    const bits = slash < 0 ? full : address.family === 4 && length > 32 ? length - 96 : length;
    if (!Number.isInteger(bits) || bits < 0 || bits > full) {
      onInvalid(text);
      continue;
    }
    size++;
    if (full === 32) raise(v4, bits, masked(address.a, bits), value);
    else raise(v6, bits, key6(bits), value);
  }
  return {
    size,
    lookup() {
      let best = 0;
      if (address.family === 4) {
        for (const [bits, table] of v4) best = Math.max(best, table.get(masked(address.a, bits)) ?? 0);
      } else if (address.family === 6) {
        for (const [bits, table] of v6) best = Math.max(best, table.get(key6(bits)) ?? 0);
      }
      return best;
    },
  };
}

function raise<K>(tables: Map<number, Map<K, number>>, bits: number, key: K, value: number): void {
  let table = tables.get(bits);
  if (!table) {
    table = new Map();
    tables.set(bits, table);
  }
  table.set(key, Math.max(table.get(key) ?? 0, value));
}

function masked(word: number, bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? word >>> 0 : (word & (-1 << (32 - bits))) >>> 0;
}

function key6(bits: number): string {
  const { a, b, c, d } = address;
  return `${masked(a, bits)},${masked(b, bits - 32)},${masked(c, bits - 64)},${masked(d, bits - 96)}`;
}

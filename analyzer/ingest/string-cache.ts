/**
 * Strings that come again and again in access logs (header names, hosts, user agents, route names), so that an entry
 * does not allocate them anew. Direct-mapped: a flood of different strings costs misses, never memory.
 */
export interface StringCache {
  /** The text of `bytes[start, end)`; equal ASCII bytes give the same string while it stays cached. */
  read(bytes: Buffer, start: number, end: number): string;
}

/** Longer strings are decoded each time; together with the slots this bounds a cache at 1 MiB. */
const MAX_CACHED_BYTES = 256;
const SLOTS = 4096;

/** @param map applied once to what is cached, for example to lower the case of header names. */
export function createStringCache(map: (text: string) => string = (text) => text): StringCache {
  const keys: string[] = Array.from({ length: SLOTS }, () => '');
  const values: string[] = Array.from({ length: SLOTS }, () => '');
  return {
    read(bytes, start, end) {
      const length = end - start;
      if (length <= 0) return '';
      if (length > MAX_CACHED_BYTES) return map(bytes.toString('utf8', start, end));
      let hash = length;
      // Of every byte: user agents differ in a digit or two, and those that share a slot push each other out.
      for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 16777619);
      const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
      const key = keys[slot] as string;
      if (key.length === length && equalsAscii(key, bytes, start)) return values[slot] as string;
      const text = bytes.toString('utf8', start, end);
      // Only ASCII is kept: there one character is one byte, so a comparison needs no decoding.
      if (text.length === length && equalsAscii(text, bytes, start)) {
        const value = map(text);
        keys[slot] = text;
        values[slot] = value;
        return value;
      }
      return map(text);
    },
  };
}

function equalsAscii(text: string, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f || code !== bytes[start + i]) return false;
  }
  return true;
}

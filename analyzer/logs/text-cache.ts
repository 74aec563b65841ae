/**
 * Parts of lines that come again and again (request lines, user agents, referrers), read once while they stay cached. What
 * is kept is a copy of its own and the same string each time: a part cut from a line keeps all of the line, and every map
 * that it is looked up in hashes and compares it anew, at a microsecond a line each.
 *
 * Direct-mapped: a flood of different parts costs misses, never memory.
 */

/** Reads the part of `line` from `from` to `to`. */
export type ReadPart<T> = (line: string, from: number, to: number) => T;

export interface TextCacheOptions {
  /** A power of two. */
  slots: number;
  /** Longer parts are read each time; together with the slots this bounds a cache. */
  maxCharacters: number;
}

/** @param read what a part means; depends on the part alone */
export function createTextCache<T>({ slots, maxCharacters }: TextCacheOptions, read: (part: string) => T): ReadPart<T> {
  const parts: string[] = Array.from({ length: slots }, () => '');
  const values: (T | undefined)[] = Array.from({ length: slots }, () => undefined);
  return (line, from, to) => {
    const length = to - from;
    if (length > maxCharacters || length <= 0) return read(line.slice(from, to));
    let hash = length;
    let i = from;
    for (; i + 4 <= to; i += 4) {
      const four =
        line.charCodeAt(i) |
        (line.charCodeAt(i + 1) << 8) |
        (line.charCodeAt(i + 2) << 16) |
        (line.charCodeAt(i + 3) << 24);
      hash = Math.imul(hash ^ four, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (; i < to; i++) hash = Math.imul(hash ^ line.charCodeAt(i), 0x01000193);
    const slot = (hash ^ (hash >>> 13)) & (slots - 1);
    const known = parts[slot] as string;
    if (known.length === length && line.startsWith(known, from)) return values[slot] as T;
    const part = ownText(line.slice(from, to));
    const value = read(part);
    parts[slot] = part;
    values[slot] = value;
    return value;
  };
}

const bytes = Buffer.alloc(2048);

/** The same text without what it was cut from. */
export function ownText(text: string): string {
  const length = text.length * 2;
  if (length <= bytes.length) return bytes.toString('utf16le', 0, bytes.write(text, 'utf16le'));
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

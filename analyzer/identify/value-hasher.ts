/** Hashing of identity values, with a cache where it pays and the escrow where it is allowed. */
import type { Escrow } from './escrow.ts';
import { createGenerationMap } from './generation-map.ts';
import type { Pseudonymiser, ValueKind } from './pseudonym.ts';
import { digest } from './siphash.ts';

interface KnownHash {
  kind: ValueKind;
  lo: number;
  hi: number;
}

export interface ValueHasher {
  readonly pseudonyms: Pseudonymiser;
  /** Takes other keys into use. */
  use(pseudonyms: Pseudonymiser): void;
  /** Hashes into `digest`; long texts (tokens) through a cache, because they cost more to hash than to look up. */
  hash(kind: ValueKind, text: string, at: number): void;
  /** Through the cache whatever its length: for texts of which there are few. */
  hashOften(kind: ValueKind, text: string, at: number): void;
  /**
   * Whether what was hashed last bears this mark; from now on it does. Forgets the marks of values not asked for lately,
   * so it tells what need not be done again, not what was done.
   */
  marked(kind: ValueKind, mark: number): boolean;
  /** Puts what was hashed last into the escrow, if that keeps secrets too. */
  keep(kind: ValueKind, value: string): void;
}

/** Texts longer than this are looked up before they are hashed. */
const longText = 96;
/** Places for marks, of four words each: low and high word, kind, mark + 1. A power of two. */
const places = 65_536;

export function createValueHasher(initial: Pseudonymiser, escrow: Escrow): ValueHasher {
  const values = createGenerationMap<string, KnownHash>(16_384, (key) => key.length >> 3);
  const marks = new Uint32Array(places * 4);
  let pseudonyms = initial;

  function hash(kind: ValueKind, text: string, at: number): void {
    if (text.length <= longText) pseudonyms.hash(kind, text, at);
    else hashOften(kind, text, at);
  }

  function hashOften(kind: ValueKind, text: string, at: number): void {
    const known = values.get(text);
    if (known?.kind === kind) {
      digest.lo = known.lo;
      digest.hi = known.hi;
      return;
    }
    pseudonyms.hash(kind, text, at);
    values.set(text, { kind, lo: digest.lo, hi: digest.hi });
  }

  return {
    get pseudonyms() {
      return pseudonyms;
    },
    use(next) {
      pseudonyms = next;
      values.clear();
      marks.fill(0);
    },
    hash,
    hashOften,
    marked(kind, mark) {
      const { lo, hi } = digest;
      const place = (lo & (places - 1)) << 2;
      if (marks[place] === lo && marks[place + 1] === hi && marks[place + 2] === kind) {
        const same = marks[place + 3] === mark + 1;
        marks[place + 3] = mark + 1;
        return same;
      }
      marks[place] = lo;
      marks[place + 1] = hi;
      marks[place + 2] = kind;
      marks[place + 3] = mark + 1;
      return false;
    },
    keep(kind, value) {
      if (escrow.retain !== 'all' || escrow.touch(kind, digest.lo, digest.hi)) return;
      escrow.put(kind, digest.lo, digest.hi, value, false, 'none');
    },
  };
}

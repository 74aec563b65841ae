/** Hashing of identity values, with a cache where it pays and the escrow where it is allowed. */
import type { Escrow } from './escrow.ts';
import { createGenerationMap } from './generation-map.ts';
import type { Pseudonymiser, ValueKind } from './pseudonym.ts';
import { digest } from './siphash.ts';

export interface ValueFacts {
  kind: ValueKind;
  lo: number;
  hi: number;
  /** Mark of what the escrow holds; -1 nothing yet. */
  held: number;
}

export interface ValueHasher {
  readonly pseudonyms: Pseudonymiser;
  /** Takes other keys into use. */
  use(pseudonyms: Pseudonymiser): void;
  /** Hashes into `digest`; long texts (tokens) through a cache, because they cost more to hash than to look up. */
  hash(kind: ValueKind, text: string, at: number): void;
  /** Hashes through the cache; for values that the escrow is told of. */
  facts(kind: ValueKind, text: string, at: number): ValueFacts;
  /** Puts what was hashed last into the escrow, if that keeps secrets too. */
  keep(kind: ValueKind, value: string): void;
}

/** Texts longer than this are looked up before they are hashed. */
const longText = 96;

export function createValueHasher(initial: Pseudonymiser, escrow: Escrow): ValueHasher {
  const values = createGenerationMap<string, ValueFacts>(16_384, (key) => key.length >> 3);
  let pseudonyms = initial;

  function hash(kind: ValueKind, text: string, at: number): void {
    if (text.length <= longText) pseudonyms.hash(kind, text, at);
    else facts(kind, text, at);
  }

  function facts(kind: ValueKind, text: string, at: number): ValueFacts {
    let known = values.get(text);
    if (!known || known.kind !== kind) {
      pseudonyms.hash(kind, text, at);
      known = { kind, lo: digest.lo, hi: digest.hi, held: -1 };
      values.set(text, known);
    }
    digest.lo = known.lo;
    digest.hi = known.hi;
    return known;
  }

  return {
    get pseudonyms() {
      return pseudonyms;
    },
    use(next) {
      pseudonyms = next;
      values.clear();
    },
    hash,
    facts,
    keep(kind, value) {
      if (escrow.retain !== 'all' || escrow.touch(kind, digest.lo, digest.hi)) return;
      escrow.put(kind, digest.lo, digest.hi, value, false, 'none');
    },
  };
}

/**
 * The only place that can turn a pseudonym back into a value: bounded, in memory, never logged or written. A decision
 * asks it for a match value, `picket analyze` for names to show.
 */
import { KeyIndex } from '../profile/key-index.ts';
import type { ValueKind } from './pseudonym.ts';

export interface EscrowedValue {
  /** The value itself, or the part of it that is no secret. */
  value: string;
  /** Envoy vouched for the value at least once. */
  verified: boolean;
  /** How the value may become a match key; `none` = only to be shown. */
  matchAs: 'value' | 'prefix' | 'none';
}

export interface Escrow {
  /** Secrets are kept only where this says `all`. */
  readonly retain: EscrowRetention;
  put(
    kind: ValueKind,
    lo: number,
    hi: number,
    value: string,
    verified: boolean,
    matchAs: EscrowedValue['matchAs'],
  ): void;
  /** What was put or touched at generation g is held through g + 1: no need to touch it again before. */
  generation(kind: ValueKind): number;
  /** True when held; keeps it from being forgotten. */
  touch(kind: ValueKind, lo: number, hi: number): boolean;
  reveal(kind: ValueKind, lo: number, hi: number): EscrowedValue | undefined;
  /** Forgets one value, for an erasure request. */
  erase(kind: ValueKind, lo: number, hi: number): void;
  size(): number;
}

/** `enforceable`: what may become a match key or is no secret. `all`: everything, for a run that stores nothing. */
export type EscrowRetention = 'enforceable' | 'all';

/** @param capacityPerKind values per kind and generation, of 32 bytes on the average; at most twice as many are held. */
export function createEscrow(options: { capacityPerKind?: number; retain?: EscrowRetention } = {}): Escrow {
  const capacity = options.capacityPerKind ?? 65_536;
  const tables: Table[] = [];

  return {
    retain: options.retain ?? 'enforceable',
    put(kind, lo, hi, value, verified, matchAs) {
      const table = (tables[kind] ??= new Table(capacity));
      const held = table.find(lo, hi);
      if (held < 0) {
        table.add(lo, hi, value, verified, matchAs);
        return;
      }
      const before = table.young.at(held);
      // What cannot become a match key takes no place of what can.
      if (matchAs === 'none' || (value === before.value && matchAs === before.matchAs)) {
        if (verified) table.young.vouch(held);
      } else {
        table.young.erase(lo, hi);
        table.add(lo, hi, value, before.verified || verified, matchAs);
      }
    },
    generation: (kind) => tables[kind]?.generation ?? 0,
    touch: (kind, lo, hi) => (tables[kind]?.find(lo, hi) ?? -1) >= 0,
    reveal(kind, lo, hi) {
      const table = tables[kind];
      const place = table?.find(lo, hi) ?? -1;
      return place < 0 ? undefined : table?.young.at(place);
    },
    erase(kind, lo, hi) {
      tables[kind]?.erase(lo, hi);
    },
    size: () => tables.reduce((sum, table) => sum + table.young.keys.size + table.old.keys.size, 0),
  };
}

/** Two generations, as in a `GenerationMap`: what was asked for in the older one comes into the younger one. */
class Table {
  generation = 0;
  young = new Generation();
  old = new Generation();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The value's place in the younger generation, or -1. */
  find(lo: number, hi: number): number {
    const place = this.young.keys.find(lo, hi);
    if (place >= 0) return place;
    const before = this.old.keys.find(lo, hi);
    if (before < 0) return -1;
    const { value, verified, matchAs } = this.old.at(before);
    return this.add(lo, hi, value, verified, matchAs);
  }

  add(lo: number, hi: number, value: string, verified: boolean, matchAs: EscrowedValue['matchAs']): number {
    if (this.young.keys.size >= this.#capacity || this.young.bytesUsed > this.#capacity * 32) {
      const dropped = this.old;
      dropped.clear();
      this.old = this.young;
      this.young = dropped;
      this.generation++;
    }
    return this.young.add(lo, hi, value, verified, matchAs);
  }

  erase(lo: number, hi: number): void {
    this.young.erase(lo, hi);
    this.old.erase(lo, hi);
  }
}

const matchers = ['none', 'value', 'prefix'] as const;
/** One word for each value: two bits, and where the matcher (two bits) and the number of characters begin. */
const Shape = { verified: 1, wide: 8, matcher: 1, characters: 4 } as const;

/** Values as bytes: as 100,000 objects and strings they were a fifth of the heap of a large log. */
class Generation {
  readonly keys = new KeyIndex();
  bytesUsed = 0;
  #bytes = Buffer.alloc(1024);
  #from = new Uint32Array(64);
  #shape = new Uint32Array(64);

  add(lo: number, hi: number, value: string, verified: boolean, matchAs: EscrowedValue['matchAs']): number {
    const place = this.keys.add(lo, hi);
    if (place === this.#from.length) {
      this.#from = doubled(this.#from);
      this.#shape = doubled(this.#shape);
    }
    const wide = isWide(value);
    const shape =
      (value.length << Shape.characters) |
      (wide ? Shape.wide : 0) |
      (matchers.indexOf(matchAs) << Shape.matcher) |
      (verified ? Shape.verified : 0);
    const end = this.bytesUsed + bytesOf(shape);
    if (end > this.#bytes.length) {
      const bytes = Buffer.alloc(Math.max(end, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    this.#bytes.write(value, this.bytesUsed, wide ? 'utf16le' : 'latin1');
    this.#from[place] = this.bytesUsed;
    this.#shape[place] = shape;
    this.bytesUsed = end;
    return place;
  }

  at(place: number): EscrowedValue {
    const shape = this.#shape[place] as number;
    const from = this.#from[place] as number;
    const to = from + bytesOf(shape);
    return {
      value: shape & Shape.wide ? this.#bytes.toString('utf16le', from, to) : this.#bytes.toString('latin1', from, to),
      verified: (shape & Shape.verified) !== 0,
      matchAs: matchers[(shape >>> Shape.matcher) & 3] ?? 'none',
    };
  }

  /** Once is enough. */
  vouch(place: number): void {
    this.#shape[place] = (this.#shape[place] as number) | Shape.verified;
  }

  erase(lo: number, hi: number): void {
    const place = this.keys.find(lo, hi);
    if (place < 0) return;
    const from = this.#from[place] as number;
    this.#bytes.fill(0, from, from + bytesOf(this.#shape[place] as number));
    this.keys.remove(place);
    this.#from[place] = this.#from[this.keys.size] as number;
    this.#shape[place] = this.#shape[this.keys.size] as number;
  }

  clear(): void {
    this.keys.clear();
    this.#bytes.fill(0, 0, this.bytesUsed);
    this.bytesUsed = 0;
  }
}

function bytesOf(shape: number): number {
  const characters = shape >>> Shape.characters;
  return shape & Shape.wide ? characters * 2 : characters;
}

/** Whether a character has no place in one byte. */
function isWide(value: string): boolean {
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 255) return true;
  return false;
}

function doubled(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(array.length * 2);
  next.set(array);
  return next;
}

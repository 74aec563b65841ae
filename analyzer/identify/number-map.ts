/**
 * What `createGenerationMap` is, for numbers under numbers: a `Map` holds keys beyond 31 bits as objects of their own, 60
 * bytes an entry and a hash of the object for each look. Here an entry is 32 bytes, and nothing of it garbage.
 */
import { KeyIndex } from '../profile/key-index.ts';

export interface NumberMap {
  /** NaN when absent. */
  get(key: number): number;
  set(key: number, value: number): void;
  clear(): void;
  /** From the oldest to the youngest generation, in the order of their coming; for checkpoints. */
  entries(): IterableIterator<[number, number]>;
}

/** @param capacity entries per generation; keys are whole numbers from 0 to 2^53 */
export function createNumberMap(capacity: number): NumberMap {
  let young = new NumberTable();
  let old = new NumberTable();

  function set(key: number, value: number): void {
    if (young.size >= capacity) {
      const emptied = old;
      old = young;
      young = emptied;
      young.clear();
    }
    young.set(key, value);
  }

  return {
    get(key) {
      const at = young.find(key);
      if (at >= 0) return young.values[at] as number;
      const before = old.find(key);
      if (before < 0) return Number.NaN;
      const value = old.values[before] as number;
      set(key, value);
      return value;
    },
    set,
    clear() {
      young = new NumberTable();
      old = new NumberTable();
    },
    *entries() {
      for (let i = 0; i < old.size; i++) if (young.find(old.keys[i] as number) < 0) yield old.entry(i);
      for (let i = 0; i < young.size; i++) yield young.entry(i);
    },
  };
}

/** Keys and values in the order of their coming. */
class NumberTable {
  keys = new Float64Array(64);
  values = new Float64Array(64);
  readonly #places = new KeyIndex();

  get size(): number {
    return this.#places.size;
  }

  find(key: number): number {
    return this.#places.find(key >>> 0, (key / 4294967296) >>> 0);
  }

  set(key: number, value: number): void {
    let at = this.find(key);
    if (at < 0) {
      at = this.#places.add(key >>> 0, (key / 4294967296) >>> 0);
      if (at === this.keys.length) {
        this.keys = doubled(this.keys);
        this.values = doubled(this.values);
      }
      this.keys[at] = key;
    }
    this.values[at] = value;
  }

  entry(at: number): [number, number] {
    return [this.keys[at] as number, this.values[at] as number];
  }

  clear(): void {
    this.#places.clear();
  }
}

function doubled(numbers: Float64Array): Float64Array<ArrayBuffer> {
  const next = new Float64Array(numbers.length * 2);
  next.set(numbers);
  return next;
}

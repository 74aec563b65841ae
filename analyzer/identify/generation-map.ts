/**
 * A bounded map that forgets what was not asked for lately: two generations, the older of which is dropped when the
 * younger is full. Every operation is O(1) without list surgery, and a flood of one-hit keys costs only its own
 * inserts. It keeps between `capacity` and `2 × capacity` of the keys used last.
 */
export interface GenerationMap<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
  clear(): void;
  /** Entries held now; at most twice the capacity. */
  size(): number;
  /** Grows when a generation is dropped: an entry asked for in generation g is there through g + 1. */
  generation(): number;
  /** Entries from the oldest to the youngest generation; for checkpoints. */
  entries(): IterableIterator<[K, V]>;
}

/**
 * @param capacity entries per generation.
 * @param weigh size of a key in characters, for text keys of unbounded length; a generation also ends at
 *   `capacity × 64` of them.
 */
export function createGenerationMap<K, V>(capacity: number, weigh: (key: K) => number = () => 0): GenerationMap<K, V> {
  const maxWeight = capacity * 64;
  let young = new Map<K, V>();
  let old = new Map<K, V>();
  let weight = 0;
  let generation = 0;

  function set(key: K, value: V): void {
    if (young.size >= capacity || weight > maxWeight) {
      old = young;
      young = new Map();
      weight = 0;
      generation++;
    }
    young.set(key, value);
    weight += weigh(key);
  }

  return {
    get(key) {
      const value = young.get(key);
      if (value !== undefined) return value;
      const kept = old.get(key);
      if (kept !== undefined) set(key, kept);
      return kept;
    },
    set,
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
    generation: () => generation,
    clear() {
      generation += 2;
      young = new Map();
      old = new Map();
      weight = 0;
    },
    size: () => young.size + old.size,
    *entries() {
      for (const entry of old) if (!young.has(entry[0])) yield entry;
      yield* young;
    },
  };
}

/** 53 bits of a 64-bit hash as a number: a map key that allocates nothing. */
export function hashKey(lo: number, hi: number): number {
  return hi * 0x200000 + (lo >>> 11);
}

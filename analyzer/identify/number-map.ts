/**
 * What `createGenerationMap` is, for numbers under numbers: a `Map` holds keys beyond 31 bits as objects of their own, 60
 * bytes an entry and a hash of the object for each look. Here an entry is 24 bytes, and nothing of it garbage.
 */
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

/** Keys and values in the order of their coming, and an open-addressed index into them, at most half full. */
class NumberTable {
  keys = new Float64Array(64);
  values = new Float64Array(64);
  size = 0;
  /** Position + 1; 0 = free. */
  #index = new Uint32Array(128);

  find(key: number): number {
    const index = this.#index;
    const mask = index.length - 1;
    for (let i = hash(key) & mask; ; i = (i + 1) & mask) {
      const at = (index[i] as number) - 1;
      if (at < 0 || this.keys[at] === key) return at;
    }
  }

  set(key: number, value: number): void {
    let at = this.find(key);
    if (at < 0) {
      if (this.size === this.keys.length) this.#grow();
      at = this.size++;
      this.keys[at] = key;
      this.#enter(at);
    }
    this.values[at] = value;
  }

  entry(at: number): [number, number] {
    return [this.keys[at] as number, this.values[at] as number];
  }

  clear(): void {
    this.size = 0;
    this.#index.fill(0);
  }

  #enter(at: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let i = hash(this.keys[at] as number) & mask;
    while (index[i] !== 0) i = (i + 1) & mask;
    index[i] = at + 1;
  }

  #grow(): void {
    const { keys, values } = this;
    this.keys = new Float64Array(keys.length * 2);
    this.keys.set(keys);
    this.values = new Float64Array(keys.length * 2);
    this.values.set(values);
    this.#index = new Uint32Array(keys.length * 4);
    for (let at = 0; at < this.size; at++) this.#enter(at);
  }
}

function hash(key: number): number {
  const mixed = Math.imul((key >>> 0) ^ Math.imul((key / 4294967296) >>> 0, 0x85ebca6b), 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/**
 * Places of 64-bit keys, 0 and up in the order they came: what a Map of numbers does, without a heap number for each key
 * and with nothing for the garbage collector to look at. Open addressing, at most half full, by the low word as it is:
 * keys are hashes already, or follow each other.
 */
export class KeyIndex {
  size = 0;
  #lo = new Uint32Array(8);
  #hi = new Uint32Array(8);
  /** Place + 1; 0 = free. */
  #index = new Uint32Array(16);

  /** The key's place, or -1. */
  find(lo: number, hi: number): number {
    const index = this.#index;
    const mask = index.length - 1;
    for (let i = lo & mask; ; i = (i + 1) & mask) {
      const place = (index[i] as number) - 1;
      if (place < 0 || (this.#lo[place] === lo && this.#hi[place] === hi)) return place;
    }
  }

  /** The place of a key that is not there yet. */
  add(lo: number, hi: number): number {
    if (this.size === this.#lo.length) this.#grow();
    const place = this.size++;
    this.#lo[place] = lo;
    this.#hi[place] = hi;
    this.#insert(place);
    return place;
  }

  /** Forgets the key at `place`; the last key moves there, and so must what is kept of it. */
  remove(place: number): void {
    this.#release(this.#slotOf(place));
    const last = --this.size;
    if (last === place) return;
    this.#index[this.#slotOf(last)] = place + 1;
    this.#lo[place] = this.#lo[last] as number;
    this.#hi[place] = this.#hi[last] as number;
  }

  clear(): void {
    this.#index.fill(0);
    this.size = 0;
  }

  #insert(place: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let i = (this.#lo[place] as number) & mask;
    while (index[i] !== 0) i = (i + 1) & mask;
    index[i] = place + 1;
  }

  #slotOf(place: number): number {
    const mask = this.#index.length - 1;
    let i = (this.#lo[place] as number) & mask;
    while (this.#index[i] !== place + 1) i = (i + 1) & mask;
    return i;
  }

  /** Shifts back what probed past the slot, so that no tombstones pile up. */
  #release(slot: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let hole = slot;
    for (let i = (hole + 1) & mask; index[i] !== 0; i = (i + 1) & mask) {
      const home = (this.#lo[(index[i] as number) - 1] as number) & mask;
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      index[hole] = index[i] as number;
      hole = i;
    }
    index[hole] = 0;
  }

  #grow(): void {
    const lo = new Uint32Array(this.size * 2);
    lo.set(this.#lo);
    this.#lo = lo;
    const hi = new Uint32Array(this.size * 2);
    hi.set(this.#hi);
    this.#hi = hi;
    this.#index = new Uint32Array(this.size * 4);
    for (let place = 0; place < this.size; place++) this.#insert(place);
  }
}

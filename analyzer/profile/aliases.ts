/**
 * Pseudonyms of one identity under several keys. State stays under the pseudonym by which a principal became known, its
 * first; what comes under a later one is led there. Moving state instead could not be exact: sets of hashes within
 * profiles cannot be hashed anew, so everybody's networks and accounts would seem to double. See ADR 0014.
 */
import { Slab, type SlabState, SLAB_HEADER } from './slab.ts';

export interface AliasesState {
  first: SlabState;
  latest: SlabState;
}

/** The same value under the previous and the active key. */
export interface Renaming {
  from: { lo: number; hi: number };
  to: { lo: number; hi: number };
}

const words = SLAB_HEADER + 2;
const maxAliases = 1 << 20;

export class Aliases {
  /** By any later pseudonym: the first. By the first: the latest. 24 bytes each. */
  readonly #first = new Slab({ words, maxSlots: maxAliases });
  readonly #latest = new Slab({ words, maxSlots: maxAliases });
  /** Registers of the lookups: read at once. */
  lo = 0;
  hi = 0;

  get isEmpty(): boolean {
    return this.#first.used === 0;
  }

  /**
   * False when it is known already.
   *
   * @param seconds event time; who was not seen for longest is forgotten first
   */
  add({ from, to }: Renaming, seconds: number): boolean {
    if (this.#first.find(to.lo, to.hi) >= 0) return false;
    this.toFirst(from.lo, from.hi, seconds);
    const { lo, hi } = this;
    if (lo === to.lo && hi === to.hi) return false;
    put(this.#first, to.lo, to.hi, lo, hi, seconds);
    put(this.#latest, lo, hi, to.lo, to.hi, seconds);
    return true;
  }

  /** Puts the first pseudonym into the registers, the given one where there is no other; true where there is. */
  toFirst(lo: number, hi: number, seconds: number): boolean {
    return this.#look(this.#first, lo, hi, seconds);
  }

  /** The same for the latest pseudonym of a first one. */
  toLatest(lo: number, hi: number): boolean {
    return this.#look(this.#latest, lo, hi, 0);
  }

  #look(slab: Slab, lo: number, hi: number, seconds: number): boolean {
    const base = slab.find(lo, hi);
    this.lo = base < 0 ? lo : (slab.u32[base + SLAB_HEADER] as number);
    this.hi = base < 0 ? hi : (slab.u32[base + SLAB_HEADER + 1] as number);
    if (base >= 0 && seconds > (slab.u32[base + 2] as number)) slab.u32[base + 2] = seconds;
    return base >= 0;
  }

  save(): AliasesState {
    return { first: this.#first.save(), latest: this.#latest.save() };
  }

  load(state: AliasesState): void {
    this.#first.load(state.first);
    this.#latest.load(state.latest);
  }
}

function put(slab: Slab, lo: number, hi: number, valueLo: number, valueHi: number, seconds: number): void {
  const base = slab.obtain(lo, hi, seconds);
  slab.u32[base + SLAB_HEADER] = valueLo;
  slab.u32[base + SLAB_HEADER + 1] = valueHi;
}

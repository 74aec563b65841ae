/**
 * What is known of each principal beside what detectors keep: since when, how much, with whom it shares its address,
 * and whether it stood in good standing. 440 bytes each.
 */
import { F, Flag } from '../observation.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS, hasDistinct } from './distinct.ts';
import { fold } from './hash.ts';
import { P, PRINCIPAL_WORDS } from './principal-words.ts';
import { MARK, Slab, type SlabState } from './slab.ts';
import { StandingCount, type Standing } from './standing-count.ts';

const maxSlots = 16_384;
const day = 86_400_000;
/** Who no longer comes through an address shares it no more after one to two of these. */
const sharingMs = 7 * day;

/** What a finding says about the principal it is about. */
export interface PrincipalFacts {
  firstAt: number;
  lastAt: number;
  requests: number;
  sharedBy: number;
  operations: number;
  networks: number;
  devices: number;
  errorRatio: number;
}

export class PrincipalTable {
  /** Set by `touch`: the number of principals that are served through this key changed. */
  sharersChanged = false;
  readonly slab = new Slab({ words: PRINCIPAL_WORDS, maxSlots, doorkeeperBits: 65_536 });
  readonly #standing = new StandingCount(this.slab);

  constructor() {
    this.slab.onEvict = (base) => this.#standing.leave(base);
  }

  /** Slot of the principal after counting observation `record`, or -1 while the doorkeeper holds it back. */
  touch(
    u32: Uint32Array,
    f64: Float64Array,
    record: number,
    keyLo: number,
    keyHi: number,
    code: number,
    api: number,
    at: number,
  ): number {
    const base = this.slab.obtain(keyLo, keyHi, (at / 1000) >>> 0);
    if (base < 0) return -1;
    const slab = this.slab;
    if (slab.created) {
      slab.f64[(base + P.firstAt) >> 1] = at;
      slab.u32[base + P.api] = api;
      slab.u32[base + P.code] = code;
    }
    if (at > (slab.f64[(base + P.lastAt) >> 1] as number)) slab.f64[(base + P.lastAt) >> 1] = at;
    slab.f64[(base + P.requests) >> 1] = (slab.f64[(base + P.requests) >> 1] as number) + 1;
    this.#standing.touch(base);
    const bytes = f64[(record + F.responseBytes) >> 1] as number;
    if (bytes > 0) slab.f64[(base + P.bytes) >> 1] = (slab.f64[(base + P.bytes) >> 1] as number) + bytes;
    const status = u32[record + F.status] as number;
    if (status >= 400) slab.f32[base + P.errors] = (slab.f32[base + P.errors] as number) + 1;
    slab.u32[base + P.hours] = (slab.u32[base + P.hours] as number) | (1 << (Math.floor(at / 3_600_000) % 24));
    addDistinct(slab.u32, base + P.operations, member(u32, record + F.operation));
    addDistinct(slab.u32, base + P.networks, member(u32, record + F.network));
    addDistinct(slab.u32, base + P.devices, member(u32, record + F.userAgent));
    this.sharersChanged = false;
    // Attempts to log in prove nothing; requests that an identity was served for do.
    const flow = ((u32[record + F.kinds] as number) >>> 8) & 0xff;
    if (flow !== 1 && status > 0 && status < 400) {
      const flags = u32[record + F.flags] as number;
      if (flags & Flag.userVerified) this.#share(base, at, member(u32, record + F.user));
      else if (flags & Flag.sessionVerified) this.#share(base, at, member(u32, record + F.session));
    }
    return base;
  }

  #share(base: number, at: number, who: number): void {
    const { u32, f64 } = this.slab;
    const since = f64[(base + P.sharersAt) >> 1] as number;
    if (since === 0) f64[(base + P.sharersAt) >> 1] = at;
    else if (at - since >= sharingMs) {
      u32.copyWithin(base + P.sharersBefore, base + P.sharers, base + P.sharers + DISTINCT_WORDS);
      u32.fill(0, base + P.sharers, base + P.sharers + DISTINCT_WORDS);
      f64[(base + P.sharersAt) >> 1] = at;
      this.sharersChanged = true;
    }
    const blamedAt = f64[(base + P.blamedAt) >> 1] as number;
    const blamed = blamedAt !== 0 && at - blamedAt < day;
    // Whoever comes only after an incident began may have come to make the address look shared.
    if (blamed && hasDistinct(u32, base + P.sharersBefore, who) === false) return;
    if (addDistinct(u32, base + P.sharers, who) && u32[base + P.sharers] !== 1) this.sharersChanged = true;
  }

  sharedBy(base: number): number {
    if (base < 0) return 1;
    const { u32 } = this.slab;
    return Math.max(1, countDistinct(u32, base + P.sharers), countDistinct(u32, base + P.sharersBefore));
  }

  requestsOf(base: number): number {
    return base < 0 ? 0 : (this.slab.f64[(base + P.requests) >> 1] as number);
  }

  facts(base: number, at: number): PrincipalFacts {
    if (base < 0)
      return {
        firstAt: at,
        lastAt: at,
        requests: 1,
        sharedBy: 1,
        operations: 1,
        networks: 1,
        devices: 1,
        errorRatio: 0,
      };
    const { u32, f32, f64 } = this.slab;
    const requests = f64[(base + P.requests) >> 1] as number;
    return {
      firstAt: f64[(base + P.firstAt) >> 1] as number,
      lastAt: f64[(base + P.lastAt) >> 1] as number,
      requests,
      sharedBy: this.sharedBy(base),
      operations: countDistinct(u32, base + P.operations),
      networks: countDistinct(u32, base + P.networks),
      devices: countDistinct(u32, base + P.devices),
      errorRatio: (f32[base + P.errors] as number) / requests,
    };
  }

  blame(base: number, at: number): void {
    if (base < 0) return;
    this.slab.f64[(base + P.blamedAt) >> 1] = at;
    this.#standing.reconsider(base);
  }

  /**
   * Principals of each API that were active within a day, are not blamed, and have been known for some time, by kind.
   * Without an age an attacker would make shares look small by fresh identities of its own.
   *
   * @param ages least age by API, ms; an API that is not named asks for a day
   */
  standing(now: number, ages: ReadonlyMap<number, number>): ReadonlyMap<number, Standing> {
    return this.#standing.at(now, ages);
  }

  get bytes(): number {
    return this.slab.bytes + this.#standing.bytes;
  }

  /** What `bytes` can grow to. */
  get maxBytes(): number {
    return this.slab.maxBytes + this.#standing.bytesFor(this.slab.maxSlots);
  }

  /** Marks follow from the rest, and on when they were made: they are no part of the state. */
  save(): SlabState {
    const state = this.slab.save();
    const words = new Uint32Array(state.slots.buffer);
    for (let base = 0; base < words.length; base += PRINCIPAL_WORDS) words[base + MARK] = 0;
    return state;
  }

  load(state: SlabState): void {
    this.slab.load(state);
    this.#standing.restart();
  }
}

/** The 64-bit value at `at` as a member of a set. */
function member(u32: Uint32Array, at: number): number {
  return fold(u32[at] as number, u32[at + 1] as number);
}

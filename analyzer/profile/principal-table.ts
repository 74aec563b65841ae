/**
 * What is known of each principal beside what detectors keep: since when, how much, with whom it shares its address,
 * and whether it stood in good standing. 448 bytes each.
 */
import { F, Flag } from '../observation.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS, hasDistinct } from './distinct.ts';
import { fold } from './hash.ts';
import { SLAB_HEADER, Slab, type SlabState } from './slab.ts';

/** Word offsets; `…At` and `requests` are f64, `errors` and `bytes` f32. */
export const P = {
  firstAt: SLAB_HEADER,
  lastAt: SLAB_HEADER + 2,
  requests: SLAB_HEADER + 4,
  /** Event time of the last strong finding about it; 0 = none. */
  blamedAt: SLAB_HEADER + 6,
  bytes: SLAB_HEADER + 8,
  errors: SLAB_HEADER + 10,
  api: SLAB_HEADER + 11,
  code: SLAB_HEADER + 12,
  /** Bit per UTC hour of day in which it was seen. */
  hours: SLAB_HEADER + 13,
  /** Distinct principals with a proved identity that were served through this address, this week and the week before. */
  sharers: SLAB_HEADER + 14,
  operations: SLAB_HEADER + 14 + DISTINCT_WORDS,
  networks: SLAB_HEADER + 14 + 2 * DISTINCT_WORDS,
  devices: SLAB_HEADER + 14 + 3 * DISTINCT_WORDS,
  sharersBefore: SLAB_HEADER + 14 + 4 * DISTINCT_WORDS,
  /** f64: when this week of sharers began; 0 = nobody yet. */
  sharersAt: SLAB_HEADER + 14 + 5 * DISTINCT_WORDS,
} as const;

const WORDS = (SLAB_HEADER + 14 + 5 * DISTINCT_WORDS + 2 + 1) & ~1;
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

/** Principals in good standing by kind, and their requests, for the limits of safety. */
export interface Standing {
  principals: Float64Array;
  requests: Float64Array;
}

export class PrincipalTable {
  /** Set by `touch`: the number of principals that are served through this key changed. */
  sharersChanged = false;
  readonly slab = new Slab({ words: WORDS, maxSlots, doorkeeperBits: 65_536 });

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
    const bytes = f64[(record + F.responseBytes) >> 1] as number;
    if (bytes > 0) slab.f64[(base + P.bytes) >> 1] = (slab.f64[(base + P.bytes) >> 1] as number) + bytes;
    const status = u32[record + F.status] as number;
    if (status >= 400) slab.f32[base + P.errors] = (slab.f32[base + P.errors] as number) + 1;
    slab.u32[base + P.hours] = (slab.u32[base + P.hours] as number) | (1 << (Math.floor(at / 3_600_000) % 24));
    const member = (field: number): number => fold(u32[record + field] as number, u32[record + field + 1] as number);
    addDistinct(slab.u32, base + P.operations, member(F.operation));
    addDistinct(slab.u32, base + P.networks, member(F.network));
    addDistinct(slab.u32, base + P.devices, member(F.userAgent));
    this.sharersChanged = false;
    // Attempts to log in prove nothing; requests that an identity was served for do.
    const flow = ((u32[record + F.kinds] as number) >>> 8) & 0xff;
    if (flow !== 1 && status > 0 && status < 400) {
      const flags = u32[record + F.flags] as number;
      if (flags & Flag.userVerified) this.#share(base, at, member(F.user));
      else if (flags & Flag.sessionVerified) this.#share(base, at, member(F.session));
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
    if (base >= 0) this.slab.f64[(base + P.blamedAt) >> 1] = at;
  }

  /**
   * Principals of each API that were active within a day, are not blamed, and have been known for some time, by kind.
   * Without an age an attacker would make shares look small by fresh identities of its own.
   *
   * @param ages least age by API, ms; an API that is not named asks for a day
   */
  standing(now: number, ages: ReadonlyMap<number, number>): Map<number, Standing> {
    const byApi = new Map<number, Standing>();
    const { u32, f64, used, words } = this.slab;
    // Once a minute over all of them: the API seldom changes from one to the next.
    let api = -1;
    let age = day;
    let standing: Standing | undefined;
    for (let base = 0; base < used * words; base += words) {
      const blamedAt = f64[(base + P.blamedAt) >> 1] as number;
      if (now - (f64[(base + P.lastAt) >> 1] as number) > day || (blamedAt !== 0 && now - blamedAt < day)) continue;
      if (u32[base + P.api] !== api) {
        api = u32[base + P.api] as number;
        age = ages.get(api) ?? day;
        standing = byApi.get(api);
      }
      if (now - (f64[(base + P.firstAt) >> 1] as number) < age) continue;
      if (!standing) byApi.set(api, (standing = { principals: new Float64Array(16), requests: new Float64Array(16) }));
      const kind = (u32[base + P.code] as number) & 15;
      standing.principals[kind] = (standing.principals[kind] as number) + 1;
      standing.requests[kind] = (standing.requests[kind] as number) + (f64[(base + P.requests) >> 1] as number);
    }
    return byApi;
  }

  save(): SlabState {
    return this.slab.save();
  }

  load(state: SlabState): void {
    this.slab.load(state);
  }
}

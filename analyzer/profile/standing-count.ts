/**
 * Principals in good standing, counted as they come and go: to look at each of 100,000 once a minute of a log of a day
 * was a tenth of all work. Whoever stands is looked at again when its day is over, whoever does not when it may.
 */
import { WindowCalendar } from './window-calendar.ts';
import { P } from './principal-words.ts';
import { MARK, type Slab } from './slab.ts';

/** Principals in good standing by kind, and their requests, for the limits of safety. */
export interface Standing {
  principals: Float64Array;
  requests: Float64Array;
}

const day = 86_400_000;
const minuteMs = 60_000;

/**
 * The mark of a slot holds the minute of its next look, doubled, and below whether it is counted; 0 = nothing to look
 * for before it is touched.
 */
export class StandingCount {
  readonly #slab: Slab;
  readonly #calendar = new WindowCalendar();
  readonly #ages = new Map<number, number>();
  readonly #byApi = new Map<number, Standing>();
  /** Of the last count: what is to be looked at by the next one, whenever that is, is put there. */
  #countedAt = 0;
  /** The API asked for last: it seldom changes from one to the next. */
  #api = -1;
  #standing: Standing | undefined;

  constructor(slab: Slab) {
    this.#slab = slab;
  }

  /** The principal at `base` made one more request. */
  touch(base: number): void {
    const mark = this.#slab.u32[base + MARK] as number;
    if (mark === 0) this.#lookAt(base, this.#countedAt, 0);
    else if (mark & 1) {
      const { requests } = this.#of(base);
      const kind = this.#kindOf(base);
      requests[kind] = (requests[kind] as number) + 1;
    }
  }

  /** What is known of it has changed: the next count looks at it. */
  reconsider(base: number): void {
    this.leave(base);
    this.#lookAt(base, this.#countedAt, 0);
  }

  /** It loses its slot. */
  leave(base: number): void {
    const { u32, words } = this.#slab;
    const mark = u32[base + MARK] as number;
    if (mark === 0) return;
    if (mark & 1) this.#count(base, -1);
    this.#calendar.remove(base / words, (mark >>> 1) * minuteMs);
    u32[base + MARK] = 0;
  }

  /** Those in good standing at `now`, by API; none is left out. Belongs to the next call. */
  at(now: number, ages: ReadonlyMap<number, number>): ReadonlyMap<number, Standing> {
    if (!this.#knows(ages)) this.restart();
    this.#countedAt = now;
    const { u32, f64, words } = this.#slab;
    const slots = this.#calendar.openedBy(now);
    for (let i = 0; i < slots.length; i++) {
      const base = (slots[i] as number) * words;
      this.leave(base);
      const lastAt = f64[(base + P.lastAt) >> 1] as number;
      if (now - lastAt > day) continue;
      const blamedAt = f64[(base + P.blamedAt) >> 1] as number;
      const oldAt = (f64[(base + P.firstAt) >> 1] as number) + (this.#ages.get(u32[base + P.api] as number) ?? day);
      const blamed = blamedAt !== 0 && now - blamedAt < day;
      if (blamed) this.#lookAt(base, Math.min(lastAt, blamedAt) + day, 0);
      else if (now < oldAt) this.#lookAt(base, Math.min(lastAt + day, oldAt), 0);
      else {
        this.#count(base, 1);
        this.#lookAt(base, lastAt + day, 1);
      }
    }
    const standing = new Map<number, Standing>();
    for (const [api, known] of this.#byApi) if (known.principals.some((n) => n > 0)) standing.set(api, known);
    return standing;
  }

  /** The next count looks at everybody. */
  restart(): void {
    this.#calendar.clear();
    this.#byApi.clear();
    this.#api = -1;
    this.#slab.each((base) => this.#lookAt(base, this.#countedAt, 0));
  }

  get bytes(): number {
    return this.#calendar.bytes;
  }

  bytesFor(slots: number): number {
    return this.#calendar.bytesFor(slots);
  }

  #lookAt(base: number, at: number, counted: 0 | 1): void {
    const minute = Math.max(1, Math.floor(at / minuteMs));
    this.#slab.u32[base + MARK] = minute * 2 + counted;
    this.#calendar.add(base / this.#slab.words, minute * minuteMs);
  }

  #count(base: number, by: 1 | -1): void {
    const { principals, requests } = this.#of(base);
    const kind = this.#kindOf(base);
    principals[kind] = (principals[kind] as number) + by;
    requests[kind] = (requests[kind] as number) + by * (this.#slab.f64[(base + P.requests) >> 1] as number);
  }

  #of(base: number): Standing {
    const api = this.#slab.u32[base + P.api] as number;
    if (api === this.#api && this.#standing) return this.#standing;
    let standing = this.#byApi.get(api);
    if (!standing)
      this.#byApi.set(api, (standing = { principals: new Float64Array(16), requests: new Float64Array(16) }));
    this.#api = api;
    this.#standing = standing;
    return standing;
  }

  #kindOf(base: number): number {
    return (this.#slab.u32[base + P.code] as number) & 15;
  }

  /** False when the ages have changed since the last count. */
  #knows(ages: ReadonlyMap<number, number>): boolean {
    let same = ages.size === this.#ages.size;
    for (const [api, age] of ages) same &&= this.#ages.get(api) === age;
    if (same) return true;
    this.#ages.clear();
    for (const [api, age] of ages) this.#ages.set(api, age);
    return false;
  }
}

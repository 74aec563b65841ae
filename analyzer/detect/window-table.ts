/**
 * State of one detector for the keys of one partition: a window per key that opens with the key's first event and lasts
 * a fixed time, so that "38 accounts since 10:04:12" is exact and needs no history of single events.
 */
import { SLAB_HEADER, Slab, type SlabState } from '../profile/slab.ts';
import { WindowCalendar } from '../profile/window-calendar.ts';

/** Word offsets that every window table shares; a detector's own words start at `WINDOW_WORDS`. */
export const W = {
  /** f64: first event of the key ever. */
  firstAt: SLAB_HEADER,
  /** f64: first event of the open window; 0 = none open. */
  windowAt: SLAB_HEADER + 2,
  /** f64: windows closed. */
  windows: SLAB_HEADER + 4,
  api: SLAB_HEADER + 6,
  code: SLAB_HEADER + 7,
  // From here on everything is cleared when a window opens.
  /** f32: largest surprise in the window. */
  best: SLAB_HEADER + 8,
  /** f32: surprise of the last finding. */
  said: SLAB_HEADER + 9,
  /** f64: event time of the last finding. */
  saidAt: SLAB_HEADER + 10,
  /** Four f64: sequence numbers of sample observations. */
  samples: SLAB_HEADER + 12,
  sampleCount: SLAB_HEADER + 20,
} as const;

/** First word of a detector's own fields (even). */
export const WINDOW_WORDS = SLAB_HEADER + 22;

export interface WindowTableOptions {
  windowMs: number;
  /** Own words cleared with each window, and own words kept across windows, which come first. */
  keptWords: number;
  words: number;
  maxSlots: number;
  doorkeeperBits?: number;
  /** Kind of key that its surprises are held against; the key's own unless told. Windows of another length are another test. */
  comparedAs?: number;
  /** Called before an expired window is cleared. */
  onClose(table: WindowTable, base: number): void;
}

export class WindowTable {
  readonly slab: Slab;
  readonly windowMs: number;
  readonly comparedAs: number | undefined;
  /** First own word that lives across windows, and first one that does not. */
  readonly kept = WINDOW_WORDS;
  readonly own: number;
  readonly #onClose: WindowTableOptions['onClose'];
  readonly #calendar = new WindowCalendar();

  constructor(options: WindowTableOptions) {
    const words = (WINDOW_WORDS + options.keptWords + options.words + 1) & ~1;
    this.own = WINDOW_WORDS + options.keptWords;
    this.windowMs = options.windowMs;
    this.comparedAs = options.comparedAs;
    this.#onClose = options.onClose;
    this.slab = new Slab({
      words,
      maxSlots: options.maxSlots,
      ...(options.doorkeeperBits ? { doorkeeperBits: options.doorkeeperBits } : {}),
    });
    this.slab.onEvict = (base) => {
      const windowAt = this.slab.f64[(base + W.windowAt) >> 1] as number;
      if (windowAt === 0) return;
      this.#onClose(this, base);
      this.#calendar.remove(base / this.slab.words, windowAt);
    };
  }

  /** Slot of the key with an open window around `at`, or -1 for a key that is not admitted yet. */
  open(lo: number, hi: number, at: number, api: number, code: number): number {
    const base = this.slab.obtain(lo, hi, (at / 1000) >>> 0);
    if (base < 0) return -1;
    const f64 = this.slab.f64;
    const windowAt = f64[(base + W.windowAt) >> 1] as number;
    if (this.slab.created) {
      f64[(base + W.firstAt) >> 1] = at;
      this.slab.u32[base + W.api] = api;
      this.slab.u32[base + W.code] = code;
    } else if (windowAt !== 0 && at - windowAt >= this.windowMs) this.#close(base);
    if (f64[(base + W.windowAt) >> 1] === 0) {
      f64[(base + W.windowAt) >> 1] = at;
      this.#calendar.add(base / this.slab.words, at);
    }
    return base;
  }

  /** Closes the windows that ended before `now`. */
  sweep(now: number): void {
    const { f64, words } = this.slab;
    const slots = this.#calendar.openedBy(now - this.windowMs);
    for (let i = 0; i < slots.length; i++) {
      const base = (slots[i] as number) * words;
      if (now - (f64[(base + W.windowAt) >> 1] as number) >= this.windowMs) this.#close(base);
    }
  }

  /** Keeps `seq` among the samples: the first two of a window stay, later ones take turns. */
  sample(base: number, seq: number): void {
    const count = this.slab.u32[base + W.sampleCount] as number;
    const place = count < 4 ? count : 2 + (count & 1);
    this.slab.f64[((base + W.samples) >> 1) + place] = seq;
    this.slab.u32[base + W.sampleCount] = count + 1;
  }

  samples(base: number): number[] {
    const count = Math.min(4, this.slab.u32[base + W.sampleCount] as number);
    return Array.from({ length: count }, (_, i) => this.slab.f64[((base + W.samples) >> 1) + i] as number);
  }

  save(): SlabState {
    return this.slab.save();
  }

  load(state: SlabState): void {
    this.slab.load(state);
    this.#calendar.clear();
    this.slab.each((base) => {
      const windowAt = this.slab.f64[(base + W.windowAt) >> 1] as number;
      if (windowAt !== 0) this.#calendar.add(base / this.slab.words, windowAt);
    });
  }

  get bytes(): number {
    return this.slab.bytes + this.#calendar.bytes;
  }

  /** What `bytes` can grow to. */
  get maxBytes(): number {
    return this.slab.maxBytes + this.#calendar.bytesFor(this.slab.maxSlots);
  }

  #close(base: number): void {
    this.#onClose(this, base);
    const slab = this.slab;
    this.#calendar.remove(base / slab.words, slab.f64[(base + W.windowAt) >> 1] as number);
    slab.f64[(base + W.windows) >> 1] = (slab.f64[(base + W.windows) >> 1] as number) + 1;
    slab.f64[(base + W.windowAt) >> 1] = 0;
    slab.u32.fill(0, base + W.best, base + WINDOW_WORDS);
    slab.u32.fill(0, base + this.own, base + slab.words);
  }
}

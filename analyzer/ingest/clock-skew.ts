/**
 * Event time from many clocks.
 *
 * Each source (an Envoy, by its node id) has an offset, the least `arrival − event` of a sliding window: the
 * difference between its clock and ours plus the shortest way here. An entry is late or early only against its own
 * source's clock, and times of a clock that is off are moved onto ours, so that one wrong clock makes nobody else late.
 *
 * Pure: time comes in as parameters, nothing is scheduled.
 */
export interface SourceClocks {
  /**
   * Judges one entry. The answer is reused by the next call.
   *
   * @param eventAtMs its completion by the source's clock, Unix ms; anything, NaN included
   * @param arrivedAtMs when it was read, by our clock
   */
  place(source: string, eventAtMs: number, arrivedAtMs: number): Readonly<Placement>;
  /**
   * Event time up to which everything is believed to have arrived: the slowest source heard of in the last
   * `activeMs`, less `lagMs`; when none was heard of, `nowMs` less `lagMs`. Never goes back; -Infinity before the
   * first entry.
   */
  watermark(nowMs: number): number;
  /** For the admin page. */
  sources(): SourceClock[];
}

export interface Placement {
  /** When the request completed, on our clock, Unix ms. */
  eventAtMs: number;
  /** True when the entry's own time was implausible and arrival time stands in: flag it and count it. */
  adjusted: boolean;
}

export interface SourceClock {
  source: string;
  /** Least `arrival − event` of the window, ms; negative for a clock that is ahead; NaN while unknown. */
  offsetMs: number;
  lastSeenAtMs: number;
  /** Entries placed at arrival time. */
  adjusted: number;
}

export interface SourceClocksOptions {
  /** A source that said nothing for this long holds up nobody. */
  activeMs?: number;
  /** Allowance for entries under way: Envoy's flush interval, several streams per Envoy. */
  lagMs?: number;
  /** Past this many sources the one silent longest is forgotten. */
  maxSources?: number;
}

/** Older than this by its source's clock, an entry is placed at arrival. */
export const MAX_AGE_MS = 600_000;
/** Further ahead of its source's clock than this, likewise. */
export const MAX_AHEAD_MS = 5_000;
/** The window is a ring of buckets; together a minute, after which a corrected clock is believed again. */
const BUCKET_MS = 10_000;
const BUCKETS = 6;
/** So many entries in a row that agree with each other, and not with what was known, are a step of the clock. */
const STEP_ENTRIES = 16;
/** Offsets up to this are taken for the way here (flush interval, queues), not for a slow clock. */
const ORDINARY_DELAY_MS = 2_000;
const REORDER_EVERY_MS = 1_000;

interface SourceState {
  minima: Float64Array;
  /** Number of the newest bucket; -1 while the window is empty. */
  newest: number;
  /** Least of `minima`; NaN while the window is empty. */
  offsetMs: number;
  /** What discordant entries say the offset is, and how many in a row have said so. */
  stepOffsetMs: number;
  stepCount: number;
  lastSeenAtMs: number;
  /** Latest placed event. */
  progressMs: number;
  reorderedAtMs: number;
  adjusted: number;
}

export function createSourceClocks(options: SourceClocksOptions = {}): SourceClocks {
  const { activeMs = 5_000, lagMs = 2_000, maxSources = 4_096 } = options;
  /** Roughly in order of last use, oldest first. */
  const states = new Map<string, SourceState>();
  const placement: Placement = { eventAtMs: 0, adjusted: false };
  let mark = Number.NEGATIVE_INFINITY;

  return {
    place(source, eventAtMs, arrivedAtMs) {
      const state = stateOf(source, arrivedAtMs);
      const offset = arrivedAtMs - eventAtMs;
      placement.adjusted = !agrees(state, offset, arrivedAtMs);
      if (placement.adjusted) {
        state.adjusted++;
        placement.eventAtMs = arrivedAtMs;
      } else placement.eventAtMs = eventAtMs + correction(state.offsetMs);
      state.progressMs = Math.max(state.progressMs, placement.eventAtMs);
      return placement;
    },
    watermark(nowMs) {
      if (states.size === 0) return mark;
      let slowest = Number.POSITIVE_INFINITY;
      for (const state of states.values()) {
        if (nowMs - state.lastSeenAtMs <= activeMs) slowest = Math.min(slowest, state.progressMs);
      }
      mark = Math.max(mark, Math.min(slowest, nowMs) - lagMs);
      return mark;
    },
    sources() {
      return [...states].map(([source, { offsetMs, lastSeenAtMs, adjusted }]) => ({
        source,
        offsetMs,
        lastSeenAtMs,
        adjusted,
      }));
    },
  };

  function stateOf(source: string, arrivedAtMs: number): SourceState {
    let state = states.get(source);
    if (!state) {
      if (states.size >= maxSources) states.delete(states.keys().next().value as string);
      state = {
        minima: new Float64Array(BUCKETS).fill(Number.POSITIVE_INFINITY),
        newest: -1,
        offsetMs: Number.NaN,
        stepOffsetMs: 0,
        stepCount: 0,
        lastSeenAtMs: arrivedAtMs,
        progressMs: Number.NEGATIVE_INFINITY,
        reorderedAtMs: arrivedAtMs,
        adjusted: 0,
      };
      states.set(source, state);
    } else if (arrivedAtMs - state.reorderedAtMs > REORDER_EVERY_MS) {
      states.delete(source);
      states.set(source, state);
      state.reorderedAtMs = arrivedAtMs;
    }
    state.lastSeenAtMs = Math.max(state.lastSeenAtMs, arrivedAtMs);
    return state;
  }
}

/** Whether the entry fits what is known of its source's clock; learns from it either way. */
function agrees(state: SourceState, offset: number, arrivedAtMs: number): boolean {
  if (!Number.isFinite(offset)) return false;
  rollWindow(state, arrivedAtMs);
  const known = state.offsetMs;
  // Until something is known the clock is expected to be about right; if it is not, it will say so repeatedly.
  const plausible = Number.isNaN(known)
    ? Math.abs(offset) <= MAX_AHEAD_MS
    : offset >= known - MAX_AHEAD_MS && offset <= known + MAX_AGE_MS;
  if (plausible) state.stepCount = 0;
  else {
    const sameStep = state.stepCount > 0 && Math.abs(offset - state.stepOffsetMs) <= MAX_AHEAD_MS;
    state.stepCount = sameStep ? state.stepCount + 1 : 1;
    state.stepOffsetMs = sameStep ? Math.min(offset, state.stepOffsetMs) : offset;
    if (state.stepCount < STEP_ENTRIES) return false;
    state.stepCount = 0;
    state.minima.fill(Number.POSITIVE_INFINITY);
    state.offsetMs = Number.NaN;
    offset = state.stepOffsetMs;
  }
  const slot = state.newest % BUCKETS;
  state.minima[slot] = Math.min(state.minima[slot] as number, offset);
  if (!(state.offsetMs <= offset)) state.offsetMs = offset;
  return true;
}

/** Empties buckets that the window has left behind. */
function rollWindow(state: SourceState, arrivedAtMs: number): void {
  const bucket = Math.max(0, Math.floor(arrivedAtMs / BUCKET_MS));
  // Our own clock going back changes nothing: entries go to the newest bucket.
  if (bucket <= state.newest) return;
  const passed = Math.min(BUCKETS, bucket - state.newest);
  for (let i = 0; i < passed; i++) state.minima[(bucket - i) % BUCKETS] = Number.POSITIVE_INFINITY;
  state.newest = bucket;
  const least = state.minima.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  state.offsetMs = Number.isFinite(least) ? least : Number.NaN;
}

/** What to add to a source's times: continuous in the offset, 0 for ordinary delays. */
function correction(offsetMs: number): number {
  return offsetMs < 0 ? offsetMs : Math.max(0, offsetMs - ORDINARY_DELAY_MS);
}

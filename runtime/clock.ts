/** Time as a parameter, so that replays and tests drive it. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds from an arbitrary start, never backwards; for durations. */
  elapsed(): number;
}

export const systemClock: Clock = { now: () => Date.now(), elapsed: () => performance.now() };

/** Time as a parameter, so that replays and tests drive it. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds from an arbitrary start, never backwards; for durations. */
  elapsed(): number;
}

export const systemClock: Clock = { now: () => Date.now(), elapsed: () => performance.now() };

/** A clock whose `now` never goes back. */
export interface SteadyClock extends Clock {
  /** From now on `now` answers at least this, for example what an earlier run of the process had come to. */
  notBefore(atMs: number): void;
}

/** How fast time goes while it is ahead of the wall clock: it must go on, and must be caught up with. */
const slewRate = 0.5;

/**
 * Follows the wall clock, and its jumps ahead. When the wall clock is set back, time goes on at half its pace until the
 * wall clock has caught up: whoever waits for a time that has been seen already would wait for as long as the jump was,
 * and everything that ends at a tick with it.
 */
export function createSteadyClock(wall: Clock): SteadyClock {
  let last = wall.now();
  let lastElapsed = wall.elapsed();
  const now = (): number => {
    const elapsed = wall.elapsed();
    last = Math.max(wall.now(), last + (elapsed - lastElapsed) * slewRate);
    lastElapsed = elapsed;
    return last;
  };
  return {
    now,
    elapsed: () => wall.elapsed(),
    notBefore(atMs) {
      last = Math.max(now(), atMs);
    },
  };
}

/**
 * Runs closed ticks one after the other. While one runs no other is closed: a slow tick makes the next ones longer, not
 * more. A tick that failed ends the loop, for its state is half applied.
 */
import type { Clock } from '@picket/runtime/clock.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { ClosedTick } from './engine/engine.ts';

export interface TickLoop {
  /** Resolves when a tick failed. */
  readonly failed: Promise<Error>;
  readonly failure: Error | undefined;
  /** Closes and runs the tick that ends at `at`; undefined = none is due. Call it when none runs. */
  next(at: number | undefined): void;
  /** The same, unless a tick is being run. */
  step(dueAt: () => number | undefined): void;
  /** A request waits for the end of the open tick. */
  waits(): void;
  /** Resolves when no tick is being run. */
  settled(): Promise<void>;
  /** What keeps ticks from ending, in words; undefined = nothing does. @param isLive requests wait for nothing else */
  stuck(isLive: boolean): string | undefined;
  /** Time that requests wait before history has been learned does not count. */
  startWaiting(): void;
}

/** A tick that runs, or a request that waits for one, this long is stuck. */
const stuckMs = 30_000;

export function createTickLoop(options: {
  clock: Clock;
  log: Logger;
  close(at: number): ClosedTick;
  run(closed: ClosedTick): Promise<void>;
}): TickLoop {
  const { clock, log } = options;
  let running: Promise<void> = Promise.resolve();
  let isRunning = false;
  /** By the monotonic clock; undefined = none does. */
  let runningSince: number | undefined;
  let openSince: number | undefined;
  let failure: Error | undefined;
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });

  const run = async (closed: ClosedTick): Promise<void> => {
    try {
      await options.run(closed);
    } catch (error) {
      log.error('tick failed', { error, tick: closed.tick });
      failure ??= error instanceof Error ? error : new Error(String(error));
      fail(failure);
    } finally {
      isRunning = false;
      runningSince = undefined;
    }
  };
  const next = (at: number | undefined): void => {
    if (at === undefined || failure) return;
    isRunning = true;
    openSince = undefined;
    runningSince = clock.elapsed();
    running = run(options.close(at));
  };

  return {
    failed,
    get failure() {
      return failure;
    },
    next,
    step(dueAt) {
      if (!isRunning) next(dueAt());
    },
    waits() {
      openSince ??= clock.elapsed();
    },
    startWaiting() {
      openSince = undefined;
    },
    settled: () => running,
    stuck(isLive) {
      const now = clock.elapsed();
      if (failure) return `the analysis failed: ${failure.message}`;
      if (runningSince !== undefined && now - runningSince > stuckMs) return 'a tick has not ended for half a minute';
      if (isLive && openSince !== undefined && now - openSince > stuckMs)
        return 'requests have waited for half a minute to be judged';
      return undefined;
    },
  };
}

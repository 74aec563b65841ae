/** Work by key: a key waits at most once, one piece of work runs at a time, failures come back later and later. */
export interface WorkQueue {
  add(key: string): void;
  /** After everything that was added: for what is looked at only to bring it up to date. */
  refresh(key: string): void;
  /** Again at some time from now, milliseconds; an earlier date for the key stands. */
  addAfter(key: string, delayMs: number): void;
  /** Keys that wait or run. */
  size(): number;
  /** Keys whose last attempt failed. */
  failing(): number;
  /** Resolves when nothing waits or runs; retries that are due later do not count. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export interface WorkQueueOptions {
  process(key: string): Promise<void>;
  /** A failure is reported and the key comes back after `retryMs`. */
  onFailure(key: string, error: unknown, retryMs: number): void;
  /** Milliseconds that never go back. */
  elapsed(): number;
  /** 0 ≤ x < 1; spreads retries. */
  random(): number;
  minRetryMs?: number;
  maxRetryMs?: number;
}

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { minRetryMs = 200, maxRetryMs = 60_000 } = options;
  const waiting = new Set<string>();
  const refreshing = new Set<string>();
  const later = new Map<string, { at: number; timer: NodeJS.Timeout }>();
  const failures = new Map<string, number>();
  let running: Promise<void> | undefined;
  let idlers: (() => void)[] = [];
  let closed = false;

  async function drain(): Promise<void> {
    // A turn for everybody who adds in the same go.
    await Promise.resolve();
    for (let key = next(); key !== undefined && !closed; key = next()) {
      waiting.delete(key);
      refreshing.delete(key);
      try {
        await options.process(key);
        failures.delete(key);
      } catch (error) {
        const count = (failures.get(key) ?? 0) + 1;
        failures.set(key, count);
        const backoffMs = Math.min(maxRetryMs, minRetryMs * 2 ** Math.min(count - 1, 20));
        const retryMs = backoffMs * (0.5 + options.random() / 2);
        options.onFailure(key, error, retryMs);
        addAfter(key, retryMs);
      }
    }
    running = undefined;
    for (const resolve of idlers) resolve();
    idlers = [];
  }

  function next(): string | undefined {
    const [first] = waiting;
    if (first !== undefined) return first;
    const [other] = refreshing;
    return other;
  }

  function enter(to: Set<string>, key: string): void {
    if (closed) return;
    const date = later.get(key);
    if (date) {
      clearTimeout(date.timer);
      later.delete(key);
    }
    to.add(key);
    running ??= drain();
  }

  function add(key: string): void {
    enter(waiting, key);
  }

  function addAfter(key: string, delayMs: number): void {
    if (closed || waiting.has(key)) return;
    const at = options.elapsed() + delayMs;
    const date = later.get(key);
    if (date && date.at <= at) return;
    clearTimeout(date?.timer);
    // Node's timers take 31 bits; a later date comes back and waits on.
    const timer = setTimeout(() => add(key), Math.min(delayMs, 2_000_000_000));
    timer.unref();
    later.set(key, { at, timer });
  }

  return {
    add,
    refresh: (key) => enter(refreshing, key),
    addAfter,
    size: () => waiting.size + refreshing.size + (running ? 1 : 0),
    failing: () => failures.size,
    idle: () => (running ? new Promise((resolve) => void idlers.push(resolve)) : Promise.resolve()),
    async close() {
      closed = true;
      for (const { timer } of later.values()) clearTimeout(timer);
      later.clear();
      await running;
    },
  };
}

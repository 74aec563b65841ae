/**
 * Messages between the socket and their decoding. Envoy drops what a slow collector does not read, so reading never
 * waits for thinking: messages are handed on in short slices, sockets are read between them.
 *
 * Bounded in bytes and messages. What does not fit is refused, and counted by who pushes.
 */
export interface AlsQueue<T extends QueuedMessage> {
  /** False when full. */
  push(message: T): boolean;
  /** Entries waiting, for `Ledger.holds`. */
  entries(): number;
  /** Hands on what waits; resolves when empty, or after about `timeoutMs` with the entries that were given up. */
  drain(timeoutMs: number): Promise<number>;
}

export interface QueuedMessage {
  bytes: Uint8Array;
  entries: number;
}

/** How long decoding may keep the event loop from reading sockets. */
const SLICE_MS = 8;
/** Bounds the queue under floods of empty messages, where bytes alone would not. */
const MAX_MESSAGES = 65_536;

export function createAlsQueue<T extends QueuedMessage>(options: {
  maxBytes: number;
  handle(message: T): void;
  clock: { elapsed(): number };
}): AlsQueue<T> {
  const { maxBytes, handle, clock } = options;
  let waiting: T[] = [];
  /** Messages before this index were handed on. */
  let next = 0;
  let bytes = 0;
  let entries = 0;
  let scheduled = false;

  return {
    push(message) {
      if (bytes + message.bytes.byteLength > maxBytes || waiting.length - next >= MAX_MESSAGES) return false;
      waiting.push(message);
      bytes += message.bytes.byteLength;
      entries += message.entries;
      schedule();
      return true;
    },
    entries: () => entries,
    async drain(timeoutMs) {
      const deadline = clock.elapsed() + timeoutMs;
      while (next < waiting.length && clock.elapsed() < deadline) await new Promise((resolve) => setImmediate(resolve));
      const lost = entries;
      waiting = [];
      next = bytes = entries = 0;
      return lost;
    },
  };

  function schedule(): void {
    if (scheduled || next >= waiting.length) return;
    scheduled = true;
    setImmediate(runSlice);
  }

  function runSlice(): void {
    scheduled = false;
    const until = clock.elapsed() + SLICE_MS;
    try {
      do {
        const message = waiting[next++];
        if (!message) break;
        bytes -= message.bytes.byteLength;
        entries -= message.entries;
        handle(message);
      } while (clock.elapsed() < until);
    } finally {
      if (next > 1024 || next >= waiting.length) {
        waiting = waiting.slice(next);
        next = 0;
      }
      schedule();
    }
  }
}

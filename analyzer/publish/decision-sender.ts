/**
 * Decisions onto the bus: for each key its writes go one after the other and the latest wins, whatever fails in
 * between. A decision that could not be written is tried again until it has expired: nobody else would notice.
 */
import type { Bucket } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Ledger } from '@picket/runtime/ledger.ts';
import type { Logger } from '@picket/runtime/log.ts';

export interface DecisionSender {
  /** `value` undefined takes the decision back. */
  send(key: string, value: Uint8Array | undefined, expiresAtMs: number): void;
  /** Waits for writes under way; those that wait for another attempt are given up and counted. */
  close(): Promise<void>;
}

interface Wanted {
  value: Uint8Array | undefined;
  expiresAtMs: number;
}

/** Keys whose write has not succeeded yet; more than can be in force. */
const maxWaiting = 20_000;
const retryMs = 1_000;

export function createDecisionSender(options: {
  bucket: Bucket;
  clock: Clock;
  ledger: Ledger;
  log: Logger;
  retryAfterMs?: number;
}): DecisionSender {
  const { bucket, clock, ledger, log, retryAfterMs = retryMs } = options;
  const waiting = new Map<string, Wanted>();
  const writing = new Map<string, Promise<void>>();
  let failing = false;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;

  const write = async (key: string): Promise<void> => {
    for (let wanted = waiting.get(key); wanted; wanted = waiting.get(key)) {
      const ttlMs = wanted.expiresAtMs - clock.now();
      try {
        if (!wanted.value) await bucket.delete(key);
        else if (ttlMs > 0) await bucket.put(key, wanted.value, { ttlMs });
        failing = false;
        if (waiting.get(key) === wanted) waiting.delete(key);
      } catch (error) {
        // Said once for an outage, not for each decision of it.
        if (!failing) log.error('decisions cannot be sent and are tried further', { error, key });
        failing = true;
        retry ??= setTimeout(again, retryAfterMs);
        return;
      }
    }
  };
  const start = (key: string): void => {
    if (writing.has(key)) return;
    writing.set(
      key,
      write(key).finally(() => {
        writing.delete(key);
        // Sent between the end of the last write and now.
        if (waiting.has(key) && retry === undefined && !closed) start(key);
      }),
    );
  };
  const again = (): void => {
    retry = undefined;
    if (!closed) for (const key of waiting.keys()) start(key);
  };

  return {
    send(key, value, expiresAtMs) {
      if (waiting.size >= maxWaiting && !waiting.has(key)) {
        ledger.dropped('publish', 'buffer_full');
        return;
      }
      waiting.set(key, { value, expiresAtMs });
      start(key);
    },
    async close() {
      closed = true;
      clearTimeout(retry);
      await Promise.all(writing.values());
      clearTimeout(retry);
      if (waiting.size > 0) ledger.dropped('publish', 'bus_failed', waiting.size);
    },
  };
}

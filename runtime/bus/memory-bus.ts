/** `Bus` within one process. Handlers run in order and never inside the call that caused them, as over a network. */
import { type Bucket, type Bus, BusError, type Subscription } from './bus.ts';
import { checkBucketName, checkKey, checkSubject, subjectMatches } from './subject.ts';

export interface MemoryBusOptions {
  /** Default 200,000 keys per bucket. */
  maxKeys?: number;
  /** Message ids remembered for recognising repeats. Default 10,000. */
  maxMessageIds?: number;
}

/** Longest delay that a timer takes. */
const maxTimerMs = 2 ** 31 - 1;

export function createMemoryBus(options: MemoryBusOptions = {}): Bus {
  const maxKeys = options.maxKeys ?? 200_000;
  const maxMessageIds = options.maxMessageIds ?? 10_000;
  const buckets = new Map<string, { bucket: Bucket; close(): void }>();
  const subscribers = new Set<{ subject: string; handler: (subject: string, payload: Uint8Array) => void }>();
  const messageIds = new Set<string>();
  let closed = false;
  const checkOpen = (): void => {
    if (closed) throw new BusError('unavailable', 'the bus is closed', false);
  };

  return {
    async bucket(name) {
      checkOpen();
      checkBucketName(name);
      let entry = buckets.get(name);
      if (!entry) {
        entry = createMemoryBucket(name, maxKeys, checkOpen);
        buckets.set(name, entry);
      }
      return entry.bucket;
    },
    async publish(subject, payload, { messageId } = {}) {
      checkOpen();
      checkSubject(subject, false);
      if (messageId !== undefined) {
        if (messageIds.has(messageId)) return;
        messageIds.add(messageId);
        if (messageIds.size > maxMessageIds) messageIds.delete(messageIds.values().next().value as string);
      }
      const copy = payload.slice();
      for (const subscriber of subscribers) {
        if (!subjectMatches(subscriber.subject, subject)) continue;
        queueMicrotask(() => {
          if (subscribers.has(subscriber)) subscriber.handler(subject, copy);
        });
      }
    },
    async subscribe(subject, handler) {
      checkOpen();
      checkSubject(subject, true);
      const subscriber = { subject, handler };
      subscribers.add(subscriber);
      return { stop: async () => void subscribers.delete(subscriber) };
    },
    trouble: () => undefined,
    async close() {
      closed = true;
      subscribers.clear();
      for (const { close } of buckets.values()) close();
      buckets.clear();
    },
  };
}

function createMemoryBucket(name: string, maxKeys: number, checkOpen: () => void): { bucket: Bucket; close(): void } {
  const values = new Map<string, { value: Uint8Array; expiry: NodeJS.Timeout | undefined }>();
  const watchers = new Set<Parameters<Bucket['watch']>[0]>();

  const tell = (key: string, value: Uint8Array | undefined): void => {
    for (const watcher of watchers) {
      queueMicrotask(() => {
        if (watchers.has(watcher)) watcher.onEntry(key, value);
      });
    }
  };
  const remove = (key: string): void => {
    const entry = values.get(key);
    if (!entry) return;
    clearTimeout(entry.expiry);
    values.delete(key);
    tell(key, undefined);
  };

  return {
    bucket: {
      async put(key, value, { ttlMs } = {}) {
        checkOpen();
        checkKey(key);
        const before = values.get(key);
        if (!before && values.size >= maxKeys) {
          throw new BusError('full', `bucket ${name} holds ${maxKeys} keys, its limit`, true);
        }
        clearTimeout(before?.expiry);
        const copy = value.slice();
        const expiry = ttlMs === undefined ? undefined : setTimeout(() => remove(key), Math.min(ttlMs, maxTimerMs));
        expiry?.unref();
        values.set(key, { value: copy, expiry });
        tell(key, copy);
      },
      async delete(key) {
        checkOpen();
        checkKey(key);
        remove(key);
      },
      async get(key) {
        checkOpen();
        checkKey(key);
        return values.get(key)?.value;
      },
      async watch(watcher): Promise<Subscription> {
        checkOpen();
        const present = [...values];
        watchers.add(watcher);
        queueMicrotask(() => {
          for (const [key, { value }] of present) if (watchers.has(watcher)) watcher.onEntry(key, value);
          if (watchers.has(watcher)) watcher.onSynced();
        });
        return { stop: async () => void watchers.delete(watcher) };
      },
    },
    close() {
      watchers.clear();
      for (const { expiry } of values.values()) clearTimeout(expiry);
      values.clear();
    },
  };
}

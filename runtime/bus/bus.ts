/** What the processes say to each other. In one process it is memory, between processes NATS JetStream. */
export interface Bus {
  bucket(name: string): Promise<Bucket>;
  /** Publishes an event; `messageId` makes a repeat harmless within the stream's window. */
  publish(subject: string, payload: Uint8Array, options?: { messageId?: string }): Promise<void>;
  /** Durable from now on; resolves once established. `subject` may hold `*` and a trailing `>`. */
  subscribe(subject: string, handler: (subject: string, payload: Uint8Array) => void): Promise<Subscription>;
  /** Why nothing passes just now; undefined = all is well. */
  trouble(): string | undefined;
  close(): Promise<void>;
}

/** Last value per key. */
export interface Bucket {
  /** Resolves when stored. The value vanishes after `ttlMs` where the server can do that; readers check expiry anyway. */
  put(key: string, value: Uint8Array, options?: { ttlMs?: number }): Promise<void>;
  delete(key: string): Promise<void>;
  get(key: string): Promise<Uint8Array | undefined>;
  /**
   * Calls `onEntry` for every present key, then `onSynced` once, then for each change in order; `value` undefined
   * means deleted. After a reconnect the present keys come again (and deletions of keys that vanished meanwhile).
   */
  watch(watcher: {
    onEntry(key: string, value: Uint8Array | undefined): void;
    onSynced(): void;
  }): Promise<Subscription>;
}

export interface Subscription {
  stop(): Promise<void>;
}

/** `retriable` false means that the same call can never succeed. */
export class BusError extends Error {
  readonly code: 'unavailable' | 'no_jetstream' | 'refused' | 'full';
  readonly retriable: boolean;
  constructor(code: BusError['code'], message: string, retriable: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = 'BusError';
    this.code = code;
    this.retriable = retriable;
  }
}

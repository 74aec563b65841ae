/**
 * One ledger per process: every buffer is bounded, every drop has a stage and a reason, and
 * `received = stored + dropped + held` can be checked at any time, to the request.
 */
export interface Ledger {
  received(feed: string, count?: number): void;
  stored(count?: number): void;
  /** `stage` and `reason` are closed vocabularies: see `DropStage` and `DropReason`. */
  dropped(stage: DropStage, reason: DropReason, count?: number): void;
  /** Registers a buffer; `held` sums them when asked. */
  holds(stage: DropStage, size: () => number): void;
  snapshot(): LedgerSnapshot;
}

export const dropStages = ['receive', 'decode', 'identify', 'resolve', 'order', 'detect', 'store', 'publish'] as const;
export type DropStage = (typeof dropStages)[number];

export const dropReasons = [
  'malformed',
  'truncated',
  'too_large',
  'missing_properties',
  'unfinished',
  'never_finished',
  'no_api',
  'foreign_fleet',
  'bad_time',
  'buffer_full',
  'store_failed',
  'store_refused',
  'erased',
  'key_table_full',
  'shutting_down',
  'bus_failed',
  'not_http',
  'not_downstream',
] as const;
export type DropReason = (typeof dropReasons)[number];

export interface LedgerSnapshot {
  received: number;
  stored: number;
  dropped: number;
  held: number;
  byFeed: Record<string, number>;
  byReason: { stage: DropStage; reason: DropReason; count: number }[];
}

export function createLedger(): Ledger {
  let received = 0;
  let stored = 0;
  const byFeed = new Map<string, number>();
  const drops = new Map<string, { stage: DropStage; reason: DropReason; count: number }>();
  const holders: { stage: DropStage; size: () => number }[] = [];
  return {
    received(feed, count = 1) {
      received += count;
      byFeed.set(feed, (byFeed.get(feed) ?? 0) + count);
    },
    stored(count = 1) {
      stored += count;
    },
    dropped(stage, reason, count = 1) {
      const key = `${stage}/${reason}`;
      const entry = drops.get(key);
      if (entry) entry.count += count;
      else drops.set(key, { stage, reason, count });
    },
    holds(stage, size) {
      holders.push({ stage, size });
    },
    snapshot() {
      const byReason = [...drops.values()].map((d) => ({ ...d }));
      return {
        received,
        stored,
        // Events and decisions that found no way out are told by reason; they are no requests, so they are not in the sum.
        dropped: byReason.reduce((sum, d) => (d.stage === 'publish' ? sum : sum + d.count), 0),
        held: holders.reduce((sum, h) => sum + h.size(), 0),
        byFeed: Object.fromEntries(byFeed),
        byReason,
      };
    },
  };
}

/**
 * Write-behind buffers between the analyzer and the store. Nothing here ever blocks: a dead, slow or full store fills
 * the buffers, and what then no longer fits is dropped and counted.
 *
 * Rows travel in batches that are stored one after another, each whole before the next, so that what the store holds
 * is a prefix of what was processed. When the buffer is full it is therefore the newest observations that go: one
 * contiguous range, for which a gap marker takes its place in the order. Dropping the oldest would tear a hole between
 * the checkpoint and the rows after it, and no replay could cross it.
 */
import type { Clock } from '@picket/runtime/clock.ts';
import type { DropReason, Ledger } from '@picket/runtime/ledger.ts';
import { F, type ObservationBatch, STRIDE } from '../observation.ts';
import type { Finding, Verdict } from '../verdict.ts';
import {
  createPendingBatch,
  type PendingBatch,
  type PendingRecords,
  type RecordKind,
  recordKinds,
} from './pending-batch.ts';
import { type BatchAttempt, storeBatch } from './store-batch.ts';
import type { DecisionRow, InputRow, LossRow, Store, TickRow } from './store.ts';
import type { StoreLog } from './store-log.ts';

/** The strings behind the hashes of one record. The object may be reused: it is read at once. */
export type Describe = (batch: ObservationBatch, index: number) => { api: string; method: string; template: string };

export interface StoreWriterOptions {
  store: Store;
  ledger: Ledger;
  clock: Clock;
  log: StoreLog;
  /** Makes deduplication tokens differ from those of every other run of the process, for example a UUID. */
  runId: string;
  /** Sequence up to which the store was complete when this writer was made. */
  storedUpTo: number;
  /** Observations held at most. Default 200,000 (about 70 MB). */
  maxHeldRows?: number;
  /** Ticks, inputs, findings, verdicts, decisions and loss rows held at most, each. Default 20,000. */
  maxHeldRecords?: number;
  /** Observations per insert. Default 10,000. */
  maxBatchRows?: number;
  /** Rows wait at most this long for company. Default 1 s. */
  flushIntervalMs?: number;
  /** The store did not answer before this writer was made: since when, Unix ms. */
  failingSinceMs?: number;
  /** Pause after the first failure, doubled up to `maxRetryDelayMs`. Defaults 100 ms and 5 s. */
  retryDelayMs?: number;
  maxRetryDelayMs?: number;
}

export interface StoreWriter {
  /** Takes over records `from` (inclusive) to `to` (exclusive), whose sequence numbers rise. Copies what it keeps. */
  observations(batch: ObservationBatch, from: number, to: number, describe: Describe): void;
  /** Marks a range that nobody hands over; observations go on after it. */
  gap(fromSeq: number, toSeq: number, reason: string): void;
  tick(row: TickRow): void;
  input(row: InputRow): void;
  finding(finding: Finding): void;
  verdict(verdict: Verdict): void;
  decision(row: DecisionRow): void;
  loss(row: LossRow): void;
  /** Highest sequence such that every observation up to it is acknowledged or in a gap marker that is. */
  storedUpTo(): number;
  stats(): StoreWriterStats;
  /** Resolves when everything handed over before the call is stored or counted as dropped. */
  flush(): Promise<void>;
  /** Stores what it can within `deadlineMs`, counts the rest as dropped (`shutting_down`). Nothing is taken afterwards. */
  close(deadlineMs: number): Promise<void>;
}

export interface StoreWriterStats {
  /** Observations; `received = stored + dropped + held`, to the row. */
  received: number;
  stored: number;
  dropped: number;
  held: number;
  /** The same for the other rows, by kind. */
  records: Record<RecordKind, { received: number; stored: number; dropped: number; held: number }>;
  /** Failed attempts since the last success; 0 while the store is well. */
  failures: number;
  /** When the first of those was, Unix ms; 0 while the store is well. */
  failingSinceMs: number;
}

export function createStoreWriter(options: StoreWriterOptions): StoreWriter {
  const { store, ledger, clock, log } = options;
  const maxHeldRows = options.maxHeldRows ?? 200_000;
  const maxHeldRecords = options.maxHeldRecords ?? 20_000;
  const maxBatchRows = Math.min(options.maxBatchRows ?? 10_000, maxHeldRows);
  const flushIntervalMs = options.flushIntervalMs ?? 1000;
  const firstDelayMs = options.retryDelayMs ?? 100;
  const maxDelayMs = options.maxRetryDelayMs ?? 5000;
  /** Once full, the buffer takes observations again at seven eighths: one long gap instead of many short ones. */
  const resumeAtRows = Math.floor((maxHeldRows * 7) / 8);

  const rows = { received: 0, stored: 0, dropped: 0, held: 0 };
  const records = Object.fromEntries(
    recordKinds.map((kind) => [kind, { received: 0, stored: 0, dropped: 0, held: 0 }]),
  ) as StoreWriterStats['records'];
  ledger.holds('store', () => rows.held);

  const queue: PendingBatch[] = [];
  let batchNumber = 0;
  const nextBatch = (): PendingBatch => createPendingBatch(`${options.runId}-${++batchNumber}`);
  let open = nextBatch();
  let dropping = false;
  let storedUpTo = options.storedUpTo;
  let lastSeq = options.storedUpTo;
  let failures = options.failingSinceMs === undefined ? 0 : 1;
  let failingSinceMs = options.failingSinceMs ?? 0;
  let closed = false;
  let abandoned = false;
  let pumping = false;
  let timer: NodeJS.Timeout | undefined;
  let endPause: (() => void) | undefined;

  const dropRows = (reason: DropReason, count: number): void => {
    if (count === 0) return;
    rows.dropped += count;
    ledger.dropped('store', reason, count);
  };
  const seal = (): void => {
    if (open.isEmpty()) return;
    open.lastSeq = lastSeq;
    queue.push(open);
    open = nextBatch();
  };
  const start = (): void => {
    if (pumping || abandoned) return;
    pumping = true;
    void pump().finally(() => {
      pumping = false;
      if (queue.length > 0) start();
      else if (!open.isEmpty()) arm();
    });
  };
  const arm = (): void => {
    if (timer || closed) return;
    timer = setTimeout(() => {
      timer = undefined;
      // While older batches wait, the open one goes on filling: a backlog is stored in whole batches.
      if (queue.length === 0) seal();
      start();
    }, flushIntervalMs);
  };
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const waiting = setTimeout(resolve, ms);
      endPause = () => {
        clearTimeout(waiting);
        resolve();
      };
    });
  const pump = async (): Promise<void> => {
    let delayMs = firstDelayMs;
    for (let batch = queue[0]; batch; batch = queue[0]) {
      const attempt = await storeBatch(store, batch, clock.now());
      // What was in flight at the deadline is counted as dropped already.
      if (abandoned) return;
      settle(attempt);
      if (attempt.finished) {
        queue.shift();
        storedUpTo = batch.lastSeq;
        batch.finish();
        delayMs = firstDelayMs;
      } else {
        await pause(delayMs);
        delayMs = Math.min(delayMs * 2, maxDelayMs);
      }
    }
  };
  const settle = (attempt: BatchAttempt): void => {
    const { stored, refused, failed, error, finished } = attempt;
    rows.stored += stored.observations ?? 0;
    ledger.stored(stored.observations ?? 0);
    dropRows('store_refused', refused.observations ?? 0);
    dropRows('store_failed', failed.observations ?? 0);
    rows.held = rows.received - rows.stored - rows.dropped;
    for (const kind of recordKinds) {
      const counts = records[kind];
      counts.stored += stored[kind] ?? 0;
      counts.dropped += (refused[kind] ?? 0) + (failed[kind] ?? 0);
      counts.held = counts.received - counts.stored - counts.dropped;
    }
    if (finished) {
      if (error) log.error({ err: error, refused, failed }, 'store would not take rows');
      if (failures > 0) log.info({ failures }, 'store takes rows again');
      failures = 0;
      failingSinceMs = 0;
    } else {
      if (failures === 0) log.warn({ err: error, heldRows: rows.held }, 'store insert failed, trying again');
      if (failures++ === 0) failingSinceMs = clock.now();
    }
  };

  const takeRecord = <K extends RecordKind>(kind: K, record: PendingRecords[K][number]): void => {
    const counts = records[kind];
    counts.received++;
    if (closed || counts.held >= maxHeldRecords) {
      counts.dropped++;
      // Without its ticks and inputs a stretch cannot be replayed, so it is marked like one without its rows.
      if (kind === 'ticks' || kind === 'inputs') open.addGap(lastSeq, `buffer_full:${kind}`, clock.now());
      return;
    }
    counts.held++;
    (open.records[kind] as PendingRecords[K][number][]).push(record);
    arm();
  };

  const flush = async (): Promise<void> => {
    seal();
    const newest = queue.at(-1);
    start();
    await newest?.done;
  };

  return {
    observations(batch, from, to, describe) {
      rows.received += to - from;
      for (let index = from; index < to; index++) {
        lastSeq = batch.f64[(index * STRIDE + F.seq) >> 1] as number;
        dropping = closed || rows.held >= (dropping ? resumeAtRows : maxHeldRows);
        if (dropping) {
          const reason = closed ? 'shutting_down' : 'buffer_full';
          open.addGap(lastSeq, reason, clock.now());
          dropRows(reason, 1);
          continue;
        }
        const { api, method, template } = describe(batch, index);
        open.addRow(batch, index, api, method, template);
        rows.held++;
        if (open.rowCount() >= maxBatchRows) {
          seal();
          start();
        }
      }
      if (!open.isEmpty()) arm();
    },
    gap(fromSeq, toSeq, reason) {
      lastSeq = toSeq;
      open.addLostRows(fromSeq, toSeq, reason, clock.now());
      arm();
    },
    tick: (row) => takeRecord('ticks', row),
    input: (row) => takeRecord('inputs', row),
    finding: (finding) => takeRecord('findings', finding),
    verdict: (verdict) => takeRecord('verdicts', verdict),
    decision: (row) => takeRecord('decisions', row),
    loss: (row) => takeRecord('loss', row),
    storedUpTo: () => storedUpTo,
    stats: () => structuredClone({ ...rows, records, failures, failingSinceMs }),
    flush,
    async close(deadlineMs) {
      closed = true;
      clearTimeout(timer);
      let deadline: NodeJS.Timeout | undefined;
      await Promise.race([
        flush(),
        new Promise<void>((resolve) => {
          deadline = setTimeout(resolve, deadlineMs);
        }),
      ]);
      clearTimeout(deadline);
      abandoned = true;
      endPause?.();
      dropRows('shutting_down', rows.held);
      rows.held = 0;
      for (const kind of recordKinds) {
        records[kind].dropped += records[kind].held;
        records[kind].held = 0;
      }
      for (const batch of queue) batch.finish();
    },
  };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { createLedger } from '@picket/runtime/ledger.ts';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { F, ObservationBatch } from '../observation.ts';
import { type GapRow, type ObservationRow, type Store, StoreError, type TickRow } from './store.ts';
import { createStoreWriter, type StoreWriter, type StoreWriterOptions } from './writer.ts';

type Insert = (seqs: number[], token: string) => Promise<void> | void;

/** A store in memory that honours tokens; `before` and `after` may fail an insert without or with its effect. */
function memoryStore(before: Insert = () => {}, after: Insert = () => {}) {
  const seqs: number[] = [];
  const gaps: GapRow[] = [];
  const ticks: TickRow[] = [];
  /** Highest sequence that was stored or in a gap when each tick was. */
  const known: number[] = [];
  const tokens = new Set<string>();
  const once = (table: string, token: string, add: () => void): void => {
    if (tokens.has(table + token)) return;
    tokens.add(table + token);
    add();
  };
  const seqOf = (row: ObservationRow): number => row.batch.f64[(row.index * 64 + F.seq) >> 1] as number;
  const nothing = async (): Promise<void> => {};
  const store: Partial<Store> = {
    async insertObservations(rows, token) {
      const batch = rows.map(seqOf);
      await before(batch, token);
      once('observations', token, () => seqs.push(...batch));
      await after(batch, token);
    },
    async insertGaps(rows, token) {
      await before([], token);
      once('gaps', token, () => gaps.push(...rows.map((row) => ({ ...row }))));
      await after([], token);
    },
    async insertTicks(rows, token) {
      await before([], token);
      once('ticks', token, () => {
        ticks.push(...rows);
        known.push(...rows.map(() => Math.max(0, ...seqs.slice(-1), ...gaps.map((gap) => gap.toSeq))));
      });
    },
    insertInputs: nothing,
    insertFindings: nothing,
    insertVerdicts: nothing,
    insertDecisions: nothing,
    insertLoss: nothing,
  };
  return { store: store as Store, seqs, gaps, ticks, known };
}

const quiet = { info() {}, warn() {}, error() {} };

function writerOver(store: Store, options: Partial<StoreWriterOptions> = {}) {
  const ledger = createLedger();
  const writer = createStoreWriter({
    store,
    ledger,
    clock: { now: () => 1000, elapsed: () => 0 },
    log: quiet,
    runId: 'run',
    storedUpTo: 0,
    flushIntervalMs: 5,
    retryDelayMs: 1,
    maxRetryDelayMs: 2,
    ...options,
  });
  let seq = options.storedUpTo ?? 0;
  return {
    writer,
    ledger,
    lastSeq: () => seq,
    /** Hands over the next `count` observations. */
    give(count: number) {
      const batch = new ObservationBatch();
      for (let i = 0; i < count; i++) {
        const base = batch.append();
        batch.f64[base >> 1] = ++seq;
      }
      ledger.received('test', count);
      writer.observations(batch, 0, count, () => ({ api: 'shop/shop', method: 'GET', template: '/' }));
      batch.u32.fill(0xffffffff);
    },
  };
}

const unavailable = (): never => {
  throw new StoreError('unavailable', 'down', true);
};
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const inGaps = (gaps: GapRow[]): number[] => gaps.flatMap((gap) => range(gap.fromSeq, gap.toSeq));

function expectBalance(writer: StoreWriter, ledger: ReturnType<typeof createLedger>): void {
  const stats = writer.stats();
  expect(stats.received).toBe(stats.stored + stats.dropped + stats.held);
  const counted = ledger.snapshot();
  expect(counted.received).toBe(counted.stored + counted.dropped + counted.held);
  expect(counted.stored).toBe(stats.stored);
}

it('stores what it was given, in order, in batches no larger than asked, even when the caller reuses its batch', async () => {
  const sizes: number[] = [];
  const { store, seqs } = memoryStore((batch) => void (batch.length > 0 && sizes.push(batch.length)));
  const { writer, give, ledger } = writerOver(store, { maxBatchRows: 40 });
  for (const count of [1, 99, 7, 0, 33]) give(count);
  await writer.flush();
  expect(seqs).toEqual(range(1, 140));
  expect(Math.max(...sizes)).toBe(40);
  expect(writer.storedUpTo()).toBe(140);
  expectBalance(writer, ledger);
});

it('stores without being asked once rows have waited for the interval', async () => {
  const { store, seqs, ticks } = memoryStore();
  const { writer, give } = writerOver(store);
  give(3);
  await vi.waitFor(() => expect(writer.storedUpTo()).toBe(3));
  expect(seqs).toEqual([1, 2, 3]);
  writer.tick({ tick: 1, at: 5, lastSeq: 3 });
  await vi.waitFor(() => expect(ticks).toEqual([{ tick: 1, at: 5, lastSeq: 3 }]));
});

it('repeats a failed insert with the token it had, so that nothing is stored twice', async () => {
  let failures = 3;
  const tokens: string[] = [];
  const { store, seqs } = memoryStore(undefined, (_, token) => {
    tokens.push(token);
    if (failures-- > 0) unavailable();
  });
  const { writer, give } = writerOver(store);
  give(10);
  await writer.flush();
  expect(seqs).toEqual(range(1, 10));
  expect(new Set(tokens.slice(0, 4)).size).toBe(1);
});

it('drops the newest when full, marks them as one gap, and goes on when there is room', async () => {
  let down = true;
  const { store, seqs, gaps } = memoryStore(() => {
    if (down) unavailable();
  });
  const { writer, give, ledger } = writerOver(store, { maxHeldRows: 80, maxBatchRows: 10 });
  give(100);
  give(50);
  expect(writer.stats()).toMatchObject({ held: 80, dropped: 70, stored: 0 });
  expectBalance(writer, ledger);
  expect(writer.storedUpTo()).toBe(0);
  down = false;
  await writer.flush();
  expect(writer.storedUpTo()).toBe(150);
  give(5);
  await writer.flush();
  expect(seqs).toEqual([...range(1, 80), ...range(151, 155)]);
  expect(gaps).toEqual([{ at: 1000, fromSeq: 81, toSeq: 150, reason: 'buffer_full' }]);
  expect(ledger.snapshot().byReason).toEqual([{ stage: 'store', reason: 'buffer_full', count: 70 }]);
});

it('isolates a row that the store refuses, marks it, and stores all others', async () => {
  const { store, seqs, gaps } = memoryStore((batch) => {
    if (batch.some((seq) => seq === 13 || seq === 14 || seq === 77)) throw new StoreError('refused', 'bad row', false);
  });
  const { writer, give, ledger } = writerOver(store);
  give(100);
  await writer.flush();
  expect([...seqs].sort((a, b) => a - b)).toEqual(range(1, 100).filter((seq) => ![13, 14, 77].includes(seq)));
  expect(inGaps(gaps).filter((seq) => seqs.includes(seq))).toEqual([]);
  expect(inGaps(gaps)).toEqual([13, 14, 77]);
  expect(writer.storedUpTo()).toBe(100);
  expect(ledger.snapshot().byReason).toEqual([{ stage: 'store', reason: 'store_refused', count: 3 }]);
  expectBalance(writer, ledger);
});

it('gives a batch up instead of trying its rows one by one for ever', async () => {
  let attempts = 0;
  const { store, seqs } = memoryStore((batch) => {
    if (batch.length === 0) return;
    attempts++;
    throw new StoreError('refused', 'bad', false);
  });
  const { writer, give, ledger } = writerOver(store);
  give(5000);
  await writer.flush();
  expect(seqs).toEqual([]);
  expect(attempts).toBeLessThan(200);
  expect(writer.stats()).toMatchObject({ dropped: 5000, held: 0 });
  expectBalance(writer, ledger);
});

it('counts rows as failed when the store is not usable, and marks them', async () => {
  const { store, gaps } = memoryStore((batch) => {
    if (batch.length > 0) throw new StoreError('unreadable', 'no such table', false);
  });
  const { writer, give, ledger } = writerOver(store);
  give(20);
  await writer.flush();
  expect(gaps).toEqual([{ at: 1000, fromSeq: 1, toSeq: 20, reason: 'store_failed' }]);
  expect(ledger.snapshot().byReason).toEqual([{ stage: 'store', reason: 'store_failed', count: 20 }]);
});

it('bounds the other rows by kind, and marks a stretch whose ticks were dropped', async () => {
  let down = true;
  const { store, ticks, gaps } = memoryStore(() => {
    if (down) unavailable();
  });
  const { writer, give } = writerOver(store, { maxHeldRecords: 3 });
  give(4);
  for (let tick = 1; tick <= 10; tick++) writer.tick({ tick, at: tick, lastSeq: 4 });
  expect(writer.stats().records.ticks).toEqual({ received: 10, stored: 0, dropped: 7, held: 3 });
  down = false;
  await writer.flush();
  expect(ticks.map((row) => row.tick)).toEqual([1, 2, 3]);
  expect(gaps).toEqual([{ at: 1000, fromSeq: 4, toSeq: 4, reason: 'buffer_full:ticks' }]);
});

it('closes within its deadline over a dead store and counts what it had to leave', async () => {
  const { store } = memoryStore(unavailable);
  const { writer, give, ledger } = writerOver(store, { maxRetryDelayMs: 60_000, retryDelayMs: 60_000 });
  give(30);
  await writer.close(20);
  give(5);
  expect(writer.stats()).toMatchObject({ received: 35, dropped: 35, stored: 0, held: 0 });
  expect(ledger.snapshot().byReason).toEqual([{ stage: 'store', reason: 'shutting_down', count: 35 }]);
  expect(writer.storedUpTo()).toBe(0);
});

it('never blocks the caller while the store is slow', async () => {
  const release = Promise.withResolvers<void>();
  const { store, seqs } = memoryStore(() => release.promise);
  const { writer, give } = writerOver(store, { maxBatchRows: 10 });
  give(10);
  await sleep(10);
  give(500);
  expect(writer.stats()).toMatchObject({ held: 510, stored: 0 });
  release.resolve();
  await writer.flush();
  expect(seqs).toEqual(range(1, 510));
});

it('received = stored + dropped + held, and all up to storedUpTo is stored or marked, whatever the store does', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('give' as const), n: fc.integer({ min: 0, max: 60 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('tick' as const), n: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), n: fc.integer({ min: 0, max: 4 }) }) },
  );
  const fault = fc.constantFrom('ok', 'ok', 'before', 'after');
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.array(fault, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 0, max: 13 }),
      async (steps, faults, poison) => {
        let call = 0;
        const fate = (): string => faults[call++ % faults.length] as string;
        const { store, seqs, gaps, ticks, known } = memoryStore(
          (batch) => {
            if (call < 200 && fate() === 'before') unavailable();
            if (batch.some((seq) => seq % 7 === poison)) throw new StoreError('refused', 'poison', false);
          },
          () => {
            if (call < 200 && fate() === 'after') unavailable();
          },
        );
        const { writer, give, ledger, lastSeq } = writerOver(store, {
          maxHeldRows: 64,
          maxBatchRows: 16,
          flushIntervalMs: 1,
        });
        let tick = 0;
        const expectComplete = (upTo: number): void => {
          const covered = new Set([...seqs, ...inGaps(gaps)]);
          for (let seq = 1; seq <= upTo; seq++) expect(covered.has(seq)).toBe(true);
        };
        for (const { kind, n } of steps) {
          if (kind === 'give') give(n);
          else if (kind === 'tick') writer.tick({ tick: ++tick, at: tick, lastSeq: lastSeq() });
          else await sleep(n);
          expectBalance(writer, ledger);
          expect(writer.stats().held).toBeLessThanOrEqual(64);
          expectComplete(writer.storedUpTo());
        }
        await writer.flush();
        expectBalance(writer, ledger);
        expect(writer.stats().held).toBe(0);
        expect(writer.storedUpTo()).toBe(lastSeq());
        expectComplete(lastSeq());
        expect(new Set(seqs).size).toBe(seqs.length);
        expect(seqs).toHaveLength(writer.stats().stored);
        expect(inGaps(gaps).filter((seq) => seqs.includes(seq))).toEqual([]);
        expect(ticks.map((row) => row.tick)).toEqual(range(1, tick));
        for (const [index, row] of ticks.entries()) expect(known[index]).toBeGreaterThanOrEqual(row.lastSeq);
      },
    ),
    { numRuns: 40, seed: 20260727 },
  );
}, 60_000);

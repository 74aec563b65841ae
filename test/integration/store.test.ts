import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sampleVerdict } from '@picket/analyzer/publish/verdict-fixture.ts';
import { F, ObservationBatch, STRIDE } from '@picket/analyzer/observation.ts';
import { createClickHouseStore, type StoreEndpoint } from '@picket/analyzer/store/clickhouse-store.ts';
import { startEngine } from '@picket/analyzer/store/embedded/supervisor.ts';
import { type EmbeddedStore, openEmbeddedStore } from '@picket/analyzer/store/embedded-store.ts';
import type { MigrationTarget } from '@picket/analyzer/store/migrations.ts';
import type { DecisionRow, Store, TickRow } from '@picket/analyzer/store/store.ts';
import { createStoreWriter } from '@picket/analyzer/store/writer.ts';
import type { Finding, Verdict } from '@picket/analyzer/verdict.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rowsOf, sampleObservations } from '../support/observations.ts';
import { waitFor } from '../support/processes.ts';

const quiet = { info() {}, warn() {}, error() {} };
const folder = mkdtempSync(join(tmpdir(), 'picket-store-'));
const dayMs = 86_400_000;
const now = Date.now();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function readAll(store: Store, after: number, upTo: number): Promise<{ words: Uint32Array; ids: string[] }> {
  const pages: Uint32Array[] = [];
  const ids: string[] = [];
  for await (const page of store.readObservations(after, upTo, new ObservationBatch())) {
    pages.push(page.u32.slice(0, page.length * STRIDE));
    ids.push(...page.requestIds.slice(0, page.length));
  }
  const words = new Uint32Array(pages.reduce((sum, page) => sum + page.length, 0));
  let at = 0;
  for (const page of pages) {
    words.set(page, at);
    at += page.length;
  }
  return { words, ids };
}

const readSeqs = async (store: Store, after: number, upTo: number): Promise<number[]> => {
  const { words } = await readAll(store, after, upTo);
  const f64 = new Float64Array(words.buffer);
  return Array.from({ length: words.length / STRIDE }, (_, i) => f64[i * 32] as number);
};

const finding = (over: Partial<Finding> = {}): Finding => ({
  detector: 'bruteForce',
  family: 'identity',
  api: 'shop/shop',
  kind: 6,
  pseudonym: 'ffffffffffffffff',
  since: now - 60_000.25,
  until: now,
  pValue: 1.5e-300,
  observed: 40,
  expected: 0.1 + 0.2,
  unit: "failed logins in 10 min of 'one' \\ account",
  baseline: { n: 0, ageMs: Number.POSITIVE_INFINITY, prior: true },
  sampleSeqs: [1, 9007199254740991],
  tick: 7,
  partition: 63,
  seq: 9007199254740991,
  ...over,
});

const verdict = (over: Partial<Verdict> = {}): Verdict =>
  sampleVerdict({ firstSeen: now - 1000, lastSeen: now, expiresAt: now + 1000, requestIds: ['é', '"'], ...over });

describe('store contract over the embedded engine', () => {
  let store: EmbeddedStore;
  beforeAll(async () => {
    store = await openEmbeddedStore({ dataDir: join(folder, 'contract'), log: quiet });
  });
  afterAll(() => store.close());

  it('starts empty and answers', async () => {
    expect(await store.ping()).toBe(true);
    expect(await store.extent()).toEqual({ firstSeq: 0, lastSeq: 0, observations: 0 });
    expect(await readSeqs(store, 0, 1000)).toEqual([]);
  });

  it('gives back every word of every observation, in order, across pages and holes', async () => {
    const first = sampleObservations({ count: 500, seed: 1, at: now });
    const second = sampleObservations({ count: 12_000, seed: 2, firstSeq: 400_001, at: now });
    await store.insertObservations(rowsOf(second).reverse().slice(0, 6000), 'second-a');
    await store.insertObservations(rowsOf(second).reverse().slice(6000), 'second-b');
    await store.insertObservations(rowsOf(first), 'first');
    const { words, ids } = await readAll(store, 0, Number.MAX_SAFE_INTEGER);
    const expected = new Uint32Array(12_500 * STRIDE);
    expected.set(first.u32.subarray(0, 500 * STRIDE));
    expected.set(second.u32.subarray(0, 12_000 * STRIDE), 500 * STRIDE);
    expect(Buffer.from(words.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
    expect(ids).toEqual([...first.requestIds, ...second.requestIds]);
    expect(await readSeqs(store, 499, 400_002)).toEqual([500, 400_001, 400_002]);
    expect(await store.extent()).toEqual({ firstSeq: 1, lastSeq: 412_000, observations: 12_500 });
  });

  it('takes a repeated insert once and a new token again', async () => {
    const rows = rowsOf(sampleObservations({ count: 10, seed: 3, firstSeq: 500_001, at: now }));
    await store.insertObservations(rows, 'repeat');
    await store.insertObservations(rows, 'repeat');
    expect(await readSeqs(store, 500_000, 500_100)).toHaveLength(10);
    await store.insertTicks([{ tick: 1, at: now, lastSeq: 10 }], 'repeat');
    await store.insertTicks([{ tick: 1, at: now, lastSeq: 10 }], 'repeat');
    const ticks: TickRow[] = [];
    for await (const page of store.readTicks(0)) ticks.push(...page);
    expect(ticks).toEqual([{ tick: 1, at: now, lastSeq: 10 }]);
  });

  it('keeps the aggregates in step, repeats included', async () => {
    const [total] = await store.query<{ n: string; stored: string; errors: string; users: string }>(
      `SELECT sum(requests) AS n, sum(client_errors + server_errors) AS errors, uniqCombinedMerge(14)(users) AS users,
         (SELECT count() FROM picket.observations) AS stored FROM picket.operation_1m`,
    );
    expect(total?.n).toBe(total?.stored);
    expect(Number(total?.errors)).toBeGreaterThan(0);
    expect(Number(total?.users)).toBeGreaterThan(1000);
    const [usage] = await store.query<{ n: string }>('SELECT sum(requests) AS n FROM picket.usage_1h');
    expect(usage?.n).toBe(total?.stored);
    const rows = await store.query<{ kind: number; n: string; stored: string }>(
      `SELECT kind, sum(requests) AS n, (SELECT countIf(address != 0) FROM picket.observations) AS stored
       FROM picket.observation_by_principal WHERE kind = 6 GROUP BY kind`,
    );
    expect(rows[0]?.n).toBe(rows[0]?.stored);
  });

  it('gives back what replay needs besides observations, from a position on', async () => {
    const body = JSON.stringify({ text: 'é\n\t\\"\u2028' });
    await store.insertInputs(
      [
        { seq: 0, at: now, kind: 'build', key: '', body: '{}' },
        { seq: 20, at: now + 1, kind: 'policy', key: 'shop/shop', body },
      ],
      'i',
    );
    expect(await store.readInputs(0)).toHaveLength(2);
    expect(await store.readInputs(20)).toEqual([{ seq: 20, at: now + 1, kind: 'policy', key: 'shop/shop', body }]);
    expect(await store.readInputs(21)).toEqual([]);
    await store.insertGaps([{ at: now, fromSeq: 5, toSeq: 9, reason: 'buffer_full' }], 'g');
    expect(await store.readGaps(8)).toEqual([{ at: now, fromSeq: 5, toSeq: 9, reason: 'buffer_full' }]);
    expect(await store.readGaps(9)).toEqual([]);
  });

  it('reads ticks in pages', async () => {
    const rows = Array.from({ length: 20_001 }, (_, i) => ({ tick: i + 100, at: now + i, lastSeq: 1_000_000 + i }));
    await store.insertTicks(rows.slice(0, 10_000), 'many-1');
    await store.insertTicks(rows.slice(10_000), 'many-2');
    const read: TickRow[] = [];
    for await (const page of store.readTicks(1_000_001)) read.push(...page);
    expect(read).toEqual(rows.slice(1));
  });

  it('gives back findings and verdicts exactly, the newest of those that match', async () => {
    const older = finding({
      pseudonym: '00000000000000ab',
      until: now - 5000,
      baseline: { n: 3, ageMs: 1, prior: false },
    });
    await store.insertFindings([finding(), older], 'f');
    expect(await store.readFindings({})).toEqual([older, finding()]);
    expect(await store.readFindings({ pseudonym: 'AB' })).toEqual([older]);
    expect(await store.readFindings({ since: now - 10 })).toEqual([finding()]);
    expect(await store.readFindings({ limit: 1 })).toEqual([finding()]);
    expect(await store.readFindings({ api: "x' OR '1'='1" })).toEqual([]);
    const another = verdict({ name: 'other', api: 'shop/other', lastSeen: now + 1, findings: [older] });
    await store.insertVerdicts([verdict(), another], 'v');
    expect(await store.readVerdicts({})).toEqual([verdict(), another]);
    expect(await store.readVerdicts({ verdict: 'other' })).toEqual([another]);
    expect(await store.readVerdicts({ api: 'shop/shop', until: now })).toEqual([verdict()]);
  });

  it('keeps decisions and losses for reports, with values as parameters', async () => {
    const decision: DecisionRow = {
      id: 'd1',
      at: now,
      api: 'shop/shop',
      kind: 6,
      pseudonym: '00000000000000ab',
      action: 2,
      mode: 1,
      verdict: 'v',
      policy: 'p',
      policyRevision: 'r',
      decidedAt: now,
      expiresAt: now + 60_000,
      evidenceCompleteAt: now - 1,
      event: 'decided',
      reason: "it's\ta \\ reason\n",
    };
    await store.insertDecisions([decision], 'd');
    await store.insertLoss([{ minute: now, stage: 'store', reason: 'buffer_full', count: 3 }], 'l');
    const rows = await store.query<{ id: string }>('SELECT id FROM picket.decisions WHERE reason = {reason:String}', {
      reason: decision.reason,
    });
    expect(rows).toEqual([{ id: 'd1' }]);
    const [loss] = await store.query<{ n: string }>('SELECT sum(count) AS n FROM picket.loss');
    expect(loss).toEqual({ n: '3' });
  });

  it('runs its migrations again without effect', async () => {
    await store.migrate();
    const versions = await store.query<{ version: number }>('SELECT version FROM picket.schema_version');
    expect(versions).toEqual([{ version: 1 }]);
  });

  it('tells a refused row from an unknown table and from a query that takes too long', async () => {
    const rows = rowsOf(sampleObservations({ count: 1, seed: 4, firstSeq: 600_001, at: now }));
    const { batch } = rows[0] as (typeof rows)[0];
    batch.f64[F.eventAt >> 1] = -1;
    await expect(store.insertObservations(rows, 'bad')).rejects.toMatchObject({ code: 'refused', retriable: false });
    await expect(store.insertFindings([finding({ pseudonym: 'nope' })], 'x')).rejects.toMatchObject({
      code: 'refused',
    });
    await expect(store.query('SELECT * FROM picket.nothing')).rejects.toMatchObject({ code: 'unreadable' });
    await expect(store.query('SELECT sleep(3) SETTINGS max_execution_time = 1')).rejects.toMatchObject({
      code: 'timeout',
      retriable: true,
    });
    // After errors the connection answers as before.
    expect(await store.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('stores through the writer all but the rows that are refused, over more days than one insert may touch', async () => {
    const ledger = createLedger();
    const writer = createStoreWriter({
      store,
      ledger,
      clock: systemClock,
      log: quiet,
      runId: 'days',
      storedUpTo: 700_000,
    });
    const batch = sampleObservations({ count: 400, seed: 5, firstSeq: 700_001 });
    for (let i = 0; i < 400; i++) batch.f64[(i * STRIDE + F.eventAt) >> 1] = now - i * dayMs;
    batch.f64[(123 * STRIDE + F.eventAt) >> 1] = Number.POSITIVE_INFINITY;
    writer.observations(batch, 0, 400, () => ({ api: 'shop/history', method: 'GET', template: '/' }));
    await writer.flush();
    expect(writer.stats()).toMatchObject({ stored: 399, dropped: 1, held: 0 });
    const seqs = await readSeqs(store, 700_000, 700_400);
    expect(seqs).toHaveLength(399);
    expect(seqs).not.toContain(700_124);
    expect(await store.readGaps(700_000)).toMatchObject([
      { fromSeq: 700_124, toSeq: 700_124, reason: 'store_refused' },
    ]);
    expect(writer.storedUpTo()).toBe(700_400);
  });

  it('inserts while a long query runs', async () => {
    let done = false;
    const long = store
      .query('SELECT count() AS n FROM numbers(200000000000) SETTINGS max_execution_time = 5')
      .catch((error: unknown) => error)
      .finally(() => {
        done = true;
      });
    for (let i = 0; i < 5; i++) {
      const rows = rowsOf(sampleObservations({ count: 100, seed: i, firstSeq: 800_001 + i * 100, at: now }));
      await store.insertObservations(rows, `long-${i}`);
    }
    expect(done).toBe(false);
    expect(await readSeqs(store, 800_000, 800_500)).toHaveLength(500);
    expect(await long).toMatchObject({ code: 'timeout', retriable: true });
  }, 60_000);
});

describe('the engine process', () => {
  it('serves compressed requests, and nobody without its password', async () => {
    let endpoint: StoreEndpoint | undefined;
    const engine = await startEngine({
      dataDir: join(folder, 'wire'),
      log: quiet,
      prepare: async (ready) => {
        endpoint = ready;
      },
    });
    const { url, username, password } = endpoint as StoreEndpoint;
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:/);
    const store = createClickHouseStore({ engine: 'embedded', endpoint: engine.endpoint, compress: true });
    await store.migrate();
    const batch = sampleObservations({ count: 2000, seed: 6, at: now });
    await store.insertObservations(rowsOf(batch), 'a');
    expect((await readAll(store, 0, 2000)).ids).toEqual(batch.requestIds);
    for (const answer of [
      await fetch(url, { method: 'POST', body: 'SELECT 1' }),
      await fetch(url, {
        method: 'POST',
        body: 'SELECT 1',
        headers: { authorization: `Basic ${btoa(`${username}:guess`)}` },
      }),
    ]) {
      expect(answer.status).toBe(403);
      expect(answer.headers.get('x-clickhouse-exception-code')).toBe('516');
      await answer.text();
    }
    const headers = { authorization: `Basic ${btoa(`${username}:${password}`)}` };
    const large = await fetch(url, { method: 'POST', headers, body: "SELECT repeat('x', 1000000) FROM numbers(100)" });
    expect([large.status, large.headers.get('x-clickhouse-exception-code')]).toEqual([500, '396']);
    await large.text();
    const unknown = await fetch(`${url}/replicas_status`, { headers });
    expect(unknown.status).toBe(501);
    await unknown.text();
    await store.close();
    await engine.stop();
    expect(engine.endpoint()).toBeUndefined();
  });

  it('killed while inserting, comes back with every acknowledged row and with aggregates that agree', async () => {
    const dataDir = join(folder, 'killed');
    const store = await openEmbeddedStore({ dataDir, log: quiet });
    const ledger = createLedger();
    const writer = createStoreWriter({
      store,
      ledger,
      clock: systemClock,
      log: quiet,
      runId: 'kill',
      storedUpTo: 0,
      maxBatchRows: 1000,
      retryDelayMs: 20,
    });
    let seq = 0;
    const give = (count: number): void => {
      const batch = sampleObservations({ count, seed: seq, firstSeq: seq + 1, at: now });
      seq += count;
      writer.observations(batch, 0, count, () => ({ api: 'shop/shop', method: 'GET', template: '/' }));
    };
    for (let round = 0; round < 3; round++) {
      const before = writer.storedUpTo();
      for (let i = 0; i < 8; i++) give(1000);
      await waitFor('inserts under way', () => (writer.storedUpTo() > before ? true : undefined), { everyMs: 2 });
      process.kill(store.engine().pid as number, 'SIGKILL');
      await waitFor('engine started again', () => (store.engine().restarts > round ? true : undefined));
    }
    await writer.flush();
    expect(writer.stats()).toMatchObject({ stored: seq, dropped: 0, held: 0 });
    expect(await readSeqs(store, 0, seq)).toEqual(Array.from({ length: seq }, (_, i) => i + 1));
    await store.close();

    // A last unclean end, so that what the views missed in retries after the kills is looked for once more.
    const again = await openEmbeddedStore({ dataDir, log: quiet });
    const restarts = again.engine().restarts;
    process.kill(again.engine().pid as number, 'SIGKILL');
    await waitFor('engine started again', () =>
      again.engine().restarts > restarts && again.engine().pid ? true : undefined,
    );
    const totals = await waitFor('engine answers', () =>
      again
        .query<{ base: string; minutes: string; usage: string; principals: string; expected: string }>(
          `SELECT (SELECT count() FROM picket.observations) AS base,
             (SELECT sum(requests) FROM picket.operation_1m) AS minutes,
             (SELECT sum(requests) FROM picket.usage_1h) AS usage,
             (SELECT sum(requests) FROM picket.observation_by_principal WHERE kind = 6) AS principals,
             (SELECT countIf(address != 0) FROM picket.observations) AS expected`,
        )
        .catch(() => undefined),
    );
    expect(totals[0]).toMatchObject({ base: String(seq), minutes: String(seq), usage: String(seq) });
    expect(totals[0]?.principals).toBe(totals[0]?.expected);
    await again.close();
  }, 120_000);

  it('after an unclean end rebuilds a day of aggregates that lacks rows, and adds nothing to the others', async () => {
    const dataDir = join(folder, 'rebuilt');
    const store = await openEmbeddedStore({ dataDir, log: quiet });
    await store.insertObservations(rowsOf(sampleObservations({ count: 1000, seed: 7, at: now })), 'a');
    await store.insertObservations(
      rowsOf(sampleObservations({ count: 500, seed: 8, firstSeq: 1001, at: now - 2 * dayMs })),
      'b',
    );
    const sums = () =>
      store.query<{ n: string }>(
        'SELECT sum(requests) AS n FROM picket.operation_1m GROUP BY toDate(minute) ORDER BY toDate(minute)',
      );
    const before = await sums();
    // What an insert that was cut short between table and view leaves behind: rows without their aggregate.
    await (store as EmbeddedStore & MigrationTarget).command(
      `ALTER TABLE picket.operation_1m DELETE WHERE operation % 2 = 0 AND toDate(minute) = toDate(fromUnixTimestamp64Milli(${now}), 'UTC')`,
      { mutations_sync: 1 },
    );
    expect(await sums()).not.toEqual(before);
    process.kill(store.engine().pid as number, 'SIGKILL');
    await waitFor('engine started again', () => (store.engine().restarts === 1 ? true : undefined));
    const after = await waitFor('engine answers', () => sums().catch(() => undefined));
    expect(after).toEqual(before);
    expect(after.map((row) => row.n)).toEqual(['500', '1000']);
    await store.close();
  }, 60_000);

  it('names the process that holds the folder', async () => {
    const dataDir = join(folder, 'held');
    const store = await openEmbeddedStore({ dataDir, log: quiet });
    await expect(openEmbeddedStore({ dataDir, log: quiet })).rejects.toMatchObject({
      code: 'unreadable',
      message: `${dataDir} is in use by process ${store.engine().pid}`,
    });
    expect(await store.ping()).toBe(true);
    await store.close();
    const next = await openEmbeddedStore({ dataDir, log: quiet });
    await next.close();
  });

  it('ends when its parent is killed, and leaves the folder free', async () => {
    const dataDir = join(folder, 'orphan');
    const parent = fork(new URL('../support/store-holder.ts', import.meta.url), [dataDir], { execArgv: [] });
    const [pid] = (await once(parent, 'message')) as [number];
    parent.kill('SIGKILL');
    await waitFor('engine gone', () => {
      try {
        process.kill(pid, 0);
        return undefined;
      } catch {
        return true;
      }
    });
    const store = await openEmbeddedStore({ dataDir, log: quiet });
    await store.close();
  });

  it('on a full disk refuses as retriable, loses nothing it acknowledged, and goes on when there is room', async (context) => {
    const mount = mkdtempSync(join(tmpdir(), 'picket-small-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mount], { stdio: 'ignore' });
    } catch {
      rmSync(mount, { recursive: true, force: true });
      context.skip('needs the right to mount a small tmpfs');
    }
    try {
      const store = await openEmbeddedStore({ dataDir: join(mount, 'data'), log: quiet });
      let stored = 0;
      const fill = async (): Promise<void> => {
        for (; stored < 40; stored++) {
          const batch = sampleObservations({ count: 10_000, seed: stored, firstSeq: stored * 10_000 + 1, at: now });
          await store.insertObservations(rowsOf(batch), `fill-${stored}`);
        }
      };
      await expect(fill()).rejects.toMatchObject({ code: 'full', retriable: true });
      expect(stored).toBeGreaterThan(0);
      execFileSync('mount', ['-o', 'remount,size=512m', mount], { stdio: 'ignore' });
      await fill();
      expect((await store.extent()).observations).toBe(400_000);
      await store.close();
    } finally {
      execFileSync('umount', ['-l', mount], { stdio: 'ignore' });
      rmSync(mount, { recursive: true, force: true });
    }
  }, 120_000);
});

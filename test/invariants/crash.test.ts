/**
 * Invariants 2 and 3 on a really running Picket: killed in the middle of traffic it loses nothing it acknowledged, counts
 * every entry, and says the same as a run that was never interrupted.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEmbeddedStore } from '@picket/analyzer/store/embedded-store.ts';
import type { StoreEndpoint } from '@picket/analyzer/store/clickhouse-store.ts';
import type { LedgerSnapshot } from '@picket/runtime/ledger.ts';
import { replay, type ReplayReport } from '@picket/standalone/replay/replay.ts';
import { type AlsClient, entry, type EntryInit, openAlsStream } from '../support/als-client.ts';
import { random32 } from '../support/observations.ts';
import { type Picket, removePicket, runPicket, startPicket } from '../support/picket.ts';
import { commandStore, queryStore } from '../support/store-query.ts';
import { repositoryRoot } from '../support/tools.ts';
import { waitFor } from '../support/processes.ts';

const manifests = join(repositoryRoot, 'examples/shop/manifests');
const quiet = { info() {}, warn() {}, error() {} };

/** People who browse and log in, one source that stuffs, one that scans. */
function batchOf(next: () => number, at: number): EntryInit[] {
  return Array.from({ length: 24 }, (_, i) => {
    const kind = next() % 12;
    const person = next() % 150;
    const address = `203.0.113.${person}`;
    if (kind < 2)
      return entry({
        at,
        address: '192.0.2.9',
        path: '',
        login: { account: `leaked-${next() % 5000}`, ok: false },
        userAgent: 'curl/8',
      });
    if (kind === 2) return entry({ at, address: '192.0.2.10', path: `/v1/.git/${next() % 900}`, status: 404 });
    if (kind === 3) return entry({ at, address, path: '', login: { account: `person-${person}`, ok: next() % 9 > 0 } });
    return entry({ at: at + i / 100, address, path: `/v1/products/${next() % 300}` });
  });
}

describe('a killed Picket', () => {
  let picket: Picket | undefined;
  const next = random32(2026);

  beforeAll(async () => {
    picket = await startPicket({ manifests });
  });
  afterAll(async () => {
    await picket?.stop();
    removePicket(picket);
  });
  const running = (): Picket => picket as Picket;

  async function drive(forMs: number, whileRunning?: () => Promise<void>): Promise<void> {
    const stream: AlsClient = openAlsStream(running().ports.als);
    for (const until = Date.now() + forMs; Date.now() < until; await sleep(25)) {
      if (!(await stream.send(batchOf(next, Date.now())))) break;
      await whileRunning?.();
    }
    await stream.close();
  }
  const ledger = async (): Promise<LedgerSnapshot> =>
    ((await running().read<{ ledger: LedgerSnapshot }>('/api/v1/status')) as { ledger: LedgerSnapshot }).ledger;
  const adds = ({ received, stored, dropped, held }: LedgerSnapshot): boolean => received === stored + dropped + held;
  const restart = async (): Promise<void> => {
    const { folder, ports } = running();
    picket = await startPicket({ manifests, folder, ports });
  };

  it('counts every entry while traffic flows, and stores all of it at a stop', async () => {
    let polled = 0;
    await drive(4000, async () => {
      const snapshot = await ledger();
      expect(adds(snapshot), JSON.stringify(snapshot)).toBe(true);
      polled++;
    });
    expect(polled).toBeGreaterThan(20);
    const settled = await waitFor('everything stored', async () => {
      const snapshot = await ledger();
      return snapshot.held === 0 ? snapshot : undefined;
    });
    expect(settled.stored + settled.dropped).toBe(settled.received);
    expect(settled.dropped).toBe(0);
  });

  it('is replayed beside its running engine, whose password nobody else may read', async () => {
    const { folder } = running();
    const file = join(folder, 'data/store-endpoint.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { code, out, err } = await runPicket(['replay', '--data', join(folder, 'data'), '-o', 'json']);
    expect(err).toBe('');
    const report = JSON.parse(out) as ReplayReport;
    expect(report.different).toEqual([]);
    expect(report.verdicts).toBeGreaterThan(0);
    expect(code).toBe(0);
  });

  it('keeps what was acknowledged when it is killed, and catches up at the restart', async () => {
    // A stop leaves a checkpoint: what follows has one and a tail of rows.
    await running().stop();
    await restart();
    const stream = openAlsStream(running().ports.als);
    let acknowledged = 0;
    // At least until a row is acknowledged: a slow machine takes longer for that.
    for (const until = Date.now() + 4000; Date.now() < until || acknowledged === 0; await sleep(25)) {
      await stream.send(batchOf(next, Date.now()));
      acknowledged = (await ledger()).stored;
    }
    running().process.signal('SIGKILL');
    await running().process.ended;
    await stream.close();
    await restart();
    const [{ n } = { n: 0 }] = await queryStore<{ n: string }>(
      running(),
      'SELECT count() AS n FROM picket.observations',
    );
    expect(Number(n)).toBeGreaterThanOrEqual(acknowledged);
    const { restored } = await running().status();
    expect(restored?.fromCheckpoint).toBe(true);
    expect(restored?.observations).toBeGreaterThan(0);
    await drive(3000);
  });

  it('rebuilds from rows when no checkpoint can be read, and says which it set aside', async () => {
    await running().stop();
    const folder = join(running().folder, 'data/checkpoints');
    const files = readdirSync(folder).filter((name) => name.endsWith('.bin'));
    expect(files.length).toBeGreaterThan(0);
    expect(readdirSync(join(running().folder, 'data'))).not.toContain('store-endpoint.json');
    for (const file of files) writeFileSync(join(folder, file), readFileSync(join(folder, file)).subarray(0, 4000));
    await restart();
    expect(readdirSync(folder).filter((name) => name.endsWith('.unreadable'))).toHaveLength(files.length);
    expect(running().process.output()).toContain('checkpoint set aside');
    expect((await running().status()).restored).toMatchObject({ fromCheckpoint: false });
    await drive(3000);
  });

  it('said all along what an uninterrupted run over the same rows says', async () => {
    await running().stop();
    const store = await openEmbeddedStore({ dataDir: join(running().folder, 'data/store'), log: quiet });
    try {
      const report = await replay(store, { data: join(running().folder, 'data'), workers: 0 });
      expect(report.different).toEqual([]);
      expect(report.verdicts).toBeGreaterThan(5);
      const { observations, lastSeq } = await store.extent();
      expect(report.observations).toBe(observations);
      // No row twice, none missing.
      expect(lastSeq).toBe(observations);
      const verdicts = await store.readVerdicts({ limit: 10_000 });
      expect(new Set(verdicts.map((v) => `${v.name} ${v.tick}`)).size).toBe(verdicts.length);
    } finally {
      await store.close();
    }
  });

  it('marks rows that a checkpoint knows and the store lost, and a replay names them', async () => {
    let endpoint: StoreEndpoint | undefined;
    const store = await openEmbeddedStore({
      dataDir: join(running().folder, 'data/store'),
      log: quiet,
      onServing: (serving) => {
        endpoint = serving;
      },
    });
    const { lastSeq } = await store.extent();
    await commandStore(endpoint as StoreEndpoint, `DELETE FROM picket.observations WHERE seq > ${lastSeq - 50}`);
    await store.close();
    await restart();
    expect(running().process.output()).toContain('rows are in the checkpoint but not in the store');
    await drive(1500);
    const { code, err } = await runPicket(['replay', '--data', join(running().folder, 'data')]);
    expect(err).toContain(`NotReproducible: rows ${lastSeq - 49} to ${lastSeq} were processed but not stored`);
    expect(code).toBe(10);
  });
});

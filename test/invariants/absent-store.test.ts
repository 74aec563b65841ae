/**
 * A store that is down when Picket starts holds up nothing: Picket judges from its checkpoint, keeps rows for the store,
 * and says that what the store held is left out. What cannot be replayed is named, never guessed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClickHouseStore } from '@picket/analyzer/store/clickhouse-store.ts';
import { type EngineSupervisor, startEngine } from '@picket/analyzer/store/embedded/supervisor.ts';
import type { Store } from '@picket/analyzer/store/store.ts';
import { createCheckpoints } from '@picket/analyzer/replay/checkpoint.ts';
import { entry, openAlsStream } from '../support/als-client.ts';
import { type Picket, removePicket, runPicket, startPicket } from '../support/picket.ts';
import { freePorts } from '../support/ports.ts';
import { waitFor } from '../support/processes.ts';
import { repositoryRoot } from '../support/tools.ts';

const manifests = join(repositoryRoot, 'examples/shop/manifests');
const quiet = { info() {}, warn() {}, error() {} };

interface Status {
  ready: boolean;
  restored: { fromCheckpoint: boolean; unread: boolean; observations: number };
  ledger: { received: number; stored: number; dropped: number; held: number };
  store: { failingSinceMs: number; held: number };
  tick: { lastSeq: number };
}

/** A port behind which the store is there or not, at will: refused, silent, or passed on. */
interface Door {
  readonly port: number;
  open(): Promise<void>;
  /** Takes connections and says nothing. */
  hang(): Promise<void>;
  shut(): Promise<void>;
}

function createDoor(port: number, behind: () => number): Door {
  let server: Server | undefined;
  const sockets = new Set<Socket>();
  const shut = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    for (const socket of sockets) socket.destroy();
    if (closing) await new Promise((resolve) => closing.close(resolve));
  };
  const listen = async (serve: (socket: Socket) => void): Promise<void> => {
    await shut();
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
      serve(socket);
    });
    await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
  };
  return {
    port,
    shut,
    hang: () => listen((socket) => socket.resume()),
    open: () =>
      listen((socket) => {
        const inner = connect(behind(), '127.0.0.1');
        inner.on('error', () => socket.destroy());
        socket.on('close', () => inner.destroy());
        inner.on('close', () => socket.destroy());
        socket.pipe(inner).pipe(socket);
      }),
  };
}

describe('a store that is down at the start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-absent-'));
  let engine: EngineSupervisor;
  let store: Store;
  let door: Door;
  let picket: Picket;
  let sent = 0;

  const start = async (): Promise<void> => {
    const { username = '', password = '' } = engine.endpoint() ?? {};
    picket = await startPicket({
      manifests,
      folder,
      ...((picket as Picket | undefined) ? { ports: picket.ports } : {}),
      args: ['--store-url', `http://127.0.0.1:${door.port}`],
      env: { PICKET_STORE_USER: username, PICKET_STORE_PASSWORD: password },
    });
  };
  const status = async (): Promise<Status> => (await picket.read<Status>('/api/v1/status')) as Status;
  const adds = ({ ledger: { received, stored, dropped, held } }: Status): boolean =>
    received === stored + dropped + held;

  /** Ordinary requests, and one source that guesses passwords. */
  async function drive(entries: number): Promise<void> {
    const stream = openAlsStream(picket.ports.als);
    for (let i = 0; i < entries; i += 20, await sleep(20))
      await stream.send(
        Array.from({ length: 20 }, (_, j) =>
          j % 4 === 0
            ? entry({ at: Date.now(), address: '192.0.2.9', path: '', login: { account: `a-${sent++}`, ok: false } })
            : entry({ at: Date.now(), address: `203.0.113.${sent++ % 90}`, path: `/v1/products/${sent % 40}` }),
        ),
      );
    await stream.close();
  }
  const allStored = (): Promise<Status> =>
    waitFor('everything stored', async () => {
      const now = await status();
      return now.ledger.held === 0 && now.ledger.stored > 0 ? now : undefined;
    });
  const replay = (...args: string[]) =>
    runPicket(['replay', '--data', join(folder, 'data'), '--store-url', `http://127.0.0.1:${door.port}`, ...args], {
      env: { PICKET_STORE_USER: 'picket', PICKET_STORE_PASSWORD: engine.endpoint()?.password ?? '' },
    });

  beforeAll(async () => {
    engine = await startEngine({ dataDir: join(folder, 'server'), log: quiet, prepare: async () => {} });
    store = createClickHouseStore({ engine: 'single', endpoint: engine.endpoint });
    const [port = 0] = await freePorts(1);
    door = createDoor(port, () => Number(new URL(engine.endpoint()?.url ?? '').port));
  });
  afterAll(async () => {
    await picket?.stop();
    await door?.shut();
    await store?.close();
    await engine?.stop();
    removePicket(picket);
    rmSync(folder, { recursive: true, force: true });
  });

  it('does not keep Picket from starting, judging and saying so', async () => {
    await start();
    expect((await status()).restored).toMatchObject({ fromCheckpoint: false, unread: true });
    await drive(600);
    const waiting = await waitFor('requests that wait', async () => {
      const now = await status();
      return now.ledger.received === 600 && now.store.held === 600 ? now : undefined;
    });
    expect(waiting.store.failingSinceMs).toBeGreaterThan(0);
    expect(adds(waiting)).toBe(true);
    expect(await (await fetch(`${picket.adminUrl}/`)).text()).toMatch(/store +takes nothing since/);
    expect((await fetch(`${picket.adminUrl}/readyz`)).status).toBe(200);
    expect((await fetch(`${picket.adminUrl}/healthz`)).status).toBe(200);
    expect(await picket.verdicts()).not.toEqual([]);
  });

  it('gets everything when it comes', async () => {
    await door.open();
    const done = await allStored();
    expect(done.ledger).toMatchObject({ received: 600, stored: 600, dropped: 0 });
    expect(done.store.failingSinceMs).toBe(0);
    expect((await store.extent()).observations).toBe(600);
    expect(await store.readGaps(0)).toMatchObject([{ fromSeq: 1, reason: 'unread_at_start' }]);
    const { code, err, out } = await replay();
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('came out the same');
  });

  it('was killed with Picket: rows after the checkpoint are left out, named, and in nobody\u2019s way', async () => {
    await picket.stop();
    await start();
    expect((await status()).restored).toMatchObject({ fromCheckpoint: true, unread: false });
    await drive(400);
    await allStored();
    const before = await status();
    picket.process.signal('SIGKILL');
    await picket.process.ended;
    await door.hang();
    const checkpoints = createCheckpoints(join(folder, 'data/checkpoints'), '24');
    const newest = (await checkpoints.list()).at(-1);
    expect(newest?.lastSeq).toBeLessThan(before.tick.lastSeq);

    await start();
    expect((await status()).restored).toMatchObject({ fromCheckpoint: true, unread: true, observations: 0 });
    await drive(400);
    await door.open();
    const after = await allStored();
    expect(after.ledger).toMatchObject({ received: 400, stored: 400, dropped: 0 });
    expect((await store.extent()).observations).toBe(1400);
    // No number was given twice.
    const [{ n } = { n: '' }] = await store.query<{ n: string }>(
      'SELECT count() - uniqExact(seq) AS n FROM picket.observations',
    );
    expect(Number(n)).toBe(0);

    const refused = await replay();
    expect(refused.code).toBe(10);
    expect(refused.err).toContain('the store did not answer when Picket started');
    const ours = await waitFor('a checkpoint of this run', async () =>
      (await checkpoints.list()).find((c) => c.lastSeq > before.tick.lastSeq + 2 ** 29),
    );
    await picket.stop();
    const since = await replay('--from', ours.file);
    expect({ code: since.code, err: since.err }).toEqual({ code: 0, err: '' });
  });

  it('is read again by the next start, as if nothing had been', async () => {
    await start();
    expect((await status()).restored).toMatchObject({ fromCheckpoint: true, unread: false });
    await drive(200);
    const done = await allStored();
    expect(done.ledger).toMatchObject({ received: 200, stored: 200 });
    expect(await picket.verdicts()).not.toEqual([]);
  });

  it('is no excuse for a wrong password', async () => {
    await picket.stop();
    const { code, err } = await runPicket(
      [
        ...['up', '--manifests', manifests, '--data', join(folder, 'other')],
        ...['--store-url', `http://127.0.0.1:${door.port}`, '--admin-listen', '127.0.0.1:0'],
        ...['--als-listen', '127.0.0.1:0', '--xds-listen', '127.0.0.1:0'],
      ],
      { env: { PICKET_STORE_USER: 'picket', PICKET_STORE_PASSWORD: 'wrong' } },
    );
    expect({ code, err }).toEqual({ code: 5, err: expect.stringContaining('PICKET_STORE_PASSWORD') });
  });
});

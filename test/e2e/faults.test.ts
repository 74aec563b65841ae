/**
 * Faults of the machinery under a running Picket with its own Envoy: callers in good standing never notice, attackers are
 * still refused, and every request that Envoy finished is stored, counted as lost or still held.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerSnapshot } from '@picket/runtime/ledger.ts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { entry, openAlsStream } from '../support/als-client.ts';
import { longMode } from '../support/long-mode.ts';
import { type NatsServer, startNats } from '../support/nats.ts';
import { random32 } from '../support/observations.ts';
import { type Picket, removePicket, runPicket, startPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool, repositoryRoot } from '../support/tools.ts';
import { createStage, envoyAdmin, ordinaryTraffic, provoke, refused, type Stage, stuff } from './stage.ts';

const envoyMissing = findTool('envoy').missing;
const natsMissing = envoyMissing ?? findTool('nats-server').missing;

async function ledgerOf(picket: Picket): Promise<LedgerSnapshot> {
  const { ledger } = (await picket.read<{ ledger: LedgerSnapshot }>('/api/v1/status')) ?? {};
  if (!ledger) throw new Error('the admin interface does not answer');
  expect(ledger.received, JSON.stringify(ledger)).toBe(ledger.stored + ledger.dropped + ledger.held);
  return ledger;
}

const settled = (picket: Picket): Promise<LedgerSnapshot> =>
  waitFor(
    'nothing under way',
    async () => {
      const ledger = await ledgerOf(picket);
      return ledger.held === 0 ? ledger : undefined;
    },
    { everyMs: 200, process: picket.process },
  );

/** Requests that Envoy finished, and access log entries that it could not send. */
async function envoyCounts(picket: Picket): Promise<{ completed: number; dropped: number }> {
  const filter = encodeURIComponent('downstream_rq_completed|logs_dropped');
  const text = await (await fetch(`${envoyAdmin(picket)}/stats?format=json&filter=${filter}`)).text();
  const { stats } = JSON.parse(text) as { stats: { name?: string; value?: number }[] };
  const valueOf = (name: RegExp): number => stats.find((s) => name.test(s.name ?? ''))?.value ?? 0;
  return { completed: valueOf(/^http\.picket_ingress\.downstream_rq_completed$/), dropped: valueOf(/logs_dropped$/) };
}

/** Everything that Envoy finished has come here, but for what it says it dropped. */
async function allArrived(picket: Picket, learned: number): Promise<void> {
  await waitFor(
    'every request of Envoy in the ledger',
    async () => {
      const { completed, dropped } = await envoyCounts(picket);
      const { received } = await ledgerOf(picket);
      return received - learned === completed - dropped ? true : undefined;
    },
    { everyMs: 250, process: picket.process },
  );
}

describe.skipIf(envoyMissing !== undefined)(`the machine${envoyMissing ? ` (${envoyMissing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;
  let mounted: string | undefined;
  /** Entries of the history, which no Envoy sent. */
  let learned = 0;
  beforeAll(async () => {
    stage = await createStage();
    const folder = join(stage.folder, 'disk');
    mkdirSync(folder);
    // A disk that can be filled; without the right to mount one the test of it is skipped.
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'tmpfs', folder], { stdio: 'ignore' });
      mounted = folder;
    } catch {
      mounted = undefined;
    }
    picket = await stage.start({ folder });
    learned = (await picket.status()).history?.entries ?? 0;
  });
  afterAll(async () => {
    await picket?.stop();
    if (mounted) execFileSync('umount', ['-l', mounted]);
    await stage?.close();
  });

  test('frozen for a while, it catches up with what Envoy kept and misses nobody', async () => {
    const people = ordinaryTraffic(picket.ports.traffic);
    picket.process.signal('SIGSTOP');
    const attack = stuff(picket.ports.traffic, '127.73.1.1');
    await sleep(longMode ? 20_000 : 3_000);
    expect((await attack).every((status) => status === 200)).toBe(true);
    picket.process.signal('SIGCONT');
    await refused(picket, '127.73.1.1');
    const { bad } = await people.stop();
    expect(bad).toEqual([]);
    await allArrived(picket, learned);
    await settled(picket);
  });

  test('on a slow disk nothing waits for the store, and everything gets there', async () => {
    const next = random32(11);
    const engine = engineOf(picket);
    const people = ordinaryTraffic(picket.ports.traffic);
    const slow = (async () => {
      for (let i = 0; i < (longMode ? 60 : 8); i++) {
        process.kill(engine, 'SIGSTOP');
        await sleep(200 + (next() % 400));
        process.kill(engine, 'SIGCONT');
        await sleep(20 + (next() % 60));
      }
    })();
    await provoke(picket, '127.73.2.1');
    await slow;
    const { bad } = await people.stop();
    expect(bad).toEqual([]);
    await allArrived(picket, learned);
    expect((await settled(picket)).dropped).toBe(0);
  });

  test('on a full disk people are served, abuse is refused, and what was lost is counted', async (context) => {
    if (!mounted) return context.skip('needs the right to mount a tmpfs');
    const before = await settled(picket);
    const filler = join(mounted, 'filler');
    fillDisk(filler);
    const people = ordinaryTraffic(picket.ports.traffic);
    await provoke(picket, '127.73.3.1');
    await sleep(longMode ? 60_000 : 2_000);
    const { bad } = await people.stop();
    expect(bad).toEqual([]);
    expect((await fetch(`${picket.adminUrl}/healthz`)).status).toBe(200);
    await allArrived(picket, learned);
    const full = await ledgerOf(picket);
    expect(full.stored + full.held + full.dropped).toBeGreaterThan(before.stored);
    rmSync(filler);
    const after = await settled(picket);
    // Nothing overflowed in this time: what waited is stored.
    expect(after.dropped).toBe(before.dropped);
    expect(await picket.stop()).toBe(0);
    const { code, err } = await runPicket(['replay', '--data', join(mounted, 'data'), '-o', 'json']);
    expect(`${code} ${err}`).toBe('0 ');
  });
});

/** Takes all the room there is, whatever is written and merged meanwhile. */
function fillDisk(path: string): void {
  const fd = openSync(path, 'w');
  const chunk = Buffer.alloc(1 << 20);
  for (let size = chunk.length; size >= 1024; ) {
    try {
      writeSync(fd, chunk, 0, size);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      size >>= 2;
    }
  }
  closeSync(fd);
}

/** The child process that holds the embedded store. */
function engineOf(picket: Picket): number {
  const children = readFileSync(`/proc/${picket.process.pid}/task/${picket.process.pid}/children`, 'utf8').split(' ');
  const found = children.find(
    (pid) => pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('embedded/main.ts'),
  );
  if (!found) throw new Error('Picket has no store engine');
  return Number(found);
}

describe.skipIf(natsMissing !== undefined)(`the bus${natsMissing ? ` (${natsMissing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNats();
    stage = await createStage();
    picket = await stage.start({ args: ['--nats-url', server.url] });
  });
  afterAll(async () => {
    server?.process.signal('SIGCONT');
    await picket?.stop();
    await server?.stop();
    await stage?.close();
  });

  test('frozen or gone while somebody attacks: the decision is sent when it is back, and nobody else is hit', async () => {
    const people = ordinaryTraffic(picket.ports.traffic);
    server.process.signal('SIGSTOP');
    await stuff(picket.ports.traffic, '127.74.1.1');
    await sleep(longMode ? 60_000 : 2_000);
    server.process.signal('SIGCONT');
    await refused(picket, '127.74.1.1');
    const { folder, port } = server;
    server.process.signal('SIGKILL');
    await server.process.ended;
    await stuff(picket.ports.traffic, '127.74.2.1');
    server = await startNats({ folder, port });
    await refused(picket, '127.74.2.1');
    await refused(picket, '127.74.1.1');
    const { bad } = await people.stop();
    expect(bad).toEqual([]);
    // Events of the outage may have been given up; they are counted, and are no requests.
    expect((await settled(picket)).dropped).toBe(0);
  });
});

describe('memory', () => {
  let picket: Picket | undefined;
  afterEach(async () => {
    await picket?.stop();
    removePicket(picket);
  });

  test('close to its limit the tables forget, which is counted, and the process lives', async () => {
    picket = await startPicket({
      manifests: join(repositoryRoot, 'examples/shop/manifests'),
      env: { NODE_OPTIONS: '--max-old-space-size=192' },
    });
    const next = random32(3);
    const stream = openAlsStream(picket.ports.als);
    const messages = longMode ? 4_000 : 400;
    for (let i = 0; i < messages; i++) {
      const at = Date.now();
      // Keys that never come back, and paths that are none.
      const entries = Array.from({ length: 200 }, () =>
        entry({
          at,
          address: `10.${next() % 256}.${next() % 256}.${next() % 256}`,
          path: `/v1/${next().toString(36)}/${next().toString(36)}`,
          headers: { authorization: `Bearer ${next().toString(36)}${'x'.repeat(200)}` },
          userAgent: `agent/${next()}`,
          status: next() % 2 === 0 ? 200 : 404,
        }),
      );
      expect(await stream.send(entries)).toBe(true);
      if (i % 50 === 0) await ledgerOf(picket);
    }
    const ledger = await settled(picket);
    expect(ledger.received).toBe(messages * 200);
    expect(picket.process.exitCode()).toBeUndefined();
    await stream.close();
    expect(await picket.stop()).toBe(0);
  });
});

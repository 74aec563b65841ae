/**
 * The receiving end of the ingest benchmark, a process of its own: a whole analyzer on the embedded store, or a server
 * that only counts. Its parent tells when to measure.
 */
import { Session } from 'node:inspector/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '@picket/analyzer/store/embedded-store.ts';
import { startAnalyzerOnStore } from '../support/analyzer-stage.ts';
import { startCountingAls } from './counting-als.ts';
import { type StageShares, stageShares } from './stage-shares.ts';

export type ReceiverRequest =
  | { ask: 'begin'; profile: boolean }
  /** Resolves when so many entries in all have come, and are stored. */
  | { ask: 'end'; entries: number }
  | { ask: 'close' };

export interface ReceiverReply {
  reply: 'ready' | 'begun' | 'ended' | 'progress';
  port?: number;
  enginePid?: number | undefined;
  /** Entries that came and, where there is a store, rows in it, in all. */
  entries?: number;
  stored?: number;
  /** Counted in the store itself. */
  rows?: number;
  dropped?: number;
  /** Of all threads of this process since `begin`. */
  cpuMicroseconds?: number;
  rssBytes?: number;
  shares?: StageShares;
}

interface Receiver {
  port: number;
  enginePid?: number | undefined;
  entries(): number;
  stored(): number;
  dropped(): number;
  rows(): Promise<number>;
  close(): Promise<void> | void;
}

async function startReceiver(kind: string): Promise<Receiver> {
  if (kind === 'count') {
    const { port, entries, close } = await startCountingAls();
    return { port, entries, stored: entries, dropped: () => 0, rows: async () => entries(), close };
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'bench-ingest-'));
  const store = await openEmbeddedStore({ dataDir, log: { info() {}, warn() {}, error() {} } });
  const running = await startAnalyzerOnStore(store);
  return {
    port: running.alsPort,
    enginePid: store.engine().pid,
    entries: () => running.ledger().received,
    stored: () => running.writer.stats().stored,
    dropped: () => running.ledger().dropped,
    rows: async () => (await store.extent()).observations,
    async close() {
      await running.close();
      await store.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const tell = (reply: ReceiverReply): void => void process.send?.(reply);
const receiver = await startReceiver(process.argv[2] ?? '');
const session = new Session();
session.connect();
/** Where the profile of the last round is kept, for a closer look. */
const profiles = process.env['PICKET_BENCH_PROFILES'];
let before = process.cpuUsage();
let profiling = false;

const progress = setInterval(() => {
  tell({ reply: 'progress', entries: receiver.entries(), stored: receiver.stored() });
}, 50);

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function begin(profile: boolean): Promise<void> {
  profiling = profile;
  if (profiling) {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
  }
  before = process.cpuUsage();
  tell({ reply: 'begun' });
}

async function end(entries: number): Promise<void> {
  await until(() => receiver.entries() >= entries && receiver.stored() + receiver.dropped() >= entries);
  const { user, system } = process.cpuUsage(before);
  const profile = profiling ? (await session.post('Profiler.stop')).profile : undefined;
  const shares = profile ? stageShares(profile) : undefined;
  if (profile && profiles) writeFileSync(join(profiles, `ingest-${process.pid}.cpuprofile`), JSON.stringify(profile));
  tell({
    reply: 'ended',
    ...{ entries: receiver.entries(), stored: receiver.stored(), dropped: receiver.dropped() },
    rows: await receiver.rows(),
    cpuMicroseconds: user + system,
    rssBytes: process.memoryUsage.rss(),
    ...(shares ? { shares } : {}),
  });
}

async function close(): Promise<void> {
  clearInterval(progress);
  await receiver.close();
  process.exit(0);
}

process.on('message', (request: ReceiverRequest) => {
  if (request.ask === 'begin') void begin(request.profile);
  else if (request.ask === 'end') void end(request.entries);
  else void close();
});
tell({ reply: 'ready', port: receiver.port, enginePid: receiver.enginePid });

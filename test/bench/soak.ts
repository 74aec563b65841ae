/**
 * A long run with churn and faults: people who never come again, streams that break, an engine that is killed, a process
 * that is frozen. Memory, handles and files must not grow: a trend test on what was sampled says whether they do.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerSnapshot } from '@picket/runtime/ledger.ts';
import { type AlsClient, openAlsStream } from '../support/als-client.ts';
import { random32 } from '../support/observations.ts';
import { type Picket, removePicket, startPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { repositoryRoot } from '../support/tools.ts';
import { quantile, trend } from './statistics.ts';
import { trafficBatch } from './traffic.ts';

export interface Growth {
  first: number;
  last: number;
  /** Per hour, by Theil and Sen; of the samples after the warm-up. */
  perHour: number;
  /** Probability of so clear a rise by chance. */
  p: number;
  /** Clearly rising, and by more than three hundredths (five handles) in the time that was looked at. */
  grows: boolean;
}

export interface SoakFigures {
  /** What grows. */
  leaks: string[];
  minutes: number;
  entries: number;
  stored: number;
  dropped: number;
  byReason: LedgerSnapshot['byReason'];
  faults: Record<string, number>;
  engineRestarts: number;
  residentBytes: Growth;
  /** Of profiles and windows, which fill up to their bounds; not a leak. */
  tableBytes: Growth;
  /** Resident memory without them. */
  otherBytes: Growth;
  heapBytes: Growth;
  openFiles: Growth;
  sockets: Growth;
  activeResources: Growth;
  dataFiles: Growth;
}

type Sample = Record<
  | 'residentBytes'
  | 'tableBytes'
  | 'otherBytes'
  | 'heapBytes'
  | 'openFiles'
  | 'sockets'
  | 'activeResources'
  | 'dataFiles',
  number
>;

const streams = 8;
const perMessage = 40;
/** Time that tables take to fill; not part of the trend. */
const warmUpShare = 0.4;
const maxP = 0.001;
const tolerableShare = 0.03;
/** Handles come and go with what is under way; a leak by any of the faults would be many more. */
const tolerableHandles = 5;
/** Tables fill for minutes: shorter runs judge handles and files only. */
const memoryFromMinutes = 10;
/** What grows while tables fill, as they may. */
const mayFill: readonly string[] = ['residentBytes', 'tableBytes'];

/** @param elapsed monotonic milliseconds */
export async function runSoak(elapsed: () => number, minutes: number): Promise<SoakFigures> {
  const next = random32(12);
  const picket = await startPicket({ manifests: join(repositoryRoot, 'examples/shop/manifests') });
  const started = elapsed();
  const untilMs = minutes * 60_000;
  const left = (): number => untilMs - (elapsed() - started);
  const samples: Sample[] = [];
  const faults: Record<string, number> = { cutStreams: 0, killedEngine: 0, frozenEngine: 0, frozen: 0, garbage: 0 };
  const open = new Set<AlsClient>();
  let entries = 0;
  let toldAt = started;
  const talk = async (i: number): Promise<void> => {
    while (left() > 0) {
      const stream = openAlsStream(picket.ports.als, `envoy-${i}`);
      open.add(stream);
      for (let n = 20 + (next() % 400); n > 0 && left() > 0; n--) {
        if (!(await stream.send(trafficBatch(next, Date.now(), perMessage, true)))) break;
        entries += perMessage;
        await sleep(80 + (next() % 60));
      }
      await Promise.race([stream.close(), sleep(2_000)]);
      open.delete(stream);
    }
  };
  const disturb = async (): Promise<void> => {
    while (left() > 0) {
      await sleep(Math.min(left(), 5_000 + (next() % 10_000)));
      const engine = engineOf(picket);
      switch (next() % 5) {
        case 0:
          for (const stream of open) stream.cut();
          count(faults, 'cutStreams');
          break;
        case 1:
          if (engine) process.kill(engine, 'SIGKILL');
          count(faults, 'killedEngine');
          break;
        case 2:
          if (engine) await freeze(engine, 1_500);
          count(faults, 'frozenEngine');
          break;
        case 3:
          await freeze(picket.process.pid, 1_500);
          count(faults, 'frozen');
          break;
        default: {
          const stream = openAlsStream(picket.ports.als, 'garbage');
          await stream.sendBytes(Uint8Array.from({ length: 300 }, () => next()));
          await stream.close();
          count(faults, 'garbage');
        }
      }
    }
  };
  const watch = async (): Promise<void> => {
    const everyMs = Math.max(1_000, untilMs / 300);
    for (; left() > everyMs; await sleep(everyMs)) {
      const sample = await sampleOf(picket);
      if (sample) samples.push(sample);
      if (elapsed() - toldAt < 60_000) continue;
      toldAt = elapsed();
      const minute = Math.round((elapsed() - started) / 60_000);
      // Unknown while the process is frozen.
      const memory = sample ? `, ${Math.round(sample.residentBytes / 2 ** 20)} MB` : '';
      const disturbed = Object.values(faults).reduce((sum, n) => sum + n, 0);
      process.stderr.write(`soak: minute ${minute} of ${minutes}, ${entries} entries, ${disturbed} faults${memory}\n`);
    }
  };
  try {
    await Promise.all([...Array.from({ length: streams }, (_, i) => talk(i)), disturb(), watch()]);
    const { ledger, store } = await waitFor(
      'nothing under way',
      async () => {
        const status = await picket.read<{ ledger: LedgerSnapshot; store: { engineRestarts?: number } }>(
          '/api/v1/status',
        );
        return status?.ledger.held === 0 ? status : undefined;
      },
      { timeoutMs: 60_000, process: picket.process },
    );
    if (ledger.received !== ledger.stored + ledger.dropped + ledger.held)
      throw new Error(`the ledger does not add up: ${JSON.stringify(ledger)}`);
    const growth = (name: keyof Sample): Growth =>
      growthOf(
        samples.map((s) => s[name]),
        minutes,
        name.endsWith('Bytes') ? 0 : tolerableHandles,
      );
    const grown = {
      residentBytes: growth('residentBytes'),
      tableBytes: growth('tableBytes'),
      otherBytes: growth('otherBytes'),
      heapBytes: growth('heapBytes'),
      openFiles: growth('openFiles'),
      sockets: growth('sockets'),
      activeResources: growth('activeResources'),
      dataFiles: growth('dataFiles'),
    };
    return {
      minutes,
      entries,
      stored: ledger.stored,
      dropped: ledger.dropped,
      byReason: ledger.byReason,
      faults,
      engineRestarts: store.engineRestarts ?? faults['killedEngine'] ?? 0,
      ...grown,
      leaks: Object.entries(grown).flatMap(([name, { grows }]) =>
        grows && !mayFill.includes(name) && (minutes >= memoryFromMinutes || !name.endsWith('Bytes')) ? [name] : [],
      ),
    };
  } finally {
    for (const stream of open) stream.cut();
    await picket.stop();
    removePicket(picket);
  }
}

function count(faults: Record<string, number>, name: string): void {
  faults[name] = (faults[name] ?? 0) + 1;
}

async function freeze(pid: number, ms: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await sleep(ms);
  process.kill(pid, 'SIGCONT');
}

function growthOf(values: readonly number[], minutes: number, tolerable: number): Growth {
  const steady = values.slice(Math.floor(values.length * warmUpShare));
  const { slope, p } = trend(steady);
  const samplesPerHour = (values.length / minutes) * 60;
  const perHour = slope * samplesPerHour;
  return {
    first: Math.round(steady[0] ?? 0),
    last: Math.round(steady.at(-1) ?? 0),
    perHour: Math.round(perHour),
    p: Number(p.toPrecision(2)),
    grows: p < maxP && slope * steady.length > Math.max(tolerable, tolerableShare * quantile(steady, 0.5)),
  };
}

async function sampleOf(picket: Picket): Promise<Sample | undefined> {
  const { pid } = picket.process;
  try {
    const fds = readdirSync(`/proc/${pid}/fd`);
    const metrics = await (await fetch(`${picket.adminUrl}/metrics`)).text();
    const valueOf = (name: string): number =>
      [...metrics.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.e+]+)$`, 'gm'))].reduce(
        (sum, m) => sum + Number(m[1]),
        0,
      );
    const tables = readFileSync(`/proc/${pid}/net/tcp`, 'utf8');
    const residentBytes = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
    const tableBytes = valueOf('picket_engine_state_bytes');
    return {
      residentBytes,
      tableBytes,
      otherBytes: residentBytes - tableBytes,
      heapBytes: valueOf('nodejs_heap_size_used_bytes'),
      openFiles: fds.length,
      sockets: tables.split('\n').filter((line) => portsOf(line, Object.values(picket.ports))).length,
      activeResources: valueOf('nodejs_active_resources_total'),
      dataFiles: readdirSync(join(picket.folder, 'data'), { recursive: true }).filter(
        (f) => !String(f).startsWith('store'),
      ).length,
    };
  } catch {
    return undefined;
  }
}

/** Whether a line of /proc/net/tcp has one of these local ports. */
function portsOf(line: string, ports: readonly number[]): boolean {
  const local = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) /.exec(line)?.[1];
  return local !== undefined && ports.includes(Number.parseInt(local, 16));
}

/** The child process that holds the embedded store; undefined while there is none. */
function engineOf(picket: Picket): number | undefined {
  const { pid } = picket.process;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  const found = children.find((child) => child && commandOf(child).includes('embedded/main.ts'));
  return found === undefined ? undefined : Number(found);
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

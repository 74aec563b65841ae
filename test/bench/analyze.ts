/** `picket analyze` as a person starts it, over a generated combined log: from start to report. */
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync, rmSync, statSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../support/tools.ts';
import { type Estimate, estimate } from './statistics.ts';

export interface AnalyzeFigures {
  lines: number;
  bytes: number;
  /** Start to report, without worker threads; garbage collection and the start are part of it. */
  linesPerCpuSecond: Estimate;
  peakRssBytes: number;
  /** The same with every line from another of `manyAddresses` addresses, which no table has room for. */
  manyAddresses: number;
  manyPeakRssBytes: number;
  /** A log of `smallLines` lines, start to report, CPU of all threads and by the clock. */
  smallLines: number;
  smallCpuMs: Estimate;
  smallMs: Estimate;
}

const smallLines = 10_000;
const manyAddresses = 1_000_000;

/** @param elapsed monotonic clock, ms */
export async function runAnalyzeBench(elapsed: () => number, quick: boolean): Promise<AnalyzeFigures> {
  const lines = quick ? 100_000 : 1_000_000;
  const folder = await mkdtemp(join(tmpdir(), 'bench-analyze-'));
  try {
    const small = join(folder, 'small.log');
    const file = join(folder, 'access.log');
    const many = join(folder, 'many.log');
    await writeLog(small, smallLines, 50_000);
    await writeLog(file, lines, 50_000);
    await writeLog(many, lines, manyAddresses);
    // The first start fills the cache of compiled code, as the first one on any machine does.
    await analyze(small, elapsed);
    const smalls: Run[] = [];
    const runs: Run[] = [];
    for (let round = 0; round < (quick ? 1 : 5); round++) {
      smalls.push(await analyze(small, elapsed));
      runs.push(await analyze(file, elapsed));
    }
    return {
      lines,
      bytes: statSync(file).size,
      linesPerCpuSecond: estimate(
        runs.map((run) => (lines / run.cpuMs) * 1000),
        0,
      ),
      peakRssBytes: Math.max(...runs.map((run) => run.peakRssBytes)),
      manyAddresses,
      manyPeakRssBytes: (await analyze(many, elapsed)).peakRssBytes,
      smallLines,
      smallCpuMs: estimate(
        smalls.map((run) => run.cpuMs),
        0,
      ),
      smallMs: estimate(
        smalls.map((run) => run.ms),
        0,
      ),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Run {
  ms: number;
  cpuMs: number;
  peakRssBytes: number;
}

/** Linux counts both for the process: its threads' time on a core, and its high-water mark. */
async function analyze(file: string, elapsed: () => number): Promise<Run> {
  const start = elapsed();
  const command = join(repositoryRoot, 'runtime/bin/launch');
  const child = spawn(command, ['analyze', file, '--workers', '0', '--no-progress'], { stdio: 'ignore' });
  let cpuMs = 0;
  let peakRssBytes = 0;
  const looking = setInterval(() => {
    try {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      cpuMs = (Number(stat[11]) + Number(stat[12])) * 10;
      const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
      peakRssBytes = Math.max(peakRssBytes, Number(peak ?? 0) * 1024);
    } catch {
      // It has just ended.
    }
  }, 10);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(looking);
  if (code !== 0) throw new Error(`picket analyze ended with ${code}`);
  return { ms: elapsed() - start, cpuMs, peakRssBytes };
}

const agents = Array.from(
  { length: 40 },
  (_, i) => `Mozilla/5.0 (X11; Linux x86_64; rv:1${i}.0) Gecko/20100101 Firefox/1${i}.0`,
);

/** Some people on one day over pages, pictures, searches and a login, with some of each refused or missing. */
async function writeLog(file: string, lines: number, people: number): Promise<void> {
  const out = createWriteStream(file);
  let state = 0x9e3779b9;
  const next = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * n);
  };
  const from = Date.UTC(2024, 2, 4);
  for (let i = 0; i < lines; i++) {
    const person = next(people);
    const at = new Date(from + Math.floor((i / lines) * 86_400_000));
    const time = `04/Mar/2024:${at.toISOString().slice(11, 19)} +0000`;
    const kind = next(20);
    const path =
      kind < 9
        ? `/media/img-${next(900)}.jpg`
        : kind < 16
          ? `/products/${next(5_000)}`
          : kind < 18
            ? `/search?q=term${next(800)}`
            : kind < 19
              ? '/cart'
              : '/login';
    const method = path === '/login' ? 'POST' : 'GET';
    const status = path === '/login' ? (next(10) ? 302 : 200) : next(50) ? 200 : 404;
    const line = `${60 + (person >> 16)}.${(person >> 8) & 255}.${person & 255}.${1 + (person % 250)} - - [${time}] "${method} ${path} HTTP/1.1" ${status} ${200 + next(40_000)} "https://shop.example/" "${agents[person % agents.length]}"\n`;
    if (!out.write(line)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
}

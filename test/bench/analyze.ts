/** `picket analyze` over a generated combined log: the whole way from bytes to report, in one process. */
import { createWriteStream, rmSync, statSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAnalyze } from '@picket/standalone/analyze/run.ts';
import { silentHost } from '../support/silent-host.ts';

export interface AnalyzeFigures {
  lines: number;
  bytes: number;
  /** Bytes on disk to finished result, one thread. */
  linesPerSecond: number;
  /** The same by CPU time, garbage collection included: what an idle core would do. */
  linesPerCpuSecond: number;
  peakRssBytes: number;
  /** A file of `smallLines` lines, start to result, in a process that is warm. */
  smallLines: number;
  smallMs: number;
}

const smallLines = 10_000;

/** @param elapsed monotonic clock, ms */
export async function runAnalyzeBench(elapsed: () => number, lines = 1_000_000): Promise<AnalyzeFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-analyze-'));
  try {
    const small = join(folder, 'small.log');
    await writeLog(small, smallLines);
    const smallMs = await timed(elapsed, folder, small);
    const file = join(folder, 'access.log');
    await writeLog(file, lines);
    let peakRssBytes = 0;
    const sampling = setInterval(() => {
      peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss());
    }, 200);
    const cpu = process.cpuUsage();
    const ms = await timed(elapsed, folder, file);
    const used = process.cpuUsage(cpu);
    clearInterval(sampling);
    return {
      lines,
      bytes: statSync(file).size,
      linesPerSecond: Math.round((lines / ms) * 1000),
      linesPerCpuSecond: Math.round((lines / (used.user + used.system)) * 1e6),
      peakRssBytes,
      smallLines,
      smallMs: Math.round(smallMs),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function timed(elapsed: () => number, cwd: string, file: string): Promise<number> {
  const start = elapsed();
  await runAnalyze(
    { files: [file], top: 10, pseudonymise: false, progress: false, workers: 0 },
    new AbortController().signal,
    silentHost(cwd),
  );
  return elapsed() - start;
}

const agents = Array.from(
  { length: 40 },
  (_, i) => `Mozilla/5.0 (X11; Linux x86_64; rv:1${i}.0) Gecko/20100101 Firefox/1${i}.0`,
);

/** 50,000 people a day over pages, pictures, searches and a login, with some of each refused or missing. */
async function writeLog(file: string, lines: number): Promise<void> {
  const out = createWriteStream(file);
  let state = 0x9e3779b9;
  const next = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * n);
  };
  const from = Date.UTC(2024, 2, 4);
  for (let i = 0; i < lines; i++) {
    const person = next(50_000);
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
    const line = `60.${person >> 8}.${person & 255}.${1 + (person % 250)} - - [${time}] "${method} ${path} HTTP/1.1" ${status} ${200 + next(40_000)} "https://shop.example/" "${agents[person % agents.length]}"\n`;
    if (!out.write(line)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
}

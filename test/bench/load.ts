/** Load at a fixed rate by h2load, and what a process spent on it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireDebianTool } from '../support/tools.ts';

export interface LoadResult {
  requests: number;
  /** Answers that were not 2xx. */
  failed: number;
  /** Milliseconds from request to last byte, of each request. */
  latenciesMs: number[];
}

/**
 * @param requestsPerSecond as many as go when left out
 * @param streams at a time on each connection, by HTTP/2; HTTP/1.1 when left out
 */
export async function load(options: {
  port: number;
  path: string;
  headers: Record<string, string>;
  /** How long, or how many requests. */
  for: { seconds: number } | { requests: number };
  connections: number;
  requestsPerSecond?: number;
  streams?: number;
}): Promise<LoadResult> {
  const { port, path, headers, connections, requestsPerSecond, streams } = options;
  const folder = mkdtempSync(join(tmpdir(), 'picket-load-'));
  const log = join(folder, 'requests');
  try {
    await run(requireDebianTool('h2load', 'nghttp2-client'), [
      ...['-t', '1', '-c', String(connections), '--log-file', log],
      ...('seconds' in options.for ? ['-D', String(options.for.seconds)] : ['-n', String(options.for.requests)]),
      ...(streams === undefined ? ['--h1'] : ['-m', String(streams)]),
      ...(requestsPerSecond === undefined ? [] : ['--rps', String(requestsPerSecond / connections)]),
      ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
      `http://127.0.0.1:${port}${path}`,
    ]);
    const latenciesMs: number[] = [];
    let failed = 0;
    for (const line of readFileSync(log, 'utf8').split('\n')) {
      if (line === '') continue;
      const [, status = '', micros = ''] = line.split('\t');
      if (!status.startsWith('2')) failed++;
      latenciesMs.push(Number(micros) / 1000);
    }
    return { requests: latenciesMs.length, failed, latenciesMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${said}`);
}

/** Microseconds that all threads of a process have been on a core, from Linux's scheduler. */
export function cpuMicroseconds(pid: number): number {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // A thread that has just ended.
    }
  }
  return nanoseconds / 1000;
}

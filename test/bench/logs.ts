import { createWriteStream, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccessRecord, Feed } from '@picket/analyzer/ingest/access-record.ts';
import { createLineReader, type LineFormat } from '@picket/analyzer/logs/formats.ts';
import { openLogs } from '@picket/analyzer/logs/open.ts';
import { systemClock } from '@picket/runtime/clock.ts';

/** Figures of `runLogsBench`, one core. */
export interface LogsFigures {
  /** Lines per second of the reader alone, best of five rounds, by format. */
  readerPerSecond: Record<string, number>;
  /** A generated combined log through `openLogs`: read, cut, parsed, put in order. */
  file: { lines: number; bytes: number; linesPerSecond: number; peakRssBytes: number; rssGrowthBytes: number };
}

const linesPerRound = 20_000;

const generators: Readonly<Record<string, readonly [LineFormat, (i: number) => string]>> = {
  combined: ['combined', combinedLine],
  'ingress-nginx': [
    'combined',
    (i) =>
      `${combinedLine(i)} 502 0.0${i % 90} [web-80] [] 10.0.0.7:8080 13 0.00${i % 9} 200 04f1619cfb5e02b6455c19b86042${i % 9999}`,
  ],
  'envoy-text': [
    'envoy-text',
    (i) =>
      `[${iso(i)}] "GET /products/${i % 5000}?page=${i % 7} HTTP/2" 200 - 0 ${900 + (i % 9000)} ${i % 90} ${i % 80} "${address(i)}" "${agent}" "cc21d9b0-cf5c-432b-8c7e-98aeb798${i % 9999}" "shop.example" "10.0.2.1:80"`,
  ],
  haproxy: [
    'haproxy',
    (i) =>
      `${address(i)}:${2000 + (i % 60_000)} [${clf(i)}.250] fe be/s1 10/0/30/69/${i % 300} 200 ${i % 9000} - - ---- 1/1/1/1/0 0/0 "GET /products/${i % 5000} HTTP/1.1"`,
  ],
  'aws-alb': [
    'aws-alb',
    (i) =>
      `https ${iso(i)} app/lb/490d68edf04676fe ${address(i)}:44740 10.0.0.1:80 0.0${i % 90} 0.048 0.037 200 200 34 ${i % 9000} "GET https://shop.example:443/products/${i % 5000} HTTP/1.1" "${agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1-58337262-${i}" "shop.example" "-" 0 ${iso(i)} "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"`,
  ],
  'nginx-json': [
    'json',
    (i) =>
      JSON.stringify({
        time_iso8601: iso(i),
        remote_addr: address(i),
        request_method: 'GET',
        request_uri: `/products/${i % 5000}`,
        status: 200,
        body_bytes_sent: i % 9000,
        request_time: '0.023',
        http_user_agent: agent,
        http_referer: 'https://shop.example/',
        host: 'shop.example',
      }),
  ],
  'envoy-json': [
    'json',
    (i) =>
      JSON.stringify({
        start_time: iso(i),
        method: 'GET',
        path: `/products/${i % 5000}`,
        protocol: 'HTTP/2',
        response_code: 200,
        response_flags: '-',
        bytes_received: 0,
        bytes_sent: i % 9000,
        duration: i % 90,
        'x-forwarded-for': address(i),
        'user-agent': agent,
        'x-request-id': `cc21d9b0-cf5c-432b-8c7e-98aeb798${i % 9999}`,
        ':authority': 'shop.example',
        upstream_host: '10.0.2.1:80',
      }),
  ],
};

/**
 * Speed of the log readers and memory of a large log.
 *
 * @param lines of the generated file
 */
export async function runLogsBench(lines = 1_000_000): Promise<LogsFigures> {
  const file = await measureFile(lines);
  const readerPerSecond: Record<string, number> = {};
  for (const [name, [format, line]] of Object.entries(generators)) {
    const input = Array.from({ length: linesPerRound }, (_, i) => line(i));
    readerPerSecond[name] = Math.round(measureReader(format, input));
  }
  return { readerPerSecond, file };
}

function measureReader(format: LineFormat, input: readonly string[]): number {
  const reader = createLineReader(format);
  const record = createAccessRecord(Feed.replay, 'bench');
  const sink = { blank: () => record, commit: () => {}, reject: () => {} };
  let best = 0;
  for (let round = 0; round < 5; round++) {
    const startedAt = systemClock.elapsed();
    for (const line of input) {
      if (reader.read(line, sink) !== 'pass') throw new Error(`${format} did not read: ${line}`);
    }
    best = Math.max(best, (input.length * 1000) / (systemClock.elapsed() - startedAt));
  }
  return best;
}

async function measureFile(lines: number): Promise<LogsFigures['file']> {
  const dir = await mkdtemp(join(tmpdir(), 'picket-bench-logs-'));
  try {
    const path = join(dir, 'access.log');
    const out = createWriteStream(path);
    let bytes = 0;
    for (let i = 0; i < lines; i += 1000) {
      const text = Array.from({ length: Math.min(1000, lines - i) }, (_, n) => `${combinedLine(i + n)}\n`).join('');
      bytes += text.length;
      if (!out.write(text)) await once(out, 'drain');
    }
    out.end();
    await once(out, 'close');
    const before = process.memoryUsage.rss();
    let peak = before;
    let read = 0;
    const startedAt = systemClock.elapsed();
    const logs = await openLogs({ paths: [path], cwd: dir });
    for await (const batch of logs.read()) {
      read += batch.length;
      if (read % 8192 < batch.length) peak = Math.max(peak, process.memoryUsage.rss());
    }
    const elapsedMs = systemClock.elapsed() - startedAt;
    if (read !== lines) throw new Error(`read ${read} of ${lines} lines`);
    return {
      lines,
      bytes,
      linesPerSecond: Math.round((lines * 1000) / elapsedMs),
      peakRssBytes: peak,
      rssGrowthBytes: peak - before,
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const agent =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36';
const startAt = Date.UTC(2024, 0, 1);

function combinedLine(i: number): string {
  return `${address(i)} - - [${clf(i)} +0000] "GET /products/${i % 5000}?page=${i % 7} HTTP/1.1" 200 ${900 + (i % 9000)} "https://shop.example/list" "${agent}"`;
}

function address(i: number): string {
  return `198.${18 + (i % 2)}.${(i * 7) % 250}.${i % 251}`;
}

/** Twenty lines per second. */
function iso(i: number): string {
  return new Date(startAt + i * 50).toISOString();
}

function clf(i: number): string {
  const time = iso(i);
  return `${time.slice(8, 10)}/Jan/2024:${time.slice(11, 19)}`;
}

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { HTTPAccessLogEntrySchema } from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogInputError, openLogs } from './open.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'picket-logs-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const start = Date.UTC(2024, 0, 31, 12);

/** A combined line, `second` after noon. */
function line(second: number, path: string): string {
  const time = new Date(start + second * 1000).toISOString();
  return `203.0.113.9 - - [31/Jan/2024:${time.slice(11, 19)} +0000] "GET ${path} HTTP/1.1" 200 1 "-" "UA"\n`;
}

function lines(from: number, count: number, prefix: string): string {
  return Array.from({ length: count }, (_, i) => line(from + i, `/${prefix}${i}`)).join('');
}

function write(name: string, content: string | Buffer): void {
  writeFileSync(join(dir, name), content);
}

async function readPaths(options: Partial<Parameters<typeof openLogs>[0]> & { paths: string[] }) {
  const logs = await openLogs({ cwd: dir, ...options });
  const paths: string[] = [];
  const places: string[] = [];
  for await (const batch of logs.read()) {
    for (const entry of batch) {
      paths.push(entry.record.path);
      places.push(`${logs.files[entry.file]?.name}:${entry.line}`);
    }
  }
  return { logs, paths, places, report: logs.report() };
}

describe('inputs', () => {
  it.each([
    ['plain', (s: string) => Buffer.from(s)],
    ['gzip', (s: string) => gzipSync(s)],
    ['two gzip members', (s: string) => Buffer.concat([gzipSync(s.slice(0, 100)), gzipSync(s.slice(100))])],
    ['zstd', (s: string) => zstdCompressSync(s)],
    ['UTF-16', (s: string) => Buffer.from(`\uFEFF${s}`, 'utf16le')],
    ['UTF-16 inside gzip', (s: string) => gzipSync(Buffer.from(`\uFEFF${s}`, 'utf16le').swap16())],
    ['a byte order mark', (s: string) => Buffer.from(`\uFEFF${s}`)],
    ['Windows line ends', (s: string) => Buffer.from(s.replaceAll('\n', '\r\n'))],
    ['no line end at the end', (s: string) => Buffer.from(s.trimEnd())],
  ])('reads %s from a file and from standard input', async (_, pack) => {
    const bytes = pack(lines(0, 30, 'p'));
    write('x.log', bytes);
    const expected = Array.from({ length: 30 }, (_unused, i) => `/p${i}`);
    expect((await readPaths({ paths: ['x.log'] })).paths).toEqual(expected);
    const stdin = Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]);
    expect((await readPaths({ paths: ['-'], stdin })).paths).toEqual(expected);
  });

  it('reads a named pipe, as of <(zcat …), once', async () => {
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const written = writeFile(pipe, lines(0, 30, 'p'));
    const { paths, logs } = await readPaths({ paths: [pipe] });
    await written;
    expect(paths).toHaveLength(30);
    expect(logs.files).toMatchObject([{ name: pipe, sizeBytes: undefined }]);
  });

  it('reads standard input again after a sample of it', async () => {
    const text = lines(0, 2000, 'p');
    const chunks = Array.from({ length: 20 }, (_, i) =>
      Buffer.from(text.slice((i * text.length) / 20, ((i + 1) * text.length) / 20)),
    );
    const logs = await openLogs({ cwd: dir, paths: ['-'], stdin: Readable.from(chunks) });
    const sampled: string[] = [];
    expect(await logs.sample(500, (entry) => void sampled.push(entry.record.path))).toBe(500);
    expect(sampled.at(-1)).toBe('/p499');
    let count = 0;
    for await (const batch of logs.read()) count += batch.length;
    expect(count).toBe(2000);
  });

  it('finds files by glob and reads each once', async () => {
    write('a.log', lines(0, 2, 'a'));
    write('b.log', lines(10, 2, 'b'));
    const { paths, logs } = await readPaths({ paths: ['*.log', 'a.log'] });
    expect(paths).toEqual(['/a0', '/a1', '/b0', '/b1']);
    expect(logs.files.map((file) => file.format)).toEqual(['combined', 'combined']);
  });

  it.each([
    [['missing.log'], /missing\.log does not exist/],
    [['*.nothing'], /matches no file/],
    [['.'], /is a directory/],
    [['words.txt'], /no access record in the beginning of words\.txt; name the format with --format/],
    [['x.zip'], /zip archive; unpack it first/],
    [['x.tar.gz'], /x\.tar\.gz is a tar archive; unpack it first/],
    [['empty.log'], /^empty\.log is empty$/],
    [['-'], /standard input .* not available/],
    [[], /no input/],
  ])('%j is refused with a sentence', async (paths, message) => {
    write('words.txt', 'some words\nand more\n');
    write('x.zip', 'PK\u0003\u0004');
    write('x.tar.gz', gzipSync(`${'access.log'.padEnd(257, '\0')}ustar${line(0, '/a')}`));
    write('empty.log', '');
    await expect(openLogs({ cwd: dir, paths })).rejects.toThrow(message);
    await expect(openLogs({ cwd: dir, paths })).rejects.toBeInstanceOf(LogInputError);
  });

  it('an unknown format name lists the known ones', async () => {
    write('a.log', lines(0, 1, 'a'));
    await expect(openLogs({ cwd: dir, paths: ['a.log'], format: 'appache' })).rejects.toThrow(
      /unknown; use one of .*combined/,
    );
  });

  it('a file without records does not stop the others', async () => {
    write('a.log', lines(0, 2, 'a'));
    write('readme.txt', 'nothing here');
    const { report } = await readPaths({ paths: ['a.log', 'readme.txt'] });
    expect(report.accepted).toBe(2);
    expect(report.files.find((file) => file.name === 'readme.txt')?.problem).toBe('no access record in its beginning');
  });
});

describe('order', () => {
  it('reads a rotated set from the oldest on', async () => {
    write('access.log', lines(300, 3, 'd'));
    write('access.log.1', lines(200, 3, 'c'));
    write('access.log.2.gz', gzipSync(lines(100, 3, 'b')));
    write('access.log.10.gz', gzipSync(lines(0, 3, 'a')));
    const { paths } = await readPaths({ paths: ['access.log*'] });
    expect(paths.map((p) => p[1]).join('')).toBe('aaabbbcccddd');
  });

  it('decides between equal times by rotation', async () => {
    write('access.log', line(0, '/new'));
    write('access.log.1', line(0, '/old'));
    write('access.log-20240130', line(0, '/dated'));
    expect((await readPaths({ paths: ['access.log*'] })).paths).toEqual(['/dated', '/old', '/new']);
  });

  it('merges the logs of several servers by time', async () => {
    write('a.log', Array.from({ length: 1000 }, (_, i) => line(2 * i, `/${2 * i}`)).join(''));
    write('b.log', Array.from({ length: 1000 }, (_, i) => line(2 * i + 1, `/${2 * i + 1}`)).join(''));
    const { paths, places } = await readPaths({ paths: ['a.log', 'b.log'] });
    expect(paths).toEqual(Array.from({ length: 2000 }, (_, i) => `/${i}`));
    expect(places.slice(0, 4)).toEqual(['a.log:1', 'b.log:1', 'a.log:2', 'b.log:2']);
  });

  it('puts slightly unordered lines in order and counts them, and counts those that come too late', async () => {
    const late = line(-3600, '/late');
    write(
      'x.log',
      line(5, '/5') + line(3, '/3') + line(8, '/8') + line(7, '/7') + lines(100, 200, 'p') + late + lines(400, 3, 'q'),
    );
    const { paths, report } = await readPaths({ paths: ['x.log'] });
    expect(paths.slice(0, 4)).toEqual(['/3', '/5', '/7', '/8']);
    expect(paths).toContain('/late');
    expect(paths).toHaveLength(208);
    expect(report).toMatchObject({ accepted: 208, reordered: 2, late: 1 });
  });

  it('one absurd time does not reorder the rest', async () => {
    write('x.log', lines(0, 50, 'a') + line(0, '/odd').replace('2024', '2099') + lines(50, 50, 'b'));
    const { paths } = await readPaths({ paths: ['x.log'] });
    expect(paths).toHaveLength(101);
    expect(paths.at(-1)).toBe('/odd');
    expect(paths.slice(0, 2)).toEqual(['/a0', '/a1']);
  });
});

describe('bad input', () => {
  it('says file, line and reason of what it rejects, and goes on', async () => {
    write(
      'x.log',
      `${line(0, '/a')}junk\n\n# comment\n${line(1, '/b').replace(' 200 ', ' two ')}${'y'.repeat(2 << 20)}\n${line(2, '/c')}`,
    );
    const { paths, places, report } = await readPaths({ paths: ['x.log'] });
    expect(paths).toEqual(['/a', '/c']);
    expect(places).toEqual(['x.log:1', 'x.log:7']);
    expect(report.samples).toEqual([
      { file: 'x.log', line: 2, reason: 'unrecognised' },
      { file: 'x.log', line: 5, reason: 'bad_status' },
      { file: 'x.log', line: 6, reason: 'too_long' },
    ]);
    expect(report).toMatchObject({
      accepted: 2,
      rejected: 3,
      byReason: { unrecognised: 1, bad_status: 1, too_long: 1 },
    });
  });

  it('keeps a bounded sample of rejections and counts all', async () => {
    write('x.log', `${line(0, '/a')}${'junk\n'.repeat(5000)}${line(1, '/b')}`);
    const { report } = await readPaths({ paths: ['x.log'] });
    expect(report.rejected).toBe(5000);
    expect(report.samples.map((s) => s.line)).toEqual(Array.from({ length: 100 }, (_, i) => i + 2));
  });

  it('reads a truncated archive as far as it goes and says so', async () => {
    const whole = gzipSync(Array.from({ length: 3000 }, (_, i) => line(i % 3600, `/${(i * 7919) % 100_003}`)).join(''));
    write('x.log.gz', whole.subarray(0, whole.length - 200));
    const { paths, report } = await readPaths({ paths: ['x.log.gz'] });
    expect(paths.length).toBeGreaterThan(1000);
    expect(report.files[0]?.problem).toMatch(/unexpected end/);
    expect(report.byReason.truncated).toBeGreaterThanOrEqual(1);
  });

  it('reads lines that are not UTF-8', async () => {
    write('x.log', Buffer.concat([Buffer.from(line(0, '/a')), Buffer.from(line(1, '/caf\u00e9'), 'latin1')]));
    expect((await readPaths({ paths: ['x.log'] })).paths).toEqual(['/a', '/café']);
  });

  it('ends when told to, with what was read so far', async () => {
    write('x.log', lines(0, 3000, 'p'));
    const abort = new AbortController();
    const logs = await openLogs({ cwd: dir, paths: ['x.log'], signal: abort.signal });
    let count = 0;
    for await (const batch of logs.read()) {
      count += batch.length;
      abort.abort();
    }
    expect(count).toBeLessThan(3000);
    expect(logs.report().aborted).toBe(true);
  });
});

describe('documents', () => {
  const object = (i: number) => ({
    time: new Date(start + i * 1000).toISOString(),
    method: 'GET',
    path: `/${i}`,
    status: 200,
    remote_addr: '203.0.113.9',
  });
  it.each([
    ['NDJSON', [0, 1, 2].map((i) => JSON.stringify(object(i))).join('\n')],
    ['an array on one line', JSON.stringify([0, 1, 2].map(object))],
    ['an array over many lines', JSON.stringify([0, 1, 2].map(object), null, 2)],
    ['objects over many lines', [0, 1, 2].map((i) => JSON.stringify(object(i), null, 2)).join('\n')],
    ['objects without anything between', [0, 1, 2].map((i) => JSON.stringify(object(i), null, 1)).join('')],
  ])('reads %s', async (_, text) => {
    write('x.json', text);
    expect((await readPaths({ paths: ['x.json'] })).paths).toEqual(['/0', '/1', '/2']);
    expect((await readPaths({ paths: ['x.json'], format: 'json' })).paths).toEqual(['/0', '/1', '/2']);
  });

  it('reads ALS messages as JSON in an array, and length-delimited', async () => {
    const entry = (i: number) =>
      create(HTTPAccessLogEntrySchema, {
        commonProperties: { startTime: { seconds: BigInt(start / 1000 + i), nanos: 0 } },
        request: { requestMethod: 1, path: `/${i}`, authority: 'a.example' },
        response: { responseCode: 200 },
      });
    const delimited = [0, 1].map((i) => {
      const bytes = toBinary(
        StreamAccessLogsMessageSchema,
        create(StreamAccessLogsMessageSchema, {
          logEntries: { case: 'httpLogs', value: { logEntry: [entry(2 * i), entry(2 * i + 1)] } },
        }),
      );
      expect(bytes.length).toBeLessThan(128);
      return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    });
    write('capture.bin', Buffer.concat(delimited));
    const { paths, logs } = await readPaths({ paths: ['capture.bin'] });
    expect(logs.files[0]?.format).toBe('als-binary');
    expect(paths).toEqual(['/0', '/1', '/2', '/3']);
    const json = [0, 1].map((i) => ({
      httpLogs: {
        logEntry: [
          {
            commonProperties: { startTime: new Date(start + i * 1000).toISOString() },
            request: { requestMethod: 'GET', path: `/${i}` },
            response: { responseCode: 200 },
          },
        ],
      },
    }));
    write('capture.json', JSON.stringify(json));
    expect((await readPaths({ paths: ['capture.json'] })).paths).toEqual(['/0', '/1']);
    // Where one document holds several entries its text is no line of any of them.
    const logEntry = json.flatMap((message) => message.httpLogs.logEntry);
    write('one.json', `${JSON.stringify({ httpLogs: { logEntry } })}\n${JSON.stringify(json[0])}`);
    const texts: string[] = [];
    const one = await openLogs({ cwd: dir, paths: ['one.json'] });
    for await (const batch of one.read())
      texts.push(...batch.map((entry) => `${entry.line} ${entry.raw.slice(0, 12)}`));
    expect(texts.sort()).toEqual(['1 ', '1 ', '2 {"httpLogs":']);
  });
});

it('tells how far it is', async () => {
  write('x.log', lines(0, 3000, 'p'));
  const seen: number[] = [];
  let total: number | undefined;
  await readPaths({
    paths: ['x.log'],
    onProgress(progress) {
      seen.push(progress.bytesRead);
      total = progress.bytesTotal;
    },
  });
  expect(seen.at(-1)).toBe(total);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

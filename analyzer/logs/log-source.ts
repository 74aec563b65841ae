/** Where the bytes come from: files, globs, standard input; gzip and zstd told by their first bytes. */
import { createReadStream } from 'node:fs';
import { glob, open as openFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { createGunzip, createZstdDecompress } from 'node:zlib';

export interface LogSource {
  /** As given, or as a glob found it; `-` for standard input. */
  readonly name: string;
  /** Bytes as stored, undefined when nobody knows. */
  readonly sizeBytes: number | undefined;
  /** Bytes as stored that were read since the last `open`. */
  readonly bytesRead: () => number;
  /** Plain bytes from the start. Standard input can be opened twice: see `sampling`. */
  open(options: { sampling: boolean; signal?: AbortSignal | undefined }): AsyncIterable<Buffer>;
}

/** Input that cannot be read at all; the message is a sentence for the command line. */
export class LogInputError extends Error {
  override readonly name = 'LogInputError';
}

const chunkBytes = 256 << 10;
/** Standard input read while sampling is kept to be read again; the sample ends here at the latest. */
const maxReplayBytes = 64 << 20;

/** @throws LogInputError when a path matches nothing or is no readable file. */
export async function resolveSources(
  paths: readonly string[],
  options: { cwd: string; stdin?: Readable | undefined },
): Promise<LogSource[]> {
  const sources = new Map<string, LogSource>();
  for (const path of paths) {
    if (path === '-') {
      if (!options.stdin) throw new LogInputError('standard input (-) is not available here');
      sources.set('-', createStreamSource('stdin', options.stdin));
      continue;
    }
    for (const name of await expand(path, options.cwd)) {
      const full = resolve(options.cwd, name);
      if (sources.has(full)) continue;
      // A named pipe, or what a shell makes of <(zcat …): read once, like standard input.
      const piped = (await stat(full)).isFIFO();
      sources.set(full, piped ? createStreamSource(name, createReadStream(full)) : await createFileSource(name, full));
    }
  }
  return [...sources.values()].sort((a, b) => byRotation(a.name, b.name));
}

async function expand(path: string, cwd: string): Promise<string[]> {
  const info = await stat(resolve(cwd, path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EACCES')
      throw new LogInputError(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
    return undefined;
  });
  if (info?.isDirectory()) throw new LogInputError(`${path} is a directory; name its files, for example ${path}/*.log`);
  if (info) return [path];
  if (!/[*?[{]/.test(path)) throw new LogInputError(`${path} does not exist`);
  const found: string[] = [];
  for await (const name of glob(path, { cwd })) {
    if ((await stat(resolve(cwd, name))).isFile()) found.push(name);
  }
  if (found.length === 0) throw new LogInputError(`${path} matches no file`);
  return found;
}

async function createFileSource(name: string, full: string): Promise<LogSource> {
  const head = Buffer.alloc(512);
  let size = 0;
  try {
    const file = await openFile(full);
    try {
      const { bytesRead } = await file.read(head, 0, head.length, 0);
      const info = await file.stat();
      size = info.size;
      refuseArchives(name, head.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof LogInputError) throw cause;
    throw new LogInputError(`${name} cannot be read: ${messageOf(cause)}`, { cause });
  }
  let bytesRead = () => 0;
  return {
    name,
    sizeBytes: size,
    bytesRead: () => bytesRead(),
    open({ signal }) {
      const raw = createReadStream(full, { highWaterMark: chunkBytes, ...(signal ? { signal } : {}) });
      bytesRead = () => raw.bytesRead;
      return plainBytes(name, raw, head);
    },
  };
}

function createStreamSource(name: string, stdin: Readable): LogSource {
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let total = 0;
  let live: AsyncIterator<Buffer> | undefined;

  async function* chunks(sampling: boolean): AsyncGenerator<Buffer> {
    for (const chunk of kept.slice()) yield chunk;
    live ??= (stdin as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    if (!sampling) kept.length = 0;
    for (;;) {
      if (sampling && keptBytes >= maxReplayBytes) return;
      const next = await live.next();
      if (next.done === true) return;
      const chunk = Buffer.from(next.value);
      total += chunk.length;
      if (sampling) {
        kept.push(chunk);
        keptBytes += chunk.length;
      }
      yield chunk;
    }
  }

  return {
    name,
    sizeBytes: undefined,
    bytesRead: () => total,
    async *open({ sampling, signal }) {
      // A read that waits for a silent pipe must end as well.
      signal?.addEventListener('abort', () => stdin.destroy(), { once: true });
      // The first chunk decides on decompression.
      const source = chunks(sampling);
      const first = await source.next();
      if (first.done === true) return;
      const called = name === 'stdin' ? 'standard input' : name;
      refuseArchives(called, first.value);
      async function* whole(): AsyncGenerator<Buffer> {
        yield first.value as Buffer;
        yield* source;
      }
      yield* plainBytes(called, Readable.from(whole()), first.value);
    },
  };
}

async function* plainBytes(name: string, raw: Readable, head: Buffer): AsyncGenerator<Buffer> {
  const unpack = isGzip(head)
    ? createGunzip({ chunkSize: chunkBytes })
    : isZstd(head)
      ? createZstdDecompress()
      : undefined;
  const stream = unpack ? pipeline(raw, unpack, () => {}) : raw;
  // PowerShell redirects write UTF-16.
  let decoder: TextDecoder | undefined;
  let begun = false;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (!begun) {
        begun = true;
        // A tar inside gzip.
        refuseArchives(name, chunk);
        decoder = utf16Decoder(chunk);
      }
      yield decoder === undefined ? chunk : Buffer.from(decoder.decode(chunk, { stream: true }));
    }
  } finally {
    raw.destroy();
    stream.destroy();
  }
}

/** By the byte order mark; undefined for everything else. */
function utf16Decoder(head: Buffer): TextDecoder | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return new TextDecoder('utf-16le');
  return head[0] === 0xfe && head[1] === 0xff ? new TextDecoder('utf-16be') : undefined;
}

function isGzip(head: Buffer): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

function isZstd(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528;
}

function refuseArchives(name: string, head: Buffer): void {
  const text = head.toString('latin1');
  const kind = text.startsWith('BZh')
    ? 'bzip2'
    : text.startsWith('\xfd7zXZ')
      ? 'xz'
      : text.startsWith('PK\x03\x04')
        ? 'zip'
        : text.slice(257, 262) === 'ustar'
          ? 'tar'
          : '';
  if (kind !== '')
    throw new LogInputError(`${name} is a ${kind} archive; unpack it first (plain, gzip and zstd are read)`);
}

export function messageOf(cause: unknown): string {
  if ((cause as NodeJS.ErrnoException | undefined)?.code === 'EACCES') return 'permission denied';
  return cause instanceof Error ? cause.message : String(cause);
}

/**
 * Order of rotated files, oldest first: `a.log.3.gz`, `a.log.2.gz`, `a.log.1`, `a.log`, and
 * `a.log-20240101`, `a.log-20240102`, `a.log`. It decides only between files whose first records have one time.
 */
export function byRotation(a: string, b: string): number {
  const x = rotationOf(a);
  const y = rotationOf(b);
  if (x.base !== y.base) return x.base < y.base ? -1 : 1;
  if (x.date !== y.date) return x.date === '' ? 1 : y.date === '' ? -1 : x.date < y.date ? -1 : 1;
  return y.number - x.number;
}

function rotationOf(name: string): { base: string; date: string; number: number } {
  const plain = name.replace(/\.(?:gz|zst|zstd)$/i, '');
  const date = /[._-](\d{4}-?\d{2}-?\d{2}(?:[-T]?\d{2,6})?)$/.exec(plain);
  if (date) return { base: plain.slice(0, date.index), date: (date[1] ?? '').replaceAll('-', ''), number: 0 };
  const number = /\.(\d{1,6})$/.exec(plain);
  if (number) return { base: plain.slice(0, number.index), date: '', number: Number(number[1]) };
  return { base: plain, date: '', number: 0 };
}

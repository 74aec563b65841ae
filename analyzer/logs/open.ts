/**
 * Log files, globs and standard input as one stream of access records in the order of their completion, in bounded
 * memory whatever the size: files join the merge when its time reaches their first record, so a rotated set is read
 * one file after the other and the logs of several servers side by side.
 */
import type { Readable } from 'node:stream';
import { createAccessRecord, Feed } from '../ingest/access-record.ts';
import { detectFormat, type LogFormat } from './detect-format.ts';
import { createEntryPool, createFileCursor, type FileCursor, type LogEntry, reorderWindowMs } from './file-cursor.ts';
import { createFramer } from './framer.ts';
import { completedAtMs, type RejectReason } from './log-format.ts';
import { LogInputError, type LogSource, messageOf, resolveSources } from './log-source.ts';

export { LogInputError } from './log-source.ts';
export type { LogEntry } from './file-cursor.ts';

export interface OpenLogsOptions {
  /** Files, globs, `-` for standard input. */
  paths: readonly string[];
  /** Base of relative paths. */
  cwd: string;
  stdin?: Readable;
  /** Format name or `regex:<expression>`; told from content when absent. */
  format?: string;
  signal?: AbortSignal;
  /** Called about once per 256 KiB read. */
  onProgress?: (progress: LogProgress) => void;
}

export interface LogProgress {
  /** Stored (compressed) bytes. */
  bytesRead: number;
  /** Undefined with standard input. */
  bytesTotal: number | undefined;
  records: number;
}

export interface LogFile {
  name: string;
  /** "" when nothing in the file is an access record. */
  format: string;
  sizeBytes: number | undefined;
}

export interface Rejection {
  file: string;
  line: number;
  reason: RejectReason;
}

interface FileReport {
  name: string;
  format: string;
  accepted: number;
  rejected: number;
  byReason: Partial<Record<RejectReason, number>>;
  problem: string;
}

/** What the last `read` found. */
export interface ReadReport {
  accepted: number;
  rejected: number;
  byReason: Partial<Record<RejectReason, number>>;
  /** The first 100 of each reason and file, at most 1,000 in all. */
  samples: Rejection[];
  files: FileReport[];
  /** Entries put in order, and entries that came too late for that. */
  reordered: number;
  late: number;
  /** The signal ended it. */
  aborted: boolean;
}

export interface LogSet {
  readonly files: readonly LogFile[];
  /** Visits the first `limit` records, without moving `read`. Resolves to how many there were. */
  sample(limit: number, visit: (entry: LogEntry) => void): Promise<number>;
  /** All records from the start, in batches whose entries are valid until the next batch. */
  read(): AsyncGenerator<readonly LogEntry[]>;
  report(): ReadReport;
}

const sniffBytes = 256 << 10;
const batchSize = 512;
/** Entries that wait to be put in order, over all open files. */
const maxHeldEntries = 8192;
const minHeldEntries = 256;
const maxSamples = 1000;
const maxSamplesPerReason = 100;

interface SniffedFile {
  source: LogSource;
  format: LogFormat | undefined;
  empty: boolean;
  /** Completion of the first record; -Infinity when the start of the file holds none. */
  firstAt: number;
}

/** @throws LogInputError when no input holds a single access record, or one cannot be read at all. */
export async function openLogs(options: OpenLogsOptions): Promise<LogSet> {
  const sources = await resolveSources(options.paths, options);
  if (sources.length === 0) throw new LogInputError('no input: name files, globs, or - for standard input');
  const files: SniffedFile[] = [];
  for (const source of sources) files.push(await sniff(source, options.format));
  if (files.every((file) => file.format === undefined)) {
    if (files.every((file) => file.empty))
      throw new LogInputError(`${sources.map((s) => s.name).join(', ')} ${files.length === 1 ? 'is' : 'are'} empty`);
    const which = files.length === 1 ? (sources[0]?.name ?? '') : `any of the ${files.length} files`;
    const hint = options.format === undefined ? '; name the format with --format' : '';
    throw new LogInputError(`no access record in the beginning of ${which}${hint}`);
  }
  // The sort is stable and sources come in rotation order, which thereby decides between equal times.
  files.sort((a, b) => (a.firstAt === b.firstAt ? 0 : a.firstAt - b.firstAt));

  let report = emptyReport(files);
  return {
    files: files.map((file) => ({
      name: file.source.name,
      format: file.format?.name ?? '',
      sizeBytes: file.source.sizeBytes,
    })),
    async sample(limit, visit) {
      let seen = 0;
      for await (const batch of merge(files, options, true, emptyReport(files))) {
        for (const entry of batch) {
          if (seen >= limit) break;
          visit(entry);
          seen++;
        }
        if (seen >= limit) break;
      }
      return seen;
    },
    read() {
      report = emptyReport(files);
      return merge(files, options, false, report);
    },
    report: () => report,
  };
}

async function sniff(source: LogSource, override: string | undefined): Promise<SniffedFile> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of source.open({ sampling: true })) {
      parts.push(chunk);
      bytes += chunk.length;
      if (bytes >= sniffBytes) break;
    }
  } catch (cause) {
    if (cause instanceof LogInputError) throw cause;
    if (parts.length === 0) throw new LogInputError(`${source.name} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const sample = Buffer.concat(parts);
  let format: LogFormat | undefined;
  try {
    format = detectFormat(sample, override);
  } catch (cause) {
    throw new LogInputError(messageOf(cause), { cause });
  }
  return {
    source,
    format,
    empty: sample.length === 0,
    firstAt: format ? firstCompletion(format, sample) : Number.NEGATIVE_INFINITY,
  };
}

/** The earliest of the first records: one absurd time in line 1 must not misplace a file. */
function firstCompletion(format: LogFormat, sample: Buffer): number {
  const times: number[] = [];
  const record = createAccessRecord(Feed.replay, '');
  const reader = format.createReader();
  const sink = {
    blank: () => record,
    commit: () => {
      if (times.length < 9) times.push(completedAtMs(record));
    },
    reject: () => {},
  };
  const framer = createFramer(format.framing, {
    unit: (text) => void (times.length < 9 && reader.read(text, sink)),
    message: (message) => void (times.length < 9 && reader.readMessage?.(message, sink)),
    reject: () => {},
  });
  framer.push(sample);
  framer.end();
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1] ?? Number.NEGATIVE_INFINITY;
  return times.find((at) => at > median - 3_600_000) ?? median;
}

async function* merge(
  files: readonly SniffedFile[],
  options: OpenLogsOptions,
  sampling: boolean,
  report: ReadReport,
): AsyncGenerator<readonly LogEntry[]> {
  const pool = createEntryPool();
  const waiting = files.map((file, index) => ({ file, index })).filter(({ file }) => file.format !== undefined);
  const maxHeld = Math.max(minHeldEntries, Math.floor(maxHeldEntries / Math.max(1, waiting.length)));
  const open: { cursor: FileCursor; index: number }[] = [];
  let batch: LogEntry[] = [];

  function start(file: SniffedFile, index: number): void {
    const cursor = createFileCursor({
      source: file.source,
      format: file.format as LogFormat,
      file: index,
      pool,
      sampling,
      maxHeld,
      signal: options.signal,
      reject: (reason, line) => countRejection(report, index, reason, line),
    });
    open.push({ cursor, index });
  }

  function settle(index: number, cursor: FileCursor): void {
    const file = report.files[index];
    if (file) {
      file.accepted = cursor.tally.accepted;
      file.problem = cursor.tally.problem;
    }
  }

  function progress(): void {
    report.accepted = 0;
    report.reordered = doneReordered;
    report.late = doneLate;
    for (const { cursor, index } of open) {
      settle(index, cursor);
      report.reordered += cursor.tally.reordered;
      report.late += cursor.tally.late;
    }
    for (const file of report.files) report.accepted += file.accepted;
    if (!sampling && options.onProgress) options.onProgress(progressOf(files, report.accepted));
  }
  let doneReordered = 0;
  let doneLate = 0;

  try {
    for (;;) {
      if (options.signal?.aborted === true) {
        report.aborted = true;
        break;
      }
      for (let i = open.length - 1; i >= 0; i--) {
        const at = open[i];
        if (at === undefined || at.cursor.peek() !== undefined) continue;
        const more = await at.cursor.fill();
        progress();
        if (more) continue;
        doneReordered += at.cursor.tally.reordered;
        doneLate += at.cursor.tally.late;
        open.splice(i, 1);
      }
      const { first, limit } = earliest(open);
      const next = waiting[0];
      if (
        next !== undefined &&
        (first === undefined || next.file.firstAt <= (first.peek()?.at ?? 0) + reorderWindowMs)
      ) {
        waiting.shift();
        start(next.file, next.index);
        continue;
      }
      if (first === undefined) break;
      const until = Math.min(limit, next === undefined ? limit : next.file.firstAt - reorderWindowMs);
      // The earliest entry always goes; what follows in its file goes as long as no other file is earlier.
      let taken = first.take();
      while (taken !== undefined) {
        batch.push(taken);
        if (batch.length >= batchSize) {
          yield batch;
          for (const entry of batch) pool.put(entry);
          batch = [];
          break;
        }
        const following = first.peek();
        taken = following !== undefined && following.at <= until ? first.take() : undefined;
      }
    }
    if (batch.length > 0) yield batch;
  } finally {
    progress();
    for (const { cursor } of open) await cursor.close();
  }
}

/** The cursor with the earliest entry, and the time of the second earliest. Files that overlap are few: no heap. */
function earliest(open: readonly { cursor: FileCursor }[]): { first: FileCursor | undefined; limit: number } {
  let first: FileCursor | undefined;
  let firstAt = Number.POSITIVE_INFINITY;
  let limit = Number.POSITIVE_INFINITY;
  for (const { cursor } of open) {
    const at = cursor.peek()?.at ?? Number.POSITIVE_INFINITY;
    if (at < firstAt || first === undefined) {
      limit = firstAt;
      firstAt = at;
      first = cursor;
    } else if (at < limit) limit = at;
  }
  return { first, limit };
}

function progressOf(files: readonly SniffedFile[], records: number): LogProgress {
  let bytesRead = 0;
  let bytesTotal: number | undefined = 0;
  for (const { source, format } of files) {
    if (format === undefined) continue;
    bytesRead += source.bytesRead();
    bytesTotal = source.sizeBytes === undefined || bytesTotal === undefined ? undefined : bytesTotal + source.sizeBytes;
  }
  return { bytesRead, bytesTotal, records };
}

function emptyReport(files: readonly SniffedFile[]): ReadReport {
  return {
    accepted: 0,
    rejected: 0,
    byReason: {},
    samples: [],
    files: files.map(({ source, format }) => ({
      name: source.name,
      format: format?.name ?? '',
      accepted: 0,
      rejected: 0,
      byReason: {},
      problem: format === undefined && source.sizeBytes !== 0 ? 'no access record in its beginning' : '',
    })),
    reordered: 0,
    late: 0,
    aborted: false,
  };
}

function countRejection(report: ReadReport, index: number, reason: RejectReason, line: number): void {
  const file = report.files[index];
  if (file === undefined) return;
  report.rejected++;
  file.rejected++;
  report.byReason[reason] = (report.byReason[reason] ?? 0) + 1;
  const like = (file.byReason[reason] ?? 0) + 1;
  file.byReason[reason] = like;
  if (like <= maxSamplesPerReason && report.samples.length < maxSamples)
    report.samples.push({ file: file.name, line, reason });
}

/** One log file as a stream of entries in the order of their completion. */
import { type AccessRecord, createAccessRecord, Feed, resetAccessRecord } from '../ingest/access-record.ts';
import type { LogFormat } from './detect-format.ts';
import { createFramer } from './framer.ts';
import { completedAtMs, noLoggedHeaders, type RecordSink, type RejectReason } from './log-format.ts';
import { type LogSource, messageOf } from './log-source.ts';
import { createReorderBuffer } from './reorder-buffer.ts';

export interface LogEntry {
  /** Valid until the next batch: whoever keeps a value copies it. */
  record: AccessRecord;
  /** Completion, Unix ms. */
  at: number;
  /** Index in `LogSet.files`. */
  file: number;
  /** Line the entry starts on, from 1; the ordinal of the message in binary captures. */
  line: number;
  /** The line as read; "" in binary captures and where several entries share a line or document. */
  raw: string;
}

/** What goes wrong and how much was read, for one file. */
export interface CursorTally {
  accepted: number;
  /** Lines, comments and blanks aside, or documents. */
  units: number;
  reordered: number;
  late: number;
  /** Why the file could not be read to its end; "" when it could. */
  problem: string;
}

/** Hands out and takes back entries, so that a steady stream allocates no records. */
export interface EntryPool {
  get(): LogEntry;
  put(entry: LogEntry): void;
}

export function createEntryPool(): EntryPool {
  const free: LogEntry[] = [];
  return {
    get: () => free.pop() ?? { record: createAccessRecord(Feed.replay, ''), at: 0, file: 0, line: 0, raw: '' },
    put(entry) {
      if (free.length >= maxPooled) return;
      entry.raw = '';
      free.push(entry);
    },
  };
}

/** Entries kept for reuse: those of the open files and one batch. */
const maxPooled = 10_000;
const noMetadata = (): undefined => undefined;

export interface FileCursor {
  /** The earliest settled entry; undefined when `fill` must be called first, or at the end. */
  peek(): LogEntry | undefined;
  take(): LogEntry | undefined;
  /** Reads on until something is settled. False at the end of the file. */
  fill(): Promise<boolean>;
  close(): Promise<void>;
  readonly tally: CursorTally;
}

export interface CursorOptions {
  source: LogSource;
  format: LogFormat;
  file: number;
  pool: EntryPool;
  sampling: boolean;
  /** Entries that may wait to be put in order. */
  maxHeld: number;
  signal: AbortSignal | undefined;
  reject(reason: RejectReason, line: number): void;
}

/** Lines may come this far behind later ones: Apache writes arrivals in the order of completions. */
export const reorderWindowMs = 30_000;

export function createFileCursor(options: CursorOptions): FileCursor {
  const { source, format, file, pool } = options;
  const order = createReorderBuffer<LogEntry>(reorderWindowMs, options.maxHeld);
  const tally: CursorTally = { accepted: 0, units: 0, reordered: 0, late: 0, problem: '' };
  const reader = format.createReader();
  let chunks: AsyncIterator<Buffer> | undefined;
  let ended = false;
  let entry: LogEntry | undefined;
  let line = 0;
  let raw = '';
  /** The first entry of the unit that is read. */
  let alone: LogEntry | undefined;

  const sink: RecordSink = {
    blank() {
      entry ??= pool.get();
      const r = entry.record;
      resetAccessRecord(r);
      r.source = source.name;
      r.loggedRequestHeaders = noLoggedHeaders;
      r.metadata = noMetadata;
      return r;
    },
    commit() {
      if (entry === undefined) return;
      if (!entry.record.finished) {
        options.reject('unfinished', line);
        return;
      }
      entry.at = completedAtMs(entry.record);
      entry.file = file;
      entry.line = line;
      if (alone !== undefined) alone.raw = raw = '';
      entry.raw = raw;
      alone = entry;
      tally.accepted++;
      order.push(entry);
      entry = undefined;
    },
    reject: (reason) => options.reject(reason, line),
  };

  const framer = createFramer(format.framing, {
    unit(text, at) {
      line = at;
      raw = text;
      alone = undefined;
      const outcome = reader.read(text, sink);
      if (outcome === 'skip') return;
      tally.units++;
      if (outcome !== 'pass') options.reject(outcome, at);
    },
    message(bytes, ordinal) {
      line = ordinal;
      raw = '';
      alone = undefined;
      tally.units++;
      const outcome = reader.readMessage?.(bytes, sink) ?? 'malformed';
      if (outcome !== 'pass' && outcome !== 'skip') options.reject(outcome, ordinal);
    },
    reject(reason, at) {
      tally.units++;
      options.reject(reason, at);
    },
  });

  async function readChunk(): Promise<void> {
    try {
      chunks ??= source.open({ sampling: options.sampling, signal: options.signal })[Symbol.asyncIterator]();
      const next = await chunks.next();
      if (next.done !== true) {
        framer.push(next.value);
        return;
      }
    } catch (cause) {
      if (options.signal?.aborted !== true) {
        tally.problem = messageOf(cause);
        options.reject(
          /unexpected end|incomplete|truncated/i.test(tally.problem) ? 'truncated' : 'unreadable',
          line + 1,
        );
      }
    }
    framer.end();
    order.end();
    ended = true;
  }

  return {
    peek: () => order.peek(),
    take: () => order.take(),
    async fill() {
      while (order.peek() === undefined) {
        if (ended) return false;
        await readChunk();
      }
      tally.reordered = order.reordered;
      tally.late = order.late;
      return true;
    },
    async close() {
      ended = true;
      await chunks?.return?.();
    },
    tally,
  };
}

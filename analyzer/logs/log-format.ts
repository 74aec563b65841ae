/** What a reader of a log format is. */
import type { AccessRecord } from '../ingest/access-record.ts';

/** Why a line or entry gave no record. Closed: reports group by it. */
export const rejectReasons = [
  'unrecognised',
  'bad_json',
  'no_time',
  'bad_time',
  'no_request',
  'bad_status',
  'no_fields_directive',
  'not_http',
  'unfinished',
  'too_long',
  'truncated',
  'malformed',
  'unreadable',
] as const;
export type RejectReason = (typeof rejectReasons)[number];

/** `pass`: every record of the unit went to the sink. `skip`: a comment, directive or blank, which is no loss. */
export type ReadOutcome = 'pass' | 'skip' | RejectReason;

/** Takes records one by one: fill what `blank` returns, then `commit`. A blank that is not committed is reused. */
export interface RecordSink {
  blank(): AccessRecord;
  commit(): void;
  /** An entry inside a unit that gave no record. */
  reject(reason: RejectReason): void;
}

/** Reads one unit: a line, a JSON document, or a message. Never throws, whatever the text. */
export interface UnitReader {
  read(unit: string, sink: RecordSink): ReadOutcome;
  /** Binary formats only. The bytes are valid during the call. */
  readMessage?(bytes: Buffer, sink: RecordSink): ReadOutcome;
}

/** How a file is cut into units. */
export type Framing =
  /** One unit per line. */
  | 'lines'
  /** JSON objects that span lines, stand in an array, or follow each other: one unit per object. */
  | 'json-objects'
  /** The members of `log.entries` of an HTTP archive. */
  | 'har-entries'
  /** Varint length, then a message. */
  | 'delimited';

/** Completion, Unix ms: what records are ordered by. */
export function completedAtMs(r: AccessRecord): number {
  return Number.isNaN(r.durationMs) ? r.startedAtMs : r.startedAtMs + r.durationMs;
}

/** Longer than any request: a number that was read wrongly, or is none. */
const maxDurationMs = 31 * 86_400_000;

/** The duration itself, or NaN when it cannot be one. */
export function knownDuration(ms: number): number {
  return ms >= 0 && ms <= maxDurationMs ? ms : Number.NaN;
}

/** Sets start and duration from a completion time. */
export function setCompletedAt(r: AccessRecord, atMs: number, durationMs: number): void {
  r.durationMs = knownDuration(durationMs);
  r.startedAtMs = Number.isNaN(r.durationMs) ? atMs : atMs - durationMs;
}

export const noLoggedHeaders: ReadonlySet<string> = new Set();
/** Request headers that a combined log reports on. */
export const combinedHeaders: ReadonlySet<string> = new Set(['user-agent', 'referer']);
/** Request headers that Envoy's default formats report on. */
export const agentHeaders: ReadonlySet<string> = new Set(['user-agent']);

/** Findings, verdicts and the rest as rows of their tables. None of it is on the hot path. */
import type { Finding, Verdict } from '../verdict.ts';
import { decisions, findings, gaps, inputs, loss, type Table, ticks, verdicts } from './schema.ts';
import { type DecisionRow, type GapRow, type InputRow, type LossRow, StoreError, type TickRow } from './store.ts';

/** One value as JSON reads and writes it; 64-bit integers are decimal strings. */
export type Cell = string | number | boolean | null | Cell[];

export interface RecordTable<T> {
  table: Table;
  columns: readonly [string, ...string[]];
  toRow(record: T): Cell[];
  fromRow(row: Cell[]): T;
}

/**
 * 16 hex digits to a decimal UInt64.
 * @throws StoreError `refused` for anything else.
 */
export const pseudonymToDecimal = (pseudonym: string): string => {
  if (!/^[0-9a-f]{1,16}$/i.test(pseudonym)) {
    throw new StoreError('refused', `pseudonym ${JSON.stringify(pseudonym)} is not 16 hex digits`, false);
  }
  return BigInt(`0x${pseudonym}`).toString();
};
const pseudonymFromDecimal = (value: Cell): string =>
  BigInt(value as string)
    .toString(16)
    .padStart(16, '0');

/** ClickHouse reads and writes the numbers that JSON lacks as text. */
const float = (value: number): Cell =>
  Number.isFinite(value) ? value : Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
const number = (cell: Cell): number => {
  if (cell === 'nan' || cell === null) return Number.NaN;
  if (cell === 'inf') return Number.POSITIVE_INFINITY;
  if (cell === '-inf') return Number.NEGATIVE_INFINITY;
  return Number(cell);
};

export const tickRecords: RecordTable<TickRow> = {
  table: ticks,
  columns: ['tick', 'at', 'last_seq'],
  toRow: (r) => [r.tick, float(r.at), r.lastSeq],
  fromRow: ([tick = 0, at = 0, lastSeq = 0]) => ({ tick: number(tick), at: number(at), lastSeq: number(lastSeq) }),
};

export const inputRecords: RecordTable<InputRow> = {
  table: inputs,
  columns: ['seq', 'at', 'kind', 'key', 'body'],
  toRow: (r) => [r.seq, float(r.at), r.kind, r.key, r.body],
  fromRow: ([seq = 0, at = 0, kind = '', key = '', body = '']) => ({
    seq: number(seq),
    at: number(at),
    kind: kind as InputRow['kind'],
    key: String(key),
    body: String(body),
  }),
};

export const gapRecords: RecordTable<GapRow> = {
  table: gaps,
  columns: ['at', 'from_seq', 'to_seq', 'reason'],
  toRow: (r) => [float(r.at), r.fromSeq, r.toSeq, r.reason],
  fromRow: ([at = 0, fromSeq = 0, toSeq = 0, reason = '']) => ({
    at: number(at),
    fromSeq: number(fromSeq),
    toSeq: number(toSeq),
    reason: String(reason),
  }),
};

export const findingRecords: RecordTable<Finding> = {
  table: findings,
  columns: [
    'detector',
    'family',
    'api',
    'kind',
    'pseudonym',
    'since',
    'until',
    'p_value',
    'observed',
    'expected',
    'unit',
    'baseline_n',
    'baseline_age_ms',
    'baseline_prior',
    'sample_seqs',
    'tick',
    'partition',
    'seq',
  ],
  toRow: (r) => [
    r.detector,
    r.family,
    r.api,
    r.kind,
    pseudonymToDecimal(r.pseudonym),
    float(r.since),
    float(r.until),
    float(r.pValue),
    float(r.observed),
    float(r.expected),
    r.unit,
    float(r.baseline.n),
    float(r.baseline.ageMs),
    r.baseline.prior,
    r.sampleSeqs,
    r.tick,
    r.partition,
    r.seq,
  ],
  fromRow: (row) => {
    const at = (index: number): Cell => row[index] as Cell;
    return {
      detector: at(0) as Finding['detector'],
      family: at(1) as Finding['family'],
      api: at(2) as string,
      kind: at(3) as Finding['kind'],
      pseudonym: pseudonymFromDecimal(at(4)),
      since: number(at(5)),
      until: number(at(6)),
      pValue: number(at(7)),
      observed: number(at(8)),
      expected: number(at(9)),
      unit: at(10) as string,
      baseline: { n: number(at(11)), ageMs: number(at(12)), prior: at(13) as boolean },
      sampleSeqs: (at(14) as Cell[]).map(number),
      tick: number(at(15)),
      partition: number(at(16)),
      seq: number(at(17)),
    };
  },
};

/** The body holds the verdict whole; its numbers must be finite. The other columns are for searching. */
export const verdictRecords: RecordTable<Verdict> = {
  table: verdicts,
  columns: ['name', 'api', 'kind', 'pseudonym', 'score', 'level', 'last_seen', 'tick', 'body'],
  toRow: (r) => [
    r.name,
    r.api,
    r.kind,
    pseudonymToDecimal(r.pseudonym),
    float(r.score),
    r.level,
    float(r.lastSeen),
    r.tick,
    JSON.stringify(r),
  ],
  fromRow: (row) => JSON.parse(row[8] as string) as Verdict,
};

export const decisionRecords: RecordTable<DecisionRow> = {
  table: decisions,
  columns: [
    'id',
    'at',
    'api',
    'kind',
    'pseudonym',
    'action',
    'mode',
    'verdict',
    'policy',
    'policy_revision',
    'decided_at',
    'expires_at',
    'evidence_complete_at',
    'event',
    'reason',
  ],
  toRow: (r) => [
    r.id,
    float(r.at),
    r.api,
    r.kind,
    pseudonymToDecimal(r.pseudonym),
    r.action,
    r.mode,
    r.verdict,
    r.policy,
    r.policyRevision,
    float(r.decidedAt),
    float(r.expiresAt),
    float(r.evidenceCompleteAt),
    r.event,
    r.reason,
  ],
  fromRow: (row) => {
    const at = (index: number): Cell => row[index] as Cell;
    return {
      id: at(0) as string,
      at: number(at(1)),
      api: at(2) as string,
      kind: number(at(3)),
      pseudonym: pseudonymFromDecimal(at(4)),
      action: number(at(5)),
      mode: number(at(6)),
      verdict: at(7) as string,
      policy: at(8) as string,
      policyRevision: at(9) as string,
      decidedAt: number(at(10)),
      expiresAt: number(at(11)),
      evidenceCompleteAt: number(at(12)),
      event: at(13) as string,
      reason: at(14) as string,
    };
  },
};

export const lossRecords: RecordTable<LossRow> = {
  table: loss,
  columns: ['minute', 'stage', 'reason', 'count'],
  toRow: (r) => [float(r.minute), r.stage, r.reason, r.count],
  fromRow: ([minute = 0, stage = '', reason = '', count = 0]) => ({
    minute: number(minute),
    stage: String(stage),
    reason: String(reason),
    count: number(count),
  }),
};

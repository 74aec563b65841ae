/** The narrow port to ClickHouse. The analyzer's history, and all that a replay needs. */
import type { ObservationBatch } from '../observation.ts';
import type { Finding, Verdict } from '../verdict.ts';

export interface Store {
  /** Runs what migrations are missing; safe to run twice. */
  migrate(): Promise<void>;
  /** Resolves when acknowledged. `token` makes a repeated insert harmless. Throws `StoreError`. */
  insertObservations(rows: readonly ObservationRow[], token: string): Promise<void>;
  insertTicks(rows: readonly TickRow[], token: string): Promise<void>;
  insertInputs(rows: readonly InputRow[], token: string): Promise<void>;
  insertGaps(rows: readonly GapRow[], token: string): Promise<void>;
  insertFindings(rows: readonly Finding[], token: string): Promise<void>;
  insertVerdicts(rows: readonly Verdict[], token: string): Promise<void>;
  insertDecisions(rows: readonly DecisionRow[], token: string): Promise<void>;
  insertLoss(rows: readonly LossRow[], token: string): Promise<void>;
  /** Rows with `after < seq <= upTo`, in seq order, in pages appended to `page` (cleared before each). */
  readObservations(after: number, upTo: number, page: ObservationBatch): AsyncIterable<ObservationBatch>;
  /** Ticks that came after observation `afterSeq`, in order: `lastSeq >= afterSeq`. */
  readTicks(afterSeq: number): AsyncIterable<TickRow[]>;
  /** Inputs that took effect after observation `afterSeq`, in order: `seq >= afterSeq`, so 0 gives the first ones too. */
  readInputs(afterSeq: number): Promise<InputRow[]>;
  /** Gaps that reach beyond `afterSeq`, in order. */
  readGaps(afterSeq: number): Promise<GapRow[]>;
  /** The newest that match, oldest first. `verdict` does not narrow findings; `pseudonym` does. */
  readFindings(filter: HistoryFilter): Promise<Finding[]>;
  /** The newest that match, oldest first; a verdict appears once for each time it was stored. */
  readVerdicts(filter: HistoryFilter): Promise<Verdict[]>;
  /** Highest stored seq and number of stored observations. */
  extent(): Promise<{ firstSeq: number; lastSeq: number; observations: number }>;
  /** Up to where conclusions are stored; what a stored tick led to after that was lost in a crash. */
  told(): Promise<Told>;
  /** Runs one of our own statements (never user text) and returns rows; for reports. Values only as parameters. */
  query<T>(sql: string, parameters?: Record<string, string | number>): Promise<T[]>;
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

/** Newest tick with a finding, with a verdict, and event time of the newest decision; 0 = none. */
export interface Told {
  findingTick: number;
  verdictTick: number;
  decisionAt: number;
}

/** One observation with the strings that its hashes stand for. */
export interface ObservationRow {
  batch: ObservationBatch;
  index: number;
  /** "<namespace>/<name>" */
  api: string;
  method: string;
  template: string;
}

/** Everything up to `lastSeq` was processed before tick `tick`, whose event time is `at`. */
export interface TickRow {
  tick: number;
  at: number;
  lastSeq: number;
}

/** A change of what verdicts depend on besides traffic; takes effect after observation `seq` and before `seq + 1`. */
export interface InputRow {
  seq: number;
  at: number;
  kind: 'policy' | 'policyDeleted' | 'review' | 'exemption' | 'adoption' | 'match' | 'key' | 'build';
  key: string;
  /** protobuf JSON or JSON; no identities in clear. */
  body: string;
}

/** Observations `fromSeq..toSeq` were processed but never stored. */
export interface GapRow {
  at: number;
  fromSeq: number;
  toSeq: number;
  reason: string;
}

export interface DecisionRow {
  id: string;
  at: number;
  api: string;
  kind: number;
  pseudonym: string;
  action: number;
  mode: number;
  verdict: string;
  policy: string;
  policyRevision: string;
  decidedAt: number;
  expiresAt: number;
  evidenceCompleteAt: number;
  /** decided | extended | lifted | expired | suppressed */
  event: string;
  reason: string;
}

export interface LossRow {
  minute: number;
  stage: string;
  reason: string;
  count: number;
}

export interface HistoryFilter {
  api?: string;
  verdict?: string;
  pseudonym?: string;
  since?: number;
  until?: number;
  limit?: number;
}

/** `retriable` false means the same insert can never succeed. */
export class StoreError extends Error {
  readonly code: 'unavailable' | 'timeout' | 'refused' | 'full' | 'unreadable';
  readonly retriable: boolean;
  constructor(code: StoreError['code'], message: string, retriable: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreError';
    this.code = code;
    this.retriable = retriable;
  }
}

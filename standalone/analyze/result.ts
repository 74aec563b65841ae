/**
 * What `picket analyze` found, as plain data: the one source of the terminal, HTML, JSON and CSV reports.
 *
 * The value is the JSON document: instants are RFC 3339 strings in UTC with milliseconds, durations are numbers with the
 * unit in the name, ratios are 0..1, and what is not known is `null`, never a made-up zero. Field by field:
 * `docs/reference/analyze-json.md`; the schema beside it is held against real output by a test.
 */
import type { DetectorId } from '@picket/analyzer/verdict.ts';

/** Raised when a field is removed or changes its meaning; additions leave it alone. */
export const resultVersion = 1;

/** RFC 3339 in UTC with milliseconds: `2026-03-01T12:00:00.000Z`. */
export type Instant = string;

export const levelNames = ['None', 'Low', 'Elevated', 'High', 'Critical'] as const;
export type LevelName = (typeof levelNames)[number];

export const kindNames = [
  'User',
  'App',
  'Token',
  'Session',
  'Device',
  'Address',
  'Network',
  'Workload',
  'Campaign',
] as const;
export type KindName = (typeof kindNames)[number];

export const actionNames = ['Tag', 'Throttle', 'Challenge', 'Deny'] as const;
export type ActionName = (typeof actionNames)[number];

export interface AnalyzeResult {
  version: typeof resultVersion;
  /** Requests that were read and counted. */
  requests: number;
  /** The first lines that could not be read; `rejectedCount` counts them all. */
  rejected: RejectedLine[];
  rejectedCount: number;
  rejectedByReason: { reason: string; count: number }[];
  /** Completion of the first and last request; `null` without any. */
  from: Instant | null;
  to: Instant | null;
  /** True when the run was stopped before the end of its input. */
  interrupted: boolean;
  /** True when `--pseudonymise` hid values. */
  pseudonymised: boolean;
  inputs: InputFile[];
  /** What was not stated and had to be worked out from the log, or stated by manifests. */
  apis: ApiSummary[];
  /** About how many principals of each kind were seen (linear counting, about 1 % error). */
  principalsSeen: { kind: KindName; count: number }[];
  totals: Totals;
  /** By count, highest first. Past a bound the rest share one row with method `*` and template `(other)`. */
  operations: OperationSummary[];
  /** Principals that were ever at `Low` or above, campaigns included; by peak score, highest first. */
  verdicts: VerdictSummary[];
  wouldAct: WouldAct;
  spikes: Spike[];
  forecast: Forecast;
  series: Series;
  /** Limits that were met, in words: rows merged, samples forgotten, outlying times left out of the charts. */
  notes: string[];
}

export interface RejectedLine {
  /** From 1. */
  line: number;
  file: string;
  reason: string;
}

export interface InputFile {
  file: string;
  /** `nginx-combined`, `envoy-json`, …; "" when nothing could be read. */
  format: string;
  lines: number;
  /** Bytes as read, before decompression; `null` for a stream. */
  bytes: number | null;
}

export interface ApiSummary {
  /** `<namespace>/<name>`. */
  name: string;
  hosts: string[];
  requests: number;
  /** `manifests` when a ProtectedAPI states it, else `inferred`. */
  source: 'inferred' | 'manifests';
  /** One sentence each: "Sessions are told apart by cookie sid". */
  facts: string[];
}

export interface Totals {
  errorRatio: number | null;
  /** Answers of 500 and above. */
  serverErrorRatio: number | null;
  responseBytes: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

export interface OperationSummary {
  api: string;
  method: string;
  template: string;
  count: number;
  /** Mean over the whole span. */
  perSecond: number;
  /** Answers of 400 and above. */
  errorRatio: number;
  serverErrorRatio: number;
  /** `null` when the log has no durations. */
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
  /** `null` when the log has no sizes. */
  responseBytes: number | null;
  responseBytesMean: number | null;
}

export interface VerdictSummary {
  /** Stable name `<api>-<kind>-<pseudonym prefix>`. */
  name: string;
  api: string;
  principal: {
    kind: KindName;
    /** As logged; `null` when hidden or no longer known. */
    value: string | null;
    /** 16 hex digits. */
    pseudonym: string;
  };
  /** Peak over the span, 0..100. */
  score: number;
  /** Level at the peak. */
  level: LevelName;
  /** Where decay had brought them by the last update. */
  scoreAtEnd: number;
  levelAtEnd: LevelName;
  /** 0..1: how much stands behind the baselines. Beside the score, not in it. */
  confidence: number;
  firstSeen: Instant;
  lastSeen: Instant;
  requests: number;
  levelChanges: { level: LevelName; at: Instant }[];
  findings: FindingSummary[];
  /** Points by source; they add up to the score at its peak within rounding. */
  contributions: { source: string; points: number }[];
  /** What would make all of it harmless. */
  benignIf: string;
  /** Set for campaigns. */
  campaign: CampaignSummary | null;
  /** What the policy would have done, hardest first seen; `null` when nothing. */
  decision: { action: ActionName; at: Instant; until: Instant } | null;
  /** Why no decision could be made; `null` when one could. */
  notEnforceable: string | null;
  samples: SampleLine[];
  timeline: { widthMs: number; points: { at: Instant; requests: number; errors: number }[] };
}

export interface FindingSummary {
  detector: DetectorId;
  since: Instant;
  until: Instant;
  observed: number;
  expected: number;
  pValue: number;
  /** Share of the score's points that this detector earned, 0..1. */
  share: number;
  /** What was counted. */
  unit: string;
  /** The finding in one plain sentence. */
  words: string;
  /** Requests behind the expectation, and whether a prior stood in for a learned baseline. */
  baseline: { n: number; prior: boolean };
  /** Ids in the OWASP API Security Top 10 (2023) and OWASP Automated Threats. */
  owasp: string[];
  oat: string[];
}

export interface CampaignSummary {
  traits: { trait: string; value: string }[];
  /** Share of the requests with these traits that belong to the attack, 0..1. */
  precision: number;
  addresses: number;
  accounts: number;
}

/** One line of the input, kept as evidence. */
export interface SampleLine {
  file: string;
  line: number;
  at: Instant;
  method: string;
  template: string;
  status: number;
  /** As read, cut at 400 characters; rebuilt from the fields above when values are hidden. */
  text: string;
}

/** What the policy would have done to this traffic, had it been in force. */
export interface WouldAct {
  /** Which policy was assumed, in words. */
  policy: string;
  actions: WouldActRow[];
}

export interface WouldActRow {
  action: ActionName;
  /** Principals and campaigns acted on. */
  principals: number;
  requests: number;
  /** Those in good standing that the action would have hit as well: the price. */
  ordinaryPrincipals: number;
  ordinaryRequests: number;
}

export interface Spike {
  api: string;
  measure: 'requests' | 'errors';
  direction: 'up' | 'down';
  since: Instant;
  until: Instant;
  /** Sum over the spike. */
  observed: number;
  expected: number;
  /** Robust residual at its highest, in standard deviations of ordinary buckets. */
  strength: number;
  /** Operation with most of the difference; `null` when none stands out. */
  operation: { method: string; template: string; share: number } | null;
}

export type Forecast =
  | {
      available: true;
      /** Length of the season found. */
      seasonMs: number;
      stepMs: number;
      /** Requests per step, with the band that held 95 % of past errors one to a season ahead. */
      points: { at: Instant; requests: number; low: number; high: number }[];
      /** Mean absolute error over the last season of the log, held back, as a share of its mean. */
      backtestError: number;
    }
  | { available: false; reason: string };

/** All arrays are as long as `at`; buckets without requests are there with zeros. */
export interface Series {
  widthMs: number;
  at: Instant[];
  requests: number[];
  errors: number[];
  serverErrors: number[];
  responseBytes: number[];
  p50Ms: (number | null)[];
  p95Ms: (number | null)[];
  p99Ms: (number | null)[];
  /** Highest score of any principal that was judged in the bucket; 0 when none. */
  risk: number[];
  /** Principals at `Elevated` or above in the bucket. */
  atRisk: number[];
}

/** Unix milliseconds → RFC 3339 with milliseconds. Times a calendar cannot hold are clamped. */
export function instant(ms: number): Instant {
  const limit = 8.64e15;
  return new Date(Number.isFinite(ms) ? Math.min(limit, Math.max(-limit, ms)) : 0).toISOString();
}

/** `levelRank('High') > levelRank('Low')`. */
export function levelRank(level: LevelName): number {
  return levelNames.indexOf(level);
}

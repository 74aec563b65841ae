/** What a collector gathers and a report is built from. */
import { apiIdOf } from '@picket/analyzer/operations/template.ts';
import type { CampaignTrait } from '@picket/analyzer/verdict.ts';
import { wordsOf } from '@picket/analyzer/profile/hash.ts';
import type { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { EvidenceKey, EvidenceTable } from './principal-evidence.ts';
import type { RequestTotals } from './request-totals.ts';
import type { ApiSummary, InputFile, KindName, RejectedLine } from './result.ts';
import type { TimeBuckets } from './time-buckets.ts';
import type { VerdictHistories } from './verdict-history.ts';
import type { ActionTally } from './would-act.ts';

/** What only the end of a run knows. */
export interface RunSummary {
  inputs: InputFile[];
  apis: Omit<ApiSummary, 'requests'>[];
  interrupted: boolean;
  /** Policy that `acted` assumed, in words: "the default policy, dry run". */
  policy: string;
  /** Raw value from the escrow; `undefined` when it is gone. */
  principalValue: (kind: PrincipalKind, pseudonym: string) => string | undefined;
  /** A campaign's trait as people know it: a prefix, a user agent, an operation. */
  traitValue: (trait: CampaignTrait) => string | undefined;
  /** Further limits that the run met, in words. */
  notes?: string[];
}

/** All that was gathered; read by `buildResult`. */
export interface Gathered {
  requests: number;
  fromMs: number;
  toMs: number;
  rejected: RejectedLine[];
  rejectedCount: number;
  rejectedByReason: Map<string, number>;
  totals: RequestTotals;
  operations: OperationTally[];
  mergedOperations: number;
  apis: Map<string, ApiTally>;
  /** Of all APIs. */
  counts: TimeBuckets<CountBucket>;
  series: TimeBuckets<RequestTotals>;
  seen: Map<KindName, PseudonymCounter>;
  evidence: EvidenceTable;
  verdicts: VerdictHistories;
  actions: ActionTally;
}

export interface CountBucket {
  requests: number;
  errors: number;
}

export interface ApiTally {
  requests: number;
  /** Absent for APIs past the bound on time series. */
  counts: TimeBuckets<CountBucket> | undefined;
}

export interface OperationTally {
  api: string;
  method: string;
  template: string;
  totals: RequestTotals;
  /** Absent for operations past the bound on time series. */
  counts: TimeBuckets<CountBucket> | undefined;
}

export const limits = {
  operations: 2_000,
  operationSeries: 256,
  apiSeries: 64,
  principals: 6_000,
  verdicts: 5_000,
  rejected: 1_000,
  reasons: 50,
  recentLines: 16_384,
  recentBytes: 8 << 20,
  chartBuckets: 400,
  countBuckets: 2_048,
  sampleCharacters: 400,
} as const;

/** The span that charts show. */
export interface ChartRange {
  fromMs: number;
  toMs: number;
  /** Requests outside, left out of charts. */
  outside: number;
}

export interface PseudonymCounter {
  /** @param hi high word of a pseudonym */
  add(hi: number): void;
  /** Linear counting (Whang et al., 1990): within 1 % up to about a million. */
  count(): number;
}

/** A principal as a verdict names it. */
export function evidenceKey(kind: PrincipalKind, pseudonym: string): EvidenceKey {
  return { kind, ...wordsOf(pseudonym) };
}

/** Evidence is kept per API: who uses two is two entries. Fills and returns `into`. */
export function evidenceOn(
  api: number,
  { kind, lo, hi }: EvidenceKey,
  into: EvidenceKey = { kind, lo, hi },
): EvidenceKey {
  into.kind = kind;
  into.lo = (lo ^ api) >>> 0;
  into.hi = hi;
  return into;
}

/** The number of an API in `evidenceOn`. */
export function apiNumber(api: string): number {
  return apiIdOf(api).lo;
}

/**
 * Gathers a report while a log passes, in memory that does not grow with it: counts and sketches per operation and
 * time bucket, a bounded table of evidence, and the verdicts as they change.
 */
import { ownText } from '@picket/analyzer/logs/text-cache.ts';
import type { Verdict } from '@picket/analyzer/verdict.ts';
import { kindName } from './labels.ts';
import { createRecentLines } from './recent-lines.ts';
import { createEvidenceTable, type EvidenceKey, type EvidenceLine } from './principal-evidence.ts';
import { addRequest, createRequestTotals, requestTotals } from './request-totals.ts';
import {
  type CountBucket,
  apiNumber,
  evidenceKey,
  evidenceOn,
  type Gathered,
  limits,
  type OperationTally,
  type PseudonymCounter,
  type ApiTally,
  type RunSummary,
} from './gathered.ts';
import { buildResult } from './result-builder.ts';
import type { ActionName, AnalyzeResult, RejectedLine } from './result.ts';
import { createTimeBuckets, type TimeBuckets } from './time-buckets.ts';
import { createVerdictHistories } from './verdict-history.ts';
import { createActionTally } from './would-act.ts';

/** One request as the report needs it. May be reused between calls; texts that are kept are copied. */
export interface SeenRequest {
  /** As in the observation record, so that findings can point back at lines. */
  seq: number;
  /** Completion, Unix ms. */
  eventAtMs: number;
  /** `<namespace>/<name>`. */
  api: string;
  method: string;
  /** Path template; "" for no known operation. */
  template: string;
  /** 0 when no response was sent. */
  status: number;
  /** NaN when unknown, like `responseBytes`. */
  durationMs: number;
  responseBytes: number;
  /** A flow failed: a login refused, even when it answered 200. */
  failedFlow: boolean;
  /** `Signal` bits. */
  signals: number;
  principals: readonly EvidenceKey[];
  /** Set when a decision in force (dry run) would have met the request. */
  acted?: ActedOn | undefined;
  file: string;
  line: number;
  /** The line as read; shown as evidence. */
  text: string;
}

export interface ActedOn {
  action: ActionName;
  /** Pseudonym of the principal or campaign that the decision is about. */
  subject: string;
  /** Pseudonym of a principal in good standing that the request belongs to; absent when there is none. */
  ordinary?: string;
}

export interface AnalyzeCollector {
  onObservation(r: SeenRequest): void;
  onRejected(r: RejectedLine): void;
  /** `count` more lines were rejected for this reason, of which no sample was kept. */
  onRejectedMore(reason: string, count: number): void;
  /** Every change of a verdict, the last state included; `atMs` is the time of the change, its last evidence by default. */
  onVerdict(v: Verdict, atMs?: number): void;
  /** The report so far; the collector goes on. */
  build(run: RunSummary): AnalyzeResult;
}

const countKind = {
  create: (): CountBucket => ({ requests: 0, errors: 0 }),
  merge(into: CountBucket, from: CountBucket) {
    into.requests += from.requests;
    into.errors += from.errors;
  },
};

export function createCollector(): AnalyzeCollector {
  const recent = createRecentLines(limits.recentLines, limits.recentBytes);
  const g: Gathered = {
    requests: 0,
    fromMs: Number.POSITIVE_INFINITY,
    toMs: Number.NEGATIVE_INFINITY,
    rejected: [],
    rejectedCount: 0,
    rejectedByReason: new Map(),
    totals: createRequestTotals(),
    operations: [],
    mergedOperations: 0,
    apis: new Map(),
    counts: createTimeBuckets(limits.countBuckets, countKind),
    series: createTimeBuckets(limits.chartBuckets, requestTotals),
    seen: new Map(),
    evidence: createEvidenceTable(limits.principals),
    verdicts: createVerdictHistories(limits.verdicts),
    actions: createActionTally(),
  };

  const counters: (PseudonymCounter | undefined)[] = [];
  let seen: SeenRequest | undefined;
  const lineOfSeen = (): EvidenceLine => evidenceLine(seen as SeenRequest);

  /** Names are looked up one by one: put together they would be a new text to hash with every request. */
  const tallies = new Map<string, Map<string, Map<string, OperationTally>>>();

  function operationOf(api: string, method: string, template: string): OperationTally {
    let byMethod = tallies.get(api);
    if (byMethod === undefined) tallies.set(api, (byMethod = new Map()));
    let byTemplate = byMethod.get(method);
    if (byTemplate === undefined) byMethod.set(method, (byTemplate = new Map()));
    const known = byTemplate.get(template);
    if (known !== undefined) return known;
    if (g.operations.length >= limits.operations && template !== '(other)') {
      g.mergedOperations++;
      return operationOf('', '*', '(other)');
    }
    const fresh: OperationTally = {
      api,
      method,
      template,
      totals: createRequestTotals(),
      counts: g.operations.length < limits.operationSeries ? createTimeBuckets(512, countKind) : undefined,
    };
    byTemplate.set(template, fresh);
    g.operations.push(fresh);
    return fresh;
  }

  function apiOf(name: string): ApiTally {
    let api = g.apis.get(name);
    if (api === undefined) {
      const counted = g.apis.size < limits.apiSeries;
      api = { requests: 0, counts: counted ? createTimeBuckets(limits.countBuckets, countKind) : undefined };
      g.apis.set(name, api);
    }
    return api;
  }

  const here: EvidenceKey = { kind: 0, lo: 0, hi: 0 };
  const numbers = new Map<string, number>();

  function numberOf(api: string): number {
    let number = numbers.get(api);
    if (number === undefined) numbers.set(api, (number = apiNumber(api)));
    return number;
  }

  function countRejected(reason: string, more: number): void {
    g.rejectedCount += more;
    const known = g.rejectedByReason.has(reason) || g.rejectedByReason.size < limits.reasons;
    const name = known ? reason : 'other reasons';
    g.rejectedByReason.set(name, (g.rejectedByReason.get(name) ?? 0) + more);
  }

  return {
    onObservation(r) {
      const at = r.eventAtMs;
      const error = r.status >= 400 || r.status === 0;
      g.requests++;
      if (at < g.fromMs) g.fromMs = at;
      if (at > g.toMs) g.toMs = at;
      addRequest(g.totals, r.status, r.durationMs, r.responseBytes);
      addRequest(g.series.at(at), r.status, r.durationMs, r.responseBytes);
      const operation = operationOf(r.api, r.method, r.template === '' ? '(unknown)' : r.template);
      addRequest(operation.totals, r.status, r.durationMs, r.responseBytes);
      count(operation.counts, at, error);
      const api = apiOf(r.api);
      api.requests++;
      count(api.counts, at, error);
      count(g.counts, at, error);
      recent.add(r, sampleOf(r.text));
      const weight = (error ? 1 : 0) + (r.failedFlow ? 2 : 0) + (r.signals !== 0 ? 3 : 0);
      seen = r;
      const number = numberOf(r.api);
      for (const p of r.principals) {
        let counter = counters[p.kind];
        if (counter === undefined) {
          counter = counters[p.kind] = createPseudonymCounter();
          g.seen.set(kindName(p.kind), counter);
        }
        counter.add(p.hi);
        g.evidence.add(evidenceOn(number, p, here), at, error || r.failedFlow, weight, lineOfSeen);
      }
      if (r.acted !== undefined) g.actions.add(r.acted);
    },
    onRejected(r) {
      if (g.rejected.length < limits.rejected) g.rejected.push({ line: r.line, file: r.file, reason: r.reason });
      countRejected(r.reason, 1);
    },
    onRejectedMore: countRejected,
    onVerdict(v, atMs = v.lastSeen) {
      // What was only inherited says nothing that its source does not say.
      if (v.findings.length === 0) return;
      const history = g.verdicts.add(v, atMs);
      if (history === undefined) return;
      const key = evidenceOn(numberOf(v.api), evidenceKey(v.kind, v.pseudonym));
      if (g.evidence.pin(key)) for (const f of v.findings) g.evidence.attach(key, recent.find(f.sampleSeqs));
    },
    build: (run) => buildResult(g, run),
  };
}

function count(buckets: TimeBuckets<CountBucket> | undefined, at: number, error: boolean): void {
  if (buckets === undefined) return;
  const bucket = buckets.at(at);
  bucket.requests++;
  if (error) bucket.errors++;
}

function evidenceLine(r: SeenRequest): EvidenceLine {
  return {
    file: r.file,
    line: r.line,
    atMs: r.eventAtMs,
    method: r.method,
    template: r.template,
    status: r.status,
    text: ownText(sampleOf(r.text)),
  };
}

function sampleOf(text: string): string {
  return text.length > limits.sampleCharacters ? `${text.slice(0, limits.sampleCharacters)}…` : text;
}

function createPseudonymCounter(): PseudonymCounter {
  const bits = 20;
  const map = new Uint32Array(2 ** (bits - 5));
  let set = 0;
  return {
    add(hi) {
      const slot = hi >>> (32 - bits);
      const mask = 1 << (slot & 31);
      const word = map[slot >>> 5] ?? 0;
      if ((word & mask) !== 0) return;
      map[slot >>> 5] = word | mask;
      set++;
    },
    count() {
      const size = 2 ** bits;
      return set >= size ? size * bits : Math.round(-size * Math.log(1 - set / size));
    },
  };
}

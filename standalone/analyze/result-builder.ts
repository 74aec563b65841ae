/** Gathered counts → `AnalyzeResult`. Pure: the same counts give the same report. */
import { type DetectorId, references, type Verdict } from '@picket/analyzer/verdict.ts';
import {
  apiNumber,
  type ChartRange,
  evidenceKey,
  evidenceOn,
  type Gathered,
  limits,
  type RunSummary,
} from './gathered.ts';
import { forecastRequests } from './forecast.ts';
import { actionName, kindName, levelName } from './labels.ts';
import { evidenceLines, type PrincipalEvidence } from './principal-evidence.ts';
import { findingWords } from './reason.ts';
import { quantileMs, type RequestTotals } from './request-totals.ts';
import {
  type AnalyzeResult,
  type FindingSummary,
  instant,
  type LevelName,
  levelRank,
  type OperationSummary,
  resultVersion,
  type Series,
  type VerdictSummary,
} from './result.ts';
import { spikesByApi } from './spike-report.ts';
import type { VerdictHistory } from './verdict-history.ts';

export function buildResult(g: Gathered, run: RunSummary): AnalyzeResult {
  const any = g.requests > 0;
  const range = chartRange(g);
  const verdicts = g.verdicts
    .all()
    .map((h) => verdictSummary(h, g, run))
    .filter((v) => v.level !== 'None')
    .sort((a, b) => b.score - a.score || levelRank(b.level) - levelRank(a.level) || (a.name < b.name ? -1 : 1));
  const counts = any ? countsOf(g.counts.dense(limits.countBuckets, range.fromMs, range.toMs)) : undefined;
  return {
    version: resultVersion,
    requests: g.requests,
    rejected: g.rejected,
    rejectedCount: g.rejectedCount,
    rejectedByReason: [...g.rejectedByReason]
      .map(([reason, count]) => ({ reason, count }))
      .sort((a, b) => b.count - a.count),
    from: any ? instant(g.fromMs) : null,
    to: any ? instant(g.toMs) : null,
    interrupted: run.interrupted,
    pseudonymised: false,
    inputs: run.inputs,
    apis: run.apis
      .map((a) => ({ ...a, requests: g.apis.get(a.name)?.requests ?? 0 }))
      // The one for all other hosts is always inferred.
      .filter((a) => a.requests > 0 || a.source === 'manifests')
      .sort((a, b) => b.requests - a.requests),
    principalsSeen: [...g.seen].map(([kind, counter]) => ({ kind, count: counter.count() })),
    totals: {
      errorRatio: ratio(g.totals.errors, g.requests),
      serverErrorRatio: ratio(g.totals.serverErrors, g.requests),
      responseBytes: g.totals.sized > 0 ? g.totals.bytes : null,
      p50Ms: quantileMs(g.totals, 0.5),
      p95Ms: quantileMs(g.totals, 0.95),
      p99Ms: quantileMs(g.totals, 0.99),
    },
    operations: operations(g),
    verdicts,
    wouldAct: { policy: run.policy, actions: g.actions.rows() },
    spikes: any ? spikesByApi(g, range) : [],
    forecast: counts ? forecastRequests(counts) : { available: false, reason: 'no requests were read' },
    series: series(g, range, verdicts),
    notes: [...notes(g, range), ...(run.notes ?? [])],
  };
}

/**
 * The span that charts show. A handful of lines years away from the others would flatten all of it; they count
 * everywhere else.
 */
function chartRange(g: Gathered): ChartRange {
  const full = { fromMs: g.fromMs, toMs: g.toMs, outside: 0 };
  const entries = g.series.entries();
  const allowed = Math.floor(g.requests / 1000);
  let lo = 0;
  let hi = entries.length - 1;
  let outside = 0;
  const weight = (i: number) => entries[i]?.[1].requests ?? 0;
  while (lo < hi && outside + weight(lo) <= allowed) outside += weight(lo++);
  while (hi > lo && outside + weight(hi) <= allowed) outside += weight(hi--);
  const fromMs = entries[lo]?.[0] ?? full.fromMs;
  const toMs = (entries[hi]?.[0] ?? full.toMs) + g.series.widthMs - 1;
  if (full.toMs - full.fromMs <= 20 * (toMs - fromMs)) return full;
  return { fromMs: Math.max(fromMs, g.fromMs), toMs: Math.min(toMs, g.toMs), outside };
}

function operations(g: Gathered): OperationSummary[] {
  const seconds = Math.max(1, (g.toMs - g.fromMs) / 1000);
  return g.operations
    .map(({ api, method, template, totals: t }) => ({
      api,
      method,
      template,
      count: t.requests,
      perSecond: Number((t.requests / seconds).toPrecision(4)),
      errorRatio: ratio(t.errors, t.requests) ?? 0,
      serverErrorRatio: ratio(t.serverErrors, t.requests) ?? 0,
      p50Ms: quantileMs(t, 0.5),
      p95Ms: quantileMs(t, 0.95),
      p99Ms: quantileMs(t, 0.99),
      responseBytes: t.sized > 0 ? t.bytes : null,
      responseBytesMean: t.sized > 0 ? Math.round(t.bytes / t.sized) : null,
    }))
    .sort((a, b) => b.count - a.count || (a.template < b.template ? -1 : 1));
}

function verdictSummary(h: VerdictHistory, g: Gathered, run: RunSummary): VerdictSummary {
  const { peak, last } = h;
  const evidence = g.evidence.get(evidenceOn(apiNumber(peak.api), evidenceKey(peak.kind, peak.pseudonym)));
  const points = new Map(peak.contributions.map((c) => [c.source, c.points]));
  const findings = [...h.findings.values()].sort((a, b) => a.pValue - b.pValue);
  const earned = findings.reduce((sum, f) => sum + Math.max(0, points.get(f.detector) ?? 0), 0);
  const action = h.decision === undefined ? undefined : actionName(h.decision.action);
  const campaign = peak.campaign ?? last.campaign;
  return {
    name: peak.name,
    api: peak.api,
    principal: {
      kind: kindName(peak.kind),
      value: run.principalValue(peak.kind, peak.pseudonym) ?? campaignWords(campaign, run),
      pseudonym: peak.pseudonym,
    },
    score: Math.round(peak.score),
    level: h.levelChanges.reduce<LevelName>(
      (top, c) => (levelRank(c.level) > levelRank(top) ? c.level : top),
      levelName(peak.level),
    ),
    scoreAtEnd: Math.round(last.score),
    levelAtEnd: levelName(last.level),
    confidence: Number(peak.confidence.toFixed(3)),
    firstSeen: instant(h.firstSeen),
    lastSeen: instant(h.lastSeen),
    requests: requestsOf(h, evidence),
    levelChanges: h.levelChanges.map((c) => ({ level: c.level, at: instant(c.atMs) })),
    findings: findings.map(
      (f): FindingSummary => ({
        detector: f.detector,
        since: instant(f.since),
        until: instant(f.until),
        observed: tidy(f.observed),
        expected: tidy(f.expected),
        pValue: f.pValue,
        share: share(f.detector, points, earned, findings.length),
        unit: f.unit,
        words: findingWords(f),
        baseline: { n: f.baseline.n, prior: f.baseline.prior },
        owasp: [...references[f.detector].owasp],
        oat: [...references[f.detector].oat],
      }),
    ),
    contributions: peak.contributions.map((c) => ({ source: c.source, points: tidy(c.points) })),
    benignIf: peak.benignIf,
    campaign:
      campaign === undefined
        ? null
        : {
            traits: campaign.traits.map((t) => ({ trait: t.trait, value: run.traitValue(t) ?? t.value })),
            precision: Number(campaign.precision.toFixed(4)),
            addresses: campaign.addresses,
            accounts: campaign.accounts,
          },
    decision:
      action === undefined || h.decision === undefined
        ? null
        : { action, at: instant(h.decision.decidedAt), until: instant(h.decision.expiresAt) },
    notEnforceable: peak.enforceable.ok ? null : peak.enforceable.message,
    samples:
      evidence === undefined
        ? []
        : evidenceLines(evidence).map(({ file, line, atMs, method, template, status, text }) => ({
            file,
            line,
            at: instant(atMs),
            method,
            template,
            status,
            text,
          })),
    timeline: {
      widthMs: evidence === undefined ? 1000 : g.evidence.timelines.widthMs(evidence.place),
      points: (evidence === undefined ? [] : g.evidence.timelines.points(evidence.place)).map(
        ({ atMs, ...counts }) => ({
          at: instant(atMs),
          ...counts,
        }),
      ),
    },
  };
}

/** A campaign is called by what its requests have in common. */
function campaignWords(campaign: Verdict['campaign'], run: RunSummary): string | null {
  if (campaign === undefined) return null;
  if (campaign.traits.length === 0) return 'addresses with nothing in common';
  return campaign.traits.map((t) => `${t.trait} ${run.traitValue(t) ?? t.value}`).join(' + ');
}

/** A verdict counts up to its last change; the lines were counted to the end, and a campaign's by its detector. */
function requestsOf(h: VerdictHistory, evidence: PrincipalEvidence | undefined): number {
  const attempts = h.peak.campaign === undefined ? 0 : Math.max(0, ...[...h.findings.values()].map((f) => f.observed));
  return Math.max(h.requests, evidence?.requests ?? 0, Math.round(attempts));
}

/** Of the points that detectors earned; equal shares when the contributions name none of them. */
function share(detector: DetectorId, points: Map<string, number>, earned: number, n: number): number {
  const value = earned > 0 ? Math.max(0, points.get(detector) ?? 0) / earned : 1 / n;
  return Number(value.toFixed(4));
}

function series(g: Gathered, range: ChartRange, verdicts: VerdictSummary[]): Series {
  const empty: { widthMs: number; starts: number[]; buckets: RequestTotals[] } = {
    widthMs: g.series.widthMs,
    starts: [],
    buckets: [],
  };
  const { widthMs, starts, buckets } =
    g.requests === 0 ? empty : g.series.dense(limits.chartBuckets, range.fromMs, range.toMs);
  const of = (f: (t: RequestTotals) => number) => buckets.map(f);
  const quantile = (q: number) => buckets.map((b) => quantileMs(b, q));
  return {
    widthMs,
    at: starts.map(instant),
    requests: of((t) => t.requests),
    errors: of((t) => t.errors),
    serverErrors: of((t) => t.serverErrors),
    responseBytes: of((t) => t.bytes),
    p50Ms: quantile(0.5),
    p95Ms: quantile(0.95),
    p99Ms: quantile(0.99),
    risk: riskByBucket(starts, widthMs, g.verdicts.all()),
    atRisk: atRisk(starts, widthMs, verdicts),
  };
}

/** A score holds until the next one of the same principal. */
function riskByBucket(starts: readonly number[], widthMs: number, histories: readonly VerdictHistory[]): number[] {
  const risk = Array.from({ length: starts.length }, () => 0);
  const first = starts[0] ?? 0;
  for (const { scores } of histories) {
    scores.forEach(({ atMs, score }, i) => {
      const from = Math.max(0, Math.floor((atMs - first) / widthMs));
      const next = scores[i + 1];
      const to = next === undefined ? from : Math.ceil((next.atMs - first) / widthMs) - 1;
      for (let b = from; b <= Math.min(risk.length - 1, Math.max(from, to)); b++)
        risk[b] = Math.max(risk[b] ?? 0, score);
    });
  }
  return risk.map(Math.round);
}

/** Sweeps over the times at which principals entered and left `Elevated`. */
function atRisk(starts: readonly number[], widthMs: number, verdicts: readonly VerdictSummary[]): number[] {
  const changes = Array.from({ length: starts.length + 1 }, () => 0);
  const first = starts[0] ?? 0;
  const slot = (ms: number) => Math.max(0, Math.min(starts.length, Math.floor((ms - first) / widthMs)));
  for (const v of verdicts) {
    let since: number | undefined;
    const close = (untilMs: number) => {
      if (since === undefined) return;
      const from = slot(since);
      const to = Math.max(from + 1, slot(untilMs) + 1);
      changes[from] = (changes[from] ?? 0) + 1;
      if (to < changes.length) changes[to] = (changes[to] ?? 0) - 1;
      since = undefined;
    };
    for (const c of v.levelChanges) {
      const elevated = levelRank(c.level) >= levelRank('Elevated');
      if (elevated) since ??= Date.parse(c.at);
      else close(Date.parse(c.at));
    }
    close(Date.parse(v.lastSeen));
  }
  let running = 0;
  return starts.map((_, i) => (running += changes[i] ?? 0));
}

function countsOf({
  widthMs,
  starts,
  buckets,
}: {
  widthMs: number;
  starts: number[];
  buckets: { requests: number }[];
}) {
  return { startMs: starts[0] ?? 0, widthMs, counts: buckets.map((b) => b.requests) };
}

function notes(g: Gathered, range: ChartRange): string[] {
  const out: string[] = [];
  if (range.outside > 0)
    out.push(`${range.outside} requests lie so far from the others in time that the charts leave them out.`);
  if (g.mergedOperations > 0)
    out.push(`More than ${limits.operations} operations: ${g.mergedOperations} requests share the row (other).`);
  if (g.apis.size > limits.apiSeries)
    out.push(`Spikes were looked for in ${limits.apiSeries} of the ${g.apis.size} APIs.`);
  if (g.verdicts.dropped > 0)
    out.push(`Only the ${limits.verdicts} principals that scored highest are listed; ${g.verdicts.dropped} are not.`);
  if (g.rejectedCount > g.rejected.length)
    out.push(`The first ${g.rejected.length} of ${g.rejectedCount} rejected lines are listed.`);
  if (g.actions.saturated) out.push('Distinct principals that an action would have met are at least as many as shown.');
  return out;
}

function ratio(part: number, whole: number): number | null {
  return whole > 0 ? Number((part / whole).toFixed(5)) : null;
}

function tidy(v: number): number {
  return Number.isFinite(v) ? Number(v.toPrecision(6)) : 0;
}

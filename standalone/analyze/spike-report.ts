/** Spikes per API in a gathered log, each with the operation that made most of it. */
import { type ChartRange, type CountBucket, type Gathered, limits, type OperationTally } from './gathered.ts';
import { instant, type Spike } from './result.ts';
import { findSpikes, type SpikeSpan } from './spikes.ts';
import type { TimeBuckets } from './time-buckets.ts';

/** Shorter than a minute is how browsers load pages. */
const minWidthMs = 60_000;
/** Fewer requests more or less are nothing to look at. */
const minDifference = 50;
const maxSpikes = 20;
/** An operation is named when it made at least half of the difference. */
const minOperationShare = 0.5;

interface Found {
  api: string;
  measure: 'requests' | 'errors';
  span: SpikeSpan;
  sinceMs: number;
  untilMs: number;
}

export function spikesByApi(g: Gathered, range: ChartRange): Spike[] {
  const found: Found[] = [];
  for (const [api, { counts }] of g.apis) {
    if (counts === undefined) continue;
    for (const measure of ['requests', 'errors'] as const) {
      const series = countSeries(counts, range, measure);
      for (const span of findSpikes(series)) {
        if (Math.abs(span.observed - span.expected) < minDifference) continue;
        const sinceMs = series.startMs + span.first * series.widthMs;
        const untilMs = series.startMs + (span.last + 1) * series.widthMs;
        found.push({ api, measure, span, sinceMs, untilMs });
      }
    }
  }
  return found
    .sort((a, b) => b.span.strength - a.span.strength)
    .slice(0, maxSpikes)
    .sort((a, b) => a.sinceMs - b.sinceMs)
    .map((f) => ({
      api: f.api,
      measure: f.measure,
      direction: f.span.direction,
      since: instant(f.sinceMs),
      until: instant(f.untilMs),
      observed: Math.round(f.span.observed),
      expected: Math.round(f.span.expected),
      strength: Number(f.span.strength.toFixed(1)),
      operation: mainOperation(g, f),
    }));
}

/** Whole buckets only: the ones at both ends are cut by the log, not by the traffic. */
function countSeries(buckets: TimeBuckets<CountBucket>, range: ChartRange, measure: 'requests' | 'errors') {
  const dense = buckets.dense(limits.countBuckets, range.fromMs, range.toMs, minWidthMs);
  return {
    startMs: dense.starts[1] ?? 0,
    widthMs: dense.widthMs,
    counts: dense.buckets.slice(1, -1).map((b) => b[measure]),
  };
}

/** Against its own mean outside the spike: close enough to name it. */
function mainOperation(g: Gathered, spike: Found): Spike['operation'] {
  let best: { operation: OperationTally; share: number } | undefined;
  const lengthMs = spike.untilMs - spike.sinceMs;
  for (const operation of g.operations) {
    if (operation.api !== spike.api || operation.counts === undefined) continue;
    let inside = 0;
    let outside = 0;
    for (const [at, bucket] of operation.counts.entries()) {
      if (at + operation.counts.widthMs > spike.sinceMs && at < spike.untilMs) inside += bucket[spike.measure];
      else outside += bucket[spike.measure];
    }
    const expected = (outside * lengthMs) / Math.max(1, g.toMs - g.fromMs - lengthMs);
    const share = (inside - expected) / (spike.span.observed - spike.span.expected);
    if (share >= minOperationShare && share > (best?.share ?? 0)) best = { operation, share };
  }
  if (best === undefined) return null;
  const { method, template } = best.operation;
  return { method, template, share: Number(Math.min(1, best.share).toFixed(2)) };
}

/**
 * Spikes in a finished series of counts: stretches that neither the time of day nor the level around them explains.
 *
 * Counts are variance-stabilised (Anscombe), a rolling median gives the level and, from three days on, the median per
 * time of day the season. What is left is measured in robust standard deviations. The bar is not a fixed number of
 * them: the upper tail of the series itself is extended exponentially from its 90th to its 99th percentile to the
 * point that fewer than `maxFalse` buckets pass by chance, so bursty sites get a higher bar than quiet ones.
 */
export interface CountSeries {
  startMs: number;
  widthMs: number;
  counts: readonly number[];
}

export interface SpikeSpan {
  /** First and last bucket. */
  first: number;
  last: number;
  direction: 'up' | 'down';
  observed: number;
  expected: number;
  strength: number;
}

const dayMs = 86_400_000;
/** Fewer buckets than this say nothing about what is usual. */
const minBuckets = 30;
/** Buckets of an ordinary series expected above the bar by chance, all scales together. */
const maxFalse = 0.3;
/** Robust standard deviations below which nothing is a spike, however regular the series. */
const minStrength = 4;
const minRatio = 1.5;
/** Looked at as single buckets and as sums: a change of density shows only in the longer windows. */
const scales = [1, 6, 24] as const;

export function findSpikes(series: CountSeries, limit = 20): SpikeSpan[] {
  const n = series.counts.length;
  if (n < minBuckets) return [];
  const expected = expectedCounts(series);
  const spans: SpikeSpan[] = [];
  for (const scale of scales) {
    if (n < minBuckets * scale) break;
    const sums = windowSums(series.counts, scale);
    const due = scale === 1 ? expected : expectedCounts({ ...series, counts: sums });
    const residual = sums.map((count, i) => stabilise(count) - stabilise(due[i] ?? 0));
    const spread = Math.max(1, 1.4826 * median(residual.map(Math.abs)));
    const strength = residual.map((r) => r / spread);
    const bar = tailBar(strength.map(Math.abs), scale);
    for (const run of joinRuns(runsAbove(strength, bar, scale))) {
      const span = describe(run, series.counts, expected);
      const far = span.direction === 'up' ? span.observed / span.expected : span.expected / span.observed;
      // What shows in few buckets is named by them, not by the long windows that hold them too.
      const known = spans.some((s) => s.first <= span.last && s.last >= span.first);
      if (!(far <= minRatio) && !known) spans.push(span);
    }
  }
  return spans
    .sort((a, b) => b.strength - a.strength)
    .slice(0, limit)
    .sort((a, b) => a.first - b.first);
}

/** What level and season lead one to expect in each bucket. */
export function expectedCounts(series: CountSeries): number[] {
  const y = series.counts.map(stabilise);
  const n = y.length;
  const perDay = Math.round(dayMs / series.widthMs);
  const seasonal = perDay >= 8 && n >= 3 * perDay;
  const window = seasonal ? perDay : Math.max(15, Math.min(288, Math.floor(n / 4)));
  const level = rollingMedian(y, window);
  if (!seasonal) return level.map(restore);
  const slot = (i: number) => Math.floor(((series.startMs + i * series.widthMs) % dayMs) / series.widthMs);
  const bySlot: number[][] = Array.from({ length: perDay + 1 }, () => []);
  for (let i = 0; i < n; i++) bySlot[slot(i)]?.push((y[i] ?? 0) - (level[i] ?? 0));
  const neighbours = Math.max(1, Math.round(perDay / 96));
  const season = bySlot.map((_, s) => {
    const near: number[] = [];
    for (let d = -neighbours; d <= neighbours; d++) near.push(...(bySlot[(s + d + perDay) % perDay] ?? []));
    return near.length > 0 ? median(near) : 0;
  });
  return level.map((l, i) => restore(l + (season[slot(i)] ?? 0)));
}

function stabilise(count: number): number {
  return 2 * Math.sqrt(Math.max(0, count) + 0.375);
}

function restore(y: number): number {
  return Math.max(0, (y / 2) ** 2 - 0.375);
}

/** Sums over the `scale` buckets that end at each index, from the first full one on. */
function windowSums(counts: readonly number[], scale: number): number[] {
  if (scale === 1) return [...counts];
  const out: number[] = [];
  let running = 0;
  for (let i = 0; i < counts.length; i++) {
    running += (counts[i] ?? 0) - (i >= scale ? (counts[i - scale] ?? 0) : 0);
    if (i >= scale - 1) out.push(running);
  }
  return out;
}

/** Height that fewer than `falseCount` values pass if the tail goes on as it does between its 90th and 99th percentile. */
function tailBar(strengths: readonly number[], scale: number): number {
  const sorted = [...strengths].sort((a, b) => a - b);
  const n = sorted.length;
  const independent = n / scale;
  const at = (q: number) => sorted[Math.min(n - 1, Math.floor(q * n))] ?? 0;
  const slope = Math.max(0, (at(0.99) - at(0.9)) / Math.log(10));
  return Math.max(
    minStrength,
    at(0.99) + slope * Math.log(Math.max(1, (0.01 * independent * scales.length) / maxFalse)),
  );
}

interface Run {
  first: number;
  last: number;
  up: boolean;
  strength: number;
}

/** Runs beyond the bar, as bucket ranges: index i of a window sum covers buckets i … i+scale-1. */
function runsAbove(strength: readonly number[], bar: number, scale: number): Run[] {
  const runs: Run[] = [];
  let open: Run | undefined;
  for (let i = 0; i < strength.length; i++) {
    const s = strength[i] ?? 0;
    if (Math.abs(s) < bar) {
      open = undefined;
    } else if (open !== undefined && open.up === s > 0) {
      open.last = i + scale - 1;
      open.strength = Math.max(open.strength, Math.abs(s));
    } else {
      open = { first: i, last: i + scale - 1, up: s > 0, strength: Math.abs(s) };
      runs.push(open);
    }
  }
  return runs;
}

function describe(run: Run, counts: readonly number[], expected: readonly number[]): SpikeSpan {
  return {
    first: run.first,
    last: run.last,
    direction: run.up ? 'up' : 'down',
    strength: run.strength,
    observed: sum(counts, run.first, run.last),
    expected: sum(expected, run.first, run.last),
  };
}

/** Runs of one direction that touch or nearly so become one. */
function joinRuns(runs: Run[]): Run[] {
  const joined: Run[] = [];
  for (const run of runs) {
    const into = joined.at(-1);
    if (into !== undefined && into.up === run.up && run.first <= into.last + 3) {
      into.last = Math.max(into.last, run.last);
      into.strength = Math.max(into.strength, run.strength);
    } else joined.push({ ...run });
  }
  return joined;
}

function sum(values: readonly number[], first: number, last: number): number {
  let total = 0;
  for (let i = first; i <= last; i++) total += values[i] ?? 0;
  return total;
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[mid] ?? 0) : ((sorted[mid - 1] ?? 0) + (sorted[mid] ?? 0)) / 2;
}

/** Centred median; at the ends the window moves inwards, so that it always holds whole days. Every `stride`th is computed and the rest drawn between. */
function rollingMedian(values: readonly number[], window: number): number[] {
  const half = window >> 1;
  const n = values.length;
  const stride = Math.max(1, window >> 4);
  const knots: [number, number][] = [];
  for (let i = 0; i < n; i += stride) {
    const start = Math.max(0, Math.min(i - half, n - window));
    knots.push([i, median(values.slice(start, start + window))]);
  }
  const out: number[] = [];
  for (let k = 0; k < knots.length; k++) {
    const [i, a] = knots[k] ?? [0, 0];
    const [j, b] = knots[k + 1] ?? [n, a];
    for (let x = i; x < j; x++) out.push(a + ((b - a) * (x - i)) / (j - i));
  }
  return out;
}

import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forecastRequests } from './forecast.ts';
import { type CountSeries, findSpikes } from './spikes.ts';
import { createRandom, dayStartMs } from './testing/shop-day.ts';
import { createTimeBuckets } from './time-buckets.ts';

const fiveMinutes = 300_000;
const hour = 3_600_000;

/** Poisson-like counts (sum of many rare chances, by normal approximation) on a daily rhythm. */
function rhythm(days: number, widthMs: number, seed: number, mean = 200): CountSeries {
  const random = createRandom(seed);
  const normal = () => random() + random() + random() + random() - 2;
  const counts = Array.from({ length: Math.round((days * 24 * hour) / widthMs) }, (_, i) => {
    const due = mean * (1 + 0.8 * Math.sin((2 * Math.PI * i * widthMs) / (24 * hour)));
    return Math.max(0, Math.round(due + Math.sqrt(due) * 1.73 * normal()));
  });
  return { startMs: dayStartMs, widthMs, counts };
}

describe('spikes', () => {
  it('are few in ordinary weeks: at most two in twenty of them', () => {
    let found = 0;
    for (let seed = 1; seed <= 20; seed++) found += findSpikes(rhythm(7, fiveMinutes, seed)).length;
    expect(found).toBeLessThanOrEqual(2);
  });

  it('are found at any hour when traffic more than doubles for half an hour', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const series = rhythm(7, fiveMinutes, seed);
      const counts = [...series.counts];
      const start = 600 + seed * 23;
      for (let i = start; i < start + 6; i++) counts[i] = (counts[i] ?? 0) * 2.5 + 60;
      const spans = findSpikes({ ...series, counts });
      expect(spans.some((s) => s.direction === 'up' && s.first <= start + 5 && s.last >= start)).toBe(true);
    }
  });

  it('include an outage', () => {
    const series = rhythm(4, fiveMinutes, 5);
    const counts = series.counts.map((v, i) => (i >= 360 && i < 372 ? 0 : v));
    const down = findSpikes({ ...series, counts }).filter((s) => s.direction === 'down');
    expect(down).toHaveLength(1);
    expect(down[0]?.observed).toBeLessThan((down[0]?.expected ?? 0) / 2);
  });

  it('need a past: a handful of buckets has none', () => {
    expect(findSpikes({ startMs: 0, widthMs: hour, counts: [1, 2, 900, 1] })).toEqual([]);
  });
});

const nab = new URL('../../../shared/data/nab/', import.meta.url);

describe.skipIf(!existsSync(nab))('spikes in recorded series (Numenta Anomaly Benchmark)', () => {
  const windows = existsSync(nab)
    ? (JSON.parse(readFileSync(new URL('labels/combined_windows.json', nab), 'utf8')) as Record<
        string,
        [string, string][]
      >)
    : {};

  // What it can do, and what it cannot: in the last file the anomaly is a change in how often spikes come.
  it.each([
    ['realAWSCloudwatch/elb_request_count_8c0756.csv', 2, 0],
    ['artificialNoAnomaly/art_daily_small_noise.csv', 0, 0],
    ['artificialWithAnomaly/art_load_balancer_spikes.csv', 0, 0],
  ])('%s: %i labelled windows hit, %i false alerts', (file, hits, falseAlerts) => {
    const { startMs, counts } = readSeries(new URL(file, nab));
    const spans = findSpikes({ startMs, widthMs: fiveMinutes, counts }, 100);
    const labelled = (windows[file] ?? []).map(([a, b]) => [utc(a), utc(b)] as const);
    const inside = (s: { first: number; last: number }, [a, b]: readonly [number, number]) =>
      startMs + s.last * fiveMinutes >= a && startMs + s.first * fiveMinutes <= b;
    expect(labelled.filter((w) => spans.some((s) => inside(s, w)))).toHaveLength(hits);
    expect(spans.filter((s) => !labelled.some((w) => inside(s, w)))).toHaveLength(falseAlerts);
  });
});

function utc(text: string): number {
  return Date.parse(`${text.replace(' ', 'T').slice(0, 19)}Z`);
}

function readSeries(file: URL): { startMs: number; counts: number[] } {
  const rows = readFileSync(file, 'utf8').trim().split('\n').slice(1);
  const points = rows.map((row) => row.split(',')).map(([at, value]) => [utc(at ?? ''), Number(value)] as const);
  const startMs = points[0]?.[0] ?? 0;
  const counts: number[] = [];
  for (const [at, value] of points) {
    const index = Math.floor((at - startMs) / fiveMinutes);
    while (counts.length < index) counts.push(counts.at(-1) ?? 0);
    counts[index] = value;
  }
  return { startMs, counts };
}

describe('forecast', () => {
  it('follows the day within the band it states', () => {
    const whole = rhythm(8, hour, 9, 2_000);
    const f = forecastRequests({ ...whole, counts: whole.counts.slice(0, 7 * 24) });
    expect(f.available).toBe(true);
    if (!f.available) return;
    expect(f.points).toHaveLength(24);
    const held = whole.counts.slice(7 * 24);
    const hit = f.points.filter((p, i) => (held[i] ?? 0) >= p.low && (held[i] ?? 0) <= p.high);
    expect(hit.length).toBeGreaterThanOrEqual(20);
    expect(f.backtestError).toBeLessThan(0.1);
  });

  it('says why there is none', () => {
    expect(forecastRequests(rhythm(1, fiveMinutes, 1))).toEqual({
      available: false,
      reason: 'the log spans 24 h; a daily season needs at least 2 days',
    });
    const idle = forecastRequests({ startMs: dayStartMs, widthMs: hour, counts: Array.from({ length: 96 }, () => 1) });
    expect(idle).toEqual({ available: false, reason: 'fewer than 48 requests a day show no season' });
  });
});

describe('time buckets', () => {
  it('never hold more than their limit and never lose a count, whatever the times', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1e13, max: 1e13 }), { minLength: 1, maxLength: 200 }), (times) => {
        const buckets = createTimeBuckets(8, {
          create: () => ({ n: 0 }),
          merge(into, from) {
            into.n += from.n;
          },
        });
        for (const at of times) buckets.at(at).n++;
        expect(buckets.size).toBeLessThanOrEqual(8);
        const dense = buckets.dense(8, Math.min(...times), Math.max(...times));
        expect(dense.buckets.length).toBeLessThanOrEqual(8);
        expect(dense.buckets.reduce((n, b) => n + b.n, 0)).toBe(times.length);
      }),
    );
  });
});

/**
 * Requests to come, by additive Holt–Winters on square roots (counts stay positive, variance steady), where the log
 * spans at least two whole seasons. Method: Winters, "Forecasting Sales by Exponentially Weighted Moving Averages"
 * (1960); the parameters come from a grid by one-step error, the band from errors on the last season, held back.
 */
import { type Forecast, instant } from './result.ts';
import type { CountSeries } from './spikes.ts';

const dayMs = 86_400_000;
const minPeriods = 2;
/** A season of fewer requests than this per day is noise. */
const minPerDay = 48;
/** Who is off by more than this foretells nothing. */
const maxError = 0.6;
const grid = { alpha: [0.05, 0.1, 0.2, 0.4], beta: [0, 0.01, 0.05], gamma: [0.05, 0.15, 0.3] } as const;

interface Smoothing {
  alpha: number;
  beta: number;
  gamma: number;
}

/** Forecasts one season ahead of the last whole step; `series` has the gaps counted as zeros. */
export function forecastRequests(series: CountSeries): Forecast {
  const spanMs = series.counts.length * series.widthMs;
  if (spanMs < minPeriods * dayMs)
    return {
      available: false,
      reason: `the log spans ${spanWords(spanMs)}; a daily season needs at least ${minPeriods} days`,
    };
  const stepMs = Math.max(3_600_000, series.widthMs);
  if (stepMs > dayMs / 4) return { available: false, reason: 'the log is too long for buckets that show a day' };
  const { startMs, counts } = wholeSteps(series, stepMs);
  const total = counts.reduce((a, b) => a + b, 0);
  if (total < (minPerDay * spanMs) / dayMs)
    return { available: false, reason: `fewer than ${minPerDay} requests a day show no season` };
  const period = Math.round((spanMs >= minPeriods * 7 * dayMs ? 7 * dayMs : dayMs) / stepMs);
  if (counts.length < minPeriods * period)
    return { available: false, reason: `the log holds fewer than ${minPeriods} whole days` };

  const y = counts.map(Math.sqrt);
  const horizon = period;
  const held = y.length >= 3 * period ? period : Math.floor(period / 2);
  const train = y.slice(0, y.length - held);
  const best = chooseSmoothing(train, Math.min(period, Math.floor(train.length / minPeriods) || 1));
  const trainPeriod = train.length >= minPeriods * period ? period : Math.floor(train.length / minPeriods);
  const tried = smooth(train, trainPeriod, best).ahead(held);
  const errors = tried.map((p, i) => Math.abs(p - (y[train.length + i] ?? 0))).sort((a, b) => a - b);
  const band = errors[Math.min(errors.length - 1, Math.ceil(0.95 * errors.length) - 1)] ?? 0;
  const real = counts.slice(train.length);
  const mean = real.reduce((a, b) => a + b, 0) / real.length;
  const missed = real.reduce((a, v, i) => a + Math.abs(v - square(tried[i] ?? 0)), 0) / real.length;

  const backtestError = mean > 0 ? Math.round((missed / mean) * 1000) / 1000 : 0;
  if (backtestError > maxError)
    return {
      available: false,
      reason: `traffic shows no season: the same method was off by ${Math.round(100 * backtestError)} % on the last one`,
    };

  const points = smooth(y, period, best)
    .ahead(horizon)
    .map((p, i) => ({
      at: instant(startMs + (counts.length + i) * stepMs),
      requests: round(square(p)),
      low: round(square(p - band)),
      high: round(square(p + band)),
    }));
  return {
    available: true,
    seasonMs: period * stepMs,
    stepMs,
    points,
    backtestError,
  };
}

function square(y: number): number {
  return Math.max(0, y) ** 2;
}

function round(v: number): number {
  return Math.round(v * 10) / 10;
}

function spanWords(ms: number): string {
  const hours = ms / 3_600_000;
  if (hours < 1) return `${Math.max(1, Math.round(ms / 60_000))} min`;
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} days`;
}

/** Sums into steps, leaving out the partial ones at both ends. */
function wholeSteps(series: CountSeries, stepMs: number): { startMs: number; counts: number[] } {
  const startMs = Math.ceil(series.startMs / stepMs) * stepMs;
  const endMs = series.startMs + series.counts.length * series.widthMs;
  const n = Math.max(0, Math.floor((endMs - startMs) / stepMs));
  const counts = Array.from({ length: n }, () => 0);
  series.counts.forEach((count, i) => {
    const step = Math.floor((series.startMs + i * series.widthMs - startMs) / stepMs);
    if (step >= 0 && step < n) counts[step] = (counts[step] ?? 0) + count;
  });
  return { startMs, counts };
}

function chooseSmoothing(y: readonly number[], period: number): Smoothing {
  let best: Smoothing = { alpha: grid.alpha[0], beta: grid.beta[0], gamma: grid.gamma[0] };
  let least = Number.POSITIVE_INFINITY;
  for (const alpha of grid.alpha)
    for (const beta of grid.beta)
      for (const gamma of grid.gamma) {
        const { squaredError } = smooth(y, period, { alpha, beta, gamma });
        if (squaredError < least) {
          least = squaredError;
          best = { alpha, beta, gamma };
        }
      }
  return best;
}

/** Runs the recursions from means of the first two seasons. */
function smooth(y: readonly number[], period: number, s: Smoothing) {
  const first = mean(y.slice(0, period));
  const second = mean(y.slice(period, 2 * period));
  let level = first;
  let trend = Number.isFinite(second) ? (second - first) / period : 0;
  const season = Array.from(
    { length: period },
    (_, i) => mean([(y[i] ?? first) - first, (y[i + period] ?? (y[i] ?? 0) - first + second) - second]) || 0,
  );
  let squaredError = 0;
  y.forEach((value, i) => {
    const slot = i % period;
    const due = level + trend + (season[slot] ?? 0);
    if (i >= period) squaredError += (value - due) ** 2;
    const before = level;
    level = s.alpha * (value - (season[slot] ?? 0)) + (1 - s.alpha) * (level + trend);
    trend = s.beta * (level - before) + (1 - s.beta) * trend;
    season[slot] = s.gamma * (value - level) + (1 - s.gamma) * (season[slot] ?? 0);
  });
  return {
    squaredError,
    /** The trend is damped: a fortnight says little about growth. */
    ahead(steps: number): number[] {
      let drift = 0;
      let damped = trend;
      return Array.from({ length: steps }, (_, h) => {
        damped *= 0.97;
        drift += damped;
        return level + drift + (season[(y.length + h) % period] ?? 0);
      });
    },
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** Medians and intervals of measured figures. Intervals are bootstrapped, from a fixed seed. */
import { random32 } from '../support/observations.ts';

export interface Estimate {
  median: number;
  /** 95 % interval of the median. */
  low: number;
  high: number;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between neighbours; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** Of paired differences or ratios: whatever slows the machine slows both of a pair. */
export function estimate(values: readonly number[], digits = 2): Estimate {
  const next = random32(1);
  const medians = Array.from({ length: 1000 }, () =>
    median(Array.from(values, () => values[next() % values.length] as number)),
  );
  const round = (value: number): number => Number(value.toFixed(digits));
  return {
    median: round(median(values)),
    low: round(quantile(medians, 0.025)),
    high: round(quantile(medians, 0.975)),
  };
}

export interface Trend {
  /** Median of all slopes between two samples (Theil and Sen), per sample. */
  slope: number;
  /** Probability of so clear an upward trend by chance (Mann and Kendall, one-sided). */
  p: number;
}

/** Whether values rise over time: by their order alone, so that a few large ones prove nothing. */
export function trend(values: readonly number[]): Trend {
  const slopes: number[] = [];
  let rises = 0;
  for (let i = 0; i < values.length; i++) {
    for (let j = i + 1; j < values.length; j++) {
      const difference = (values[j] as number) - (values[i] as number);
      slopes.push(difference / (j - i));
      rises += Math.sign(difference);
    }
  }
  const n = values.length;
  const ties = new Map<number, number>();
  for (const value of values) ties.set(value, (ties.get(value) ?? 0) + 1);
  const tied = [...ties.values()].reduce((sum, t) => sum + t * (t - 1) * (2 * t + 5), 0);
  const deviation = Math.sqrt((n * (n - 1) * (2 * n + 5) - tied) / 18);
  const z = deviation === 0 ? 0 : (rises - Math.sign(rises)) / deviation;
  return { slope: slopes.length === 0 ? 0 : quantile(slopes, 0.5), p: upperTail(z) };
}

/** Of the normal distribution, to 1e-7 (Abramowitz and Stegun 26.2.17). */
function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
}

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

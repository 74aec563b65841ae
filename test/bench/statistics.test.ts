import { describe, expect, it } from 'vitest';
import { random32 } from '../support/observations.ts';
import { estimate, quantile, trend } from './statistics.ts';

const noise = (seed: number, count: number): number[] => {
  const next = random32(seed);
  return Array.from({ length: count }, () => next() / 2 ** 32);
};

it('quantiles lie between neighbours, and an interval holds its median', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  const { median, low, high } = estimate(noise(1, 50));
  expect(low).toBeLessThanOrEqual(median);
  expect(high).toBeGreaterThanOrEqual(median);
});

describe('trend', () => {
  it('is found under noise, and its slope with it', () => {
    const { slope, p } = trend(noise(2, 120).map((value, i) => value + i / 60));
    expect(p).toBeLessThan(1e-6);
    expect(slope).toBeCloseTo(1 / 60, 2);
  });

  it('is rarely found where there is none', () => {
    const found = Array.from({ length: 200 }, (_, seed) => trend(noise(seed + 10, 60)).p).filter((p) => p < 0.05);
    expect(found.length).toBeLessThan(24);
    expect(trend([7, 7, 7, 7]).p).toBeCloseTo(0.5);
    expect(trend(noise(3, 60).map((value, i) => value - i)).p).toBeGreaterThan(0.99);
  });
});

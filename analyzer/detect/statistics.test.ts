import { describe, expect, test } from 'vitest';
import {
  betaBinomialSurprise,
  betaGeometricSurprise,
  combinedSurprise,
  eitherSurprise,
  negativeBinomialSurprise,
  normalSurprise,
} from './statistics.ts';

const p = (surprise: number): number => 10 ** -surprise;

/** Rising factorial a(a+1)…(a+n−1). */
function rising(a: number, n: number): number {
  let product = 1;
  for (let i = 0; i < n; i++) product *= a + i;
  return product;
}

function choose(n: number, k: number): number {
  return k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k;
}

describe('tails against sums written out', () => {
  test('beta-binomial', () => {
    const [n, mean, strength] = [12, 0.2, 10];
    const a = mean * strength;
    const b = strength - a;
    let tail = 0;
    for (let k = 7; k <= n; k++) tail += (choose(n, k) * rising(a, k) * rising(b, n - k)) / rising(strength, n);
    expect(p(betaBinomialSurprise(7, n, mean, strength))).toBeCloseTo(tail, 8);
  });

  test('a run whose chance varies', () => {
    expect(p(betaGeometricSurprise(5, 0.3, 10))).toBeCloseTo(rising(3, 5) / rising(10, 5), 10);
  });

  test('negative binomial', () => {
    const [mean, shape] = [1.5, 2];
    const q = mean / (mean + shape);
    let below = 0;
    for (let k = 0; k < 9; k++) below += (rising(shape, k) / rising(1, k)) * q ** k * (1 - q) ** shape;
    expect(p(negativeBinomialSurprise(9, mean, shape))).toBeCloseTo(1 - below, 5);
  });

  test('normal, as the tables have it', () => {
    expect(p(normalSurprise(1.96))).toBeCloseTo(0.025, 4);
    expect(p(normalSurprise(3))).toBeCloseTo(0.00135, 5);
    expect(normalSurprise(10)).toBeCloseTo(23.12, 2);
  });
});

describe('several looks together', () => {
  test('claim what Fisher’s chi-square does', () => {
    // Two p-values of 0.05: chi-square 11.98 with four degrees of freedom.
    expect(p(combinedSurprise(-Math.log10(0.05), -Math.log10(0.05)))).toBeCloseTo(0.01748, 4);
    expect(p(combinedSurprise(-Math.log10(0.05)))).toBeCloseTo(0.05, 10);
  });

  test('one strong or all weak claim no more than comes about by chance', () => {
    // Ordinary looks: a surprise of at least x with a chance of 10^-x. A fixed congruential generator draws them.
    let word = 1n;
    const uniform = (): number => {
      word = (word * 6364136223846793005n + 1442695040888963407n) & 0xffff_ffff_ffff_ffffn;
      return (Number(word >> 11n) + 1) / 2 ** 53;
    };
    const runs = 50_000;
    const over = [0, 0];
    for (let i = 0; i < runs; i++) {
      const surprise = eitherSurprise(-Math.log10(uniform()), -Math.log10(uniform()), -Math.log10(uniform()));
      for (const at of [1, 2]) if (surprise >= at) over[at - 1] = (over[at - 1] as number) + 1;
    }
    for (const at of [1, 2]) {
      const expected = runs * 10 ** -at;
      expect(over[at - 1]).toBeLessThan(expected + 4 * Math.sqrt(expected));
      expect(over[at - 1]).toBeGreaterThan(expected / 4);
    }
  });

  test('never claim more than their product, and nothing without surprise', () => {
    expect(combinedSurprise(3, 2, 1)).toBeLessThan(6);
    expect(combinedSurprise(0, 0)).toBe(0);
  });
});

/** Tail probabilities against direct summation, with binomials and factorials as exact integers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  betaBinomialSurprise,
  betaGeometricSurprise,
  lnGamma,
  negativeBinomialSurprise,
  normalSurprise,
} from './statistics.ts';

function binomial(n: number, k: number): number {
  let value = 1n;
  for (let i = 1n; i <= BigInt(k); i++) value = (value * (BigInt(n) - i + 1n)) / i;
  return Number(value);
}

/** x (x+1) … (x+k−1) */
function rising(x: number, k: number): number {
  let product = 1;
  for (let i = 0; i < k; i++) product *= x + i;
  return product;
}

describe('lnGamma', () => {
  it('is the logarithm of the factorial', () => {
    let factorial = 1n;
    for (let n = 1; n <= 120; n++) {
      factorial *= BigInt(n);
      expect(lnGamma(n + 1)).toBeCloseTo(Math.log(Number(factorial)), 9);
    }
  });
  it('obeys Γ(x+1) = xΓ(x), and Γ(½) = √π', () => {
    expect(lnGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 12);
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 400, noNaN: true }), (x) => {
        expect(lnGamma(x + 1) - lnGamma(x)).toBeCloseTo(Math.log(x), 8);
      }),
    );
  });
});

describe('betaBinomialSurprise', () => {
  const exact = (k: number, n: number, mean: number, strength: number): number => {
    const a = mean * strength;
    const b = (1 - mean) * strength;
    let tail = 0;
    for (let i = k; i <= n; i++) tail += (binomial(n, i) * rising(a, i) * rising(b, n - i)) / rising(a + b, n);
    return -Math.log10(tail);
  };
  it('is the sum of the upper tail', () => {
    const n = fc.integer({ min: 1, max: 60 });
    const mean = fc.double({ min: 0.02, max: 0.9, noNaN: true });
    fc.assert(
      fc.property(
        n,
        fc.double({ min: 0, max: 1, noNaN: true }),
        mean,
        fc.constantFrom(12, 20, 60),
        (of, part, m, s) => {
          const k = Math.ceil(part * of);
          if (k <= of * m) expect(betaBinomialSurprise(k, of, m, s)).toBe(0);
          else expect(betaBinomialSurprise(k, of, m, s)).toBeCloseTo(exact(k, of, m, s), 4);
        },
      ),
      { numRuns: 500 },
    );
  });
  it('rises with the count and stays finite where the probability underflows', () => {
    let before = 0;
    for (let k = 100; k <= 5000; k += 100) {
      const surprise = betaBinomialSurprise(k, 5000, 0.01, 20);
      expect(surprise).toBeGreaterThan(before);
      before = surprise;
    }
    expect(before).toBeLessThan(Number.POSITIVE_INFINITY);
  });
});

it('betaGeometricSurprise is the chance of that many in a row', () => {
  for (const n of [1, 3, 10, 40])
    for (const mean of [0.1, 0.35, 0.6]) {
      const [a, b] = [mean * 30, (1 - mean) * 30];
      expect(betaGeometricSurprise(n, mean, 30)).toBeCloseTo(-Math.log10(rising(a, n) / rising(a + b, n)), 8);
    }
  expect(betaGeometricSurprise(0, 0.3, 30)).toBe(0);
});

it('negativeBinomialSurprise is one minus the lower sum', () => {
  for (const mean of [0.3, 2, 11])
    for (const shape of [1, 2, 5])
      for (const k of [1, 4, 12, 30, 60]) {
        const q = shape / (mean + shape);
        const p = mean / (mean + shape);
        let factorial = 1;
        let tail = 0;
        for (let i = 0; i < 140; i++) {
          if (i > 0) factorial *= i;
          if (i >= k) tail += (rising(shape, i) / factorial) * q ** shape * p ** i;
        }
        // Fewer than expected is no surprise at all; elsewhere four digits.
        if (k <= mean) expect(negativeBinomialSurprise(k, mean, shape)).toBe(0);
        else expect(negativeBinomialSurprise(k, mean, shape)).toBeCloseTo(Math.max(0, -Math.log10(tail)), 3);
      }
});

it('normalSurprise is the upper tail of the normal distribution', () => {
  // Simpson's rule over the density; far out the tail from the table in Abramowitz and Stegun, 26.2.
  const integral = (z: number): number => {
    const until = z + 12;
    const steps = 20_000;
    const h = (until - z) / steps;
    const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
    let sum = density(z) + density(until);
    for (let i = 1; i < steps; i++) sum += density(z + i * h) * (i % 2 === 0 ? 2 : 4);
    return (sum * h) / 3;
  };
  expect(normalSurprise(0.5)).toBeCloseTo(-Math.log10(integral(0.5)), 1);
  for (const z of [1, 2, 3, 5, 8]) expect(normalSurprise(z)).toBeCloseTo(-Math.log10(integral(z)), 3);
  expect(normalSurprise(20)).toBeCloseTo(88.56, 2);
  expect(normalSurprise(50)).toBeCloseTo(544.966, 2);
  expect(normalSurprise(-1)).toBe(0);
});

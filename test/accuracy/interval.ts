/** Exact 95 % intervals of counts and shares. */

/** Poisson: bounds of the mean behind `count` events (Garwood, 1936). */
export function poissonInterval(count: number): { low: number; high: number } {
  return {
    low: count === 0 ? 0 : solve((mean) => 1 - poissonBelow(count, mean), 0.025, 0, count + 1),
    high: solve((mean) => 1 - poissonBelow(count + 1, mean), 0.975, count, 4 * count + 20),
  };
}

/** Binomial: bounds of the share behind `k` of `n` (Clopper–Pearson, 1934). */
export function shareInterval(k: number, n: number): { low: number; high: number } {
  if (n === 0) return { low: 0, high: 1 };
  return {
    low: k === 0 ? 0 : solve((p) => 1 - binomialBelow(k, n, p), 0.025, 0, 1),
    high: k === n ? 1 : solve((p) => 1 - binomialBelow(k + 1, n, p), 0.975, 0, 1),
  };
}

/** Where a growing function reaches `value`. */
function solve(grows: (x: number) => number, value: number, from: number, to: number): number {
  let low = from;
  let high = to;
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (grows(middle) < value) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(fewer than `count`). */
function poissonBelow(count: number, mean: number): number {
  let ln = -mean;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    if (i > 0) ln += Math.log(mean / i);
    sum += Math.exp(ln);
  }
  return Math.min(1, sum);
}

function binomialBelow(k: number, n: number, p: number): number {
  if (p <= 0) return 1;
  if (p >= 1) return k > n ? 1 : 0;
  let ln = n * Math.log1p(-p);
  let sum = 0;
  for (let i = 0; i < k; i++) {
    if (i > 0) ln += Math.log(((n - i + 1) / i) * (p / (1 - p)));
    sum += Math.exp(ln);
  }
  return Math.min(1, sum);
}

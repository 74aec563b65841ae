/**
 * Tail probabilities behind the detectors, as surprises: −log10 P(at least this much). Numbers that small are added
 * and compared as logarithms, never multiplied out.
 */

const LN10 = Math.LN10;

const lanczos = [
  676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
  -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** Natural logarithm of the gamma function for x > 0 (Lanczos, g = 7, relative error below 1e-13). */
export function lnGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - lnGamma(1 - x);
  const t = x - 1;
  let sum = 0.99999999999980993;
  for (let i = 0; i < 8; i++) sum += (lanczos[i] as number) / (t + i + 1);
  const base = t + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (t + 0.5) * Math.log(base) - base + Math.log(sum);
}

function lnBeta(a: number, b: number): number {
  return lnGamma(a) + lnGamma(b) - lnGamma(a + b);
}

/**
 * Surprise of at least `k` of `n` when each counts with a probability that itself varies between keys as
 * Beta(mean·strength, (1−mean)·strength): heavier than a binomial, as real populations are.
 */
export function betaBinomialSurprise(k: number, n: number, mean: number, strength: number): number {
  if (k <= 0 || n <= 0 || k <= n * mean) return 0;
  const a = mean * strength;
  const b = (1 - mean) * strength;
  const whole = Math.round(n);
  const from = Math.min(Math.round(k), whole);
  const norm = lnBeta(a, b);
  let term = lnChoose(whole, from) + lnBeta(from + a, whole - from + b) - norm;
  let max = term;
  let sum = 1;
  // Terms fall geometrically past the mean; 200 of them or a part in 1e6 is all that matters.
  for (let i = from + 1; i <= whole && i < from + 200; i++) {
    term += Math.log(((whole - i + 1) / i) * ((i - 1 + a) / (whole - i + b)));
    if (term > max) {
      sum = sum * Math.exp(max - term) + 1;
      max = term;
    } else {
      const add = Math.exp(term - max);
      sum += add;
      if (add < 1e-6) break;
    }
  }
  return Math.max(0, -(max + Math.log(sum)) / LN10);
}

function lnChoose(n: number, k: number): number {
  return lnGamma(n + 1) - lnGamma(k + 1) - lnGamma(n - k + 1);
}

/**
 * Surprise of a run of at least `n` when each next step happens with a probability that varies between keys as
 * Beta(mean·strength, (1−mean)·strength).
 */
export function betaGeometricSurprise(n: number, mean: number, strength: number): number {
  if (n <= 0) return 0;
  const a = mean * strength;
  const b = (1 - mean) * strength;
  return Math.max(0, -(lnBeta(a + n, b) - lnBeta(a, b)) / LN10);
}

/** Surprise of at least `k` events where `mean` are expected and the rate varies between keys as Gamma(shape). */
export function negativeBinomialSurprise(k: number, mean: number, shape: number): number {
  const whole = Math.round(k);
  if (whole <= 0 || whole <= mean) return 0;
  const lnP = Math.log(mean / (mean + shape));
  const lnQ = Math.log(shape / (mean + shape));
  let term = lnGamma(whole + shape) - lnGamma(whole + 1) - lnGamma(shape) + shape * lnQ + whole * lnP;
  const first = term;
  let sum = 1;
  for (let i = whole + 1; i < whole + 400; i++) {
    term += lnP + Math.log((i - 1 + shape) / i);
    const add = Math.exp(term - first);
    sum += add;
    if (add < 1e-6) break;
  }
  return Math.max(0, -(first + Math.log(sum)) / LN10);
}

/**
 * Several looks at one behaviour as one surprise: under good standing the sum of independent surprises is Gamma
 * distributed (Fisher, 1925), so adding them up alone would claim too much.
 */
export function combinedSurprise(...surprises: readonly number[]): number {
  const x = surprises.reduce((sum, s) => sum + s, 0) * LN10;
  let term = 1;
  let sum = 1;
  for (let i = 1; i < surprises.length; i++) {
    term *= x / i;
    sum += term;
  }
  return Math.max(0, (x - Math.log(sum)) / LN10);
}

/** Of several looks either one strong or all together: half the probability for each way. Never negative. */
export function eitherSurprise(...surprises: readonly number[]): number {
  const one = Math.max(...surprises) - Math.log10(surprises.length);
  return Math.max(0, Math.max(one, combinedSurprise(...surprises)) - Math.log10(2));
}

/** Surprise of a standard normal value of at least `z`; asymptotic expansion where the tail underflows. */
export function normalSurprise(z: number): number {
  if (z <= 0) return 0;
  // Mills ratio by continued fraction (Laplace); good to four digits from z = 0.5, at most 0.02 off below.
  let fraction = z;
  for (let k = 24; k >= 1; k--) fraction = z + k / fraction;
  const ln = -0.5 * z * z - 0.5 * Math.log(2 * Math.PI) - Math.log(fraction);
  return Math.max(0, -ln / LN10);
}

export interface Normal {
  mean: number;
  deviation: number;
}

/** What is usual before anything is known: worth so many windows, and sites differ in it by `between`. */
export interface NormalPrior extends Normal {
  windows: number;
  between?: number;
}

/**
 * Mean and deviation from (n, sum, sum of squares) at `at` and a prior. As far as the prior stands in for what is not
 * known yet, that this site may be another one than most makes the deviation larger.
 */
export function normalOf(sums: Float64Array | undefined, at: number, prior: NormalPrior): Normal {
  const n = (sums?.[at] ?? 0) + prior.windows;
  const mean = ((sums?.[at + 1] ?? 0) + prior.mean * prior.windows) / n;
  const squares = ((sums?.[at + 2] ?? 0) + (prior.mean ** 2 + prior.deviation ** 2) * prior.windows) / n;
  const unknown = (prior.between ?? 0) ** 2 * (prior.windows / n);
  return { mean, deviation: Math.sqrt(Math.max(0.04, squares - mean * mean) + unknown) };
}

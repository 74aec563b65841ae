/**
 * Counts by time in bounded memory: when more buckets hold something than allowed, widths grow to the next step and
 * neighbours merge. Buckets are sparse, so one absurd timestamp costs one bucket and not the resolution of the rest.
 */

/** Each divides the next, so that merging never splits a bucket. */
const steps = [
  1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000,
  86_400_000, 604_800_000, 2_419_200_000, 31_449_600_000,
] as const;

export interface TimeBuckets<T> {
  /** Current width in milliseconds. */
  readonly widthMs: number;
  readonly size: number;
  /** The bucket that holds `atMs`, made when absent. Valid until the next call. */
  at(atMs: number): T;
  /** Start → bucket, by time. */
  entries(): [number, T][];
  /**
   * The same, merged into at most `limit` buckets of at least `minWidthMs`, gaps filled. The source is unchanged;
   * what lies outside is left out.
   */
  dense(limit: number, fromMs: number, toMs: number, minWidthMs?: number): DenseBuckets<T>;
}

export interface DenseBuckets<T> {
  widthMs: number;
  starts: number[];
  buckets: T[];
}

export interface BucketKind<T> {
  create(): T;
  /** Adds `from` into `into`. */
  merge(into: T, from: T): void;
}

export function createTimeBuckets<T>(limit: number, kind: BucketKind<T>): TimeBuckets<T> {
  return new Buckets(limit, kind);
}

/** A class, because there are thousands of them: closures for each would be most of what they take. */
class Buckets<T> implements TimeBuckets<T> {
  readonly #limit: number;
  readonly #kind: BucketKind<T>;
  #step = 0;
  #width: number = steps[0];
  #buckets = new Map<number, T>();
  #lastIndex = Number.NaN;
  #last: T | undefined;

  constructor(limit: number, kind: BucketKind<T>) {
    this.#limit = limit;
    this.#kind = kind;
  }

  get widthMs(): number {
    return this.#width;
  }

  get size(): number {
    return this.#buckets.size;
  }

  at(atMs: number): T {
    let index = Math.floor(atMs / this.#width);
    if (index === this.#lastIndex && this.#last !== undefined) return this.#last;
    let bucket = this.#buckets.get(index);
    if (bucket === undefined) {
      while (this.#buckets.size >= this.#limit) {
        this.#coarsen();
        index = Math.floor(atMs / this.#width);
        bucket = this.#buckets.get(index);
        if (bucket !== undefined) break;
      }
      if (bucket === undefined) this.#buckets.set(index, (bucket = this.#kind.create()));
    }
    this.#lastIndex = index;
    this.#last = bucket;
    return bucket;
  }

  entries(): [number, T][] {
    return [...this.#buckets.entries()]
      .sort((a, b) => a[0] - b[0])
      .map(([index, bucket]) => [index * this.#width, bucket]);
  }

  dense(most: number, fromMs: number, toMs: number, minWidthMs = 0): DenseBuckets<T> {
    let wide = this.#step;
    const count = (w: number) => Math.floor(toMs / w) - Math.floor(fromMs / w) + 1;
    while (count(stepWidth(wide)) > most || stepWidth(wide) < minWidthMs) wide++;
    const out = stepWidth(wide);
    const first = Math.floor(fromMs / out);
    const n = count(out);
    const starts = Array.from({ length: n }, (_, i) => (first + i) * out);
    const dense = starts.map(() => this.#kind.create());
    for (const [index, bucket] of this.#buckets) {
      const into = dense[Math.floor((index * this.#width) / out) - first];
      if (into !== undefined) this.#kind.merge(into, bucket);
    }
    return { widthMs: out, starts, buckets: dense };
  }

  #coarsen(): void {
    const from = this.#width;
    this.#step++;
    this.#width = stepWidth(this.#step);
    const merged = new Map<number, T>();
    for (const [index, bucket] of this.#buckets) {
      const to = Math.floor((index * from) / this.#width);
      const into = merged.get(to);
      if (into) this.#kind.merge(into, bucket);
      else merged.set(to, bucket);
    }
    this.#buckets = merged;
    this.#last = undefined;
    this.#lastIndex = Number.NaN;
  }
}

/** Past the ladder widths double: any two instants fit in any limit. */
export function stepWidth(step: number): number {
  const top = steps.length - 1;
  return steps[step] ?? (steps[top] ?? 1) * 2 ** (step - top);
}

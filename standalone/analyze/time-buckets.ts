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
  let step = 0;
  let width: number = steps[0];
  let buckets = new Map<number, T>();
  let lastIndex = Number.NaN;
  let last: T | undefined;

  function coarsen(): void {
    const from = width;
    step++;
    width = stepWidth(step);
    const merged = new Map<number, T>();
    for (const [index, bucket] of buckets) {
      const to = Math.floor((index * from) / width);
      const into = merged.get(to);
      if (into) kind.merge(into, bucket);
      else merged.set(to, bucket);
    }
    buckets = merged;
    last = undefined;
    lastIndex = Number.NaN;
  }

  return {
    get widthMs() {
      return width;
    },
    get size() {
      return buckets.size;
    },
    at(atMs) {
      let index = Math.floor(atMs / width);
      if (index === lastIndex && last !== undefined) return last;
      let bucket = buckets.get(index);
      if (bucket === undefined) {
        while (buckets.size >= limit) {
          coarsen();
          index = Math.floor(atMs / width);
          bucket = buckets.get(index);
          if (bucket !== undefined) break;
        }
        if (bucket === undefined) {
          bucket = kind.create();
          buckets.set(index, bucket);
        }
      }
      lastIndex = index;
      last = bucket;
      return bucket;
    },
    entries() {
      return [...buckets.entries()].sort((a, b) => a[0] - b[0]).map(([index, bucket]) => [index * width, bucket]);
    },
    dense(most, fromMs, toMs, minWidthMs = 0) {
      let wide = step;
      const count = (w: number) => Math.floor(toMs / w) - Math.floor(fromMs / w) + 1;
      while (count(stepWidth(wide)) > most || stepWidth(wide) < minWidthMs) wide++;
      const out = stepWidth(wide);
      const first = Math.floor(fromMs / out);
      const n = count(out);
      const starts = Array.from({ length: n }, (_, i) => (first + i) * out);
      const dense = starts.map(() => kind.create());
      for (const [index, bucket] of buckets) {
        const into = dense[Math.floor((index * width) / out) - first];
        if (into !== undefined) kind.merge(into, bucket);
      }
      return { widthMs: out, starts, buckets: dense };
    },
  };
}

/** Past the ladder widths double: any two instants fit in any limit. */
function stepWidth(step: number): number {
  const top = steps.length - 1;
  return steps[step] ?? (steps[top] ?? 1) * 2 ** (step - top);
}

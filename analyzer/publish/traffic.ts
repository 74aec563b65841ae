/** Rates, errors and latencies of an API over the last five minutes, in buckets of ten seconds. */
import { DDSketch } from '@datadog/sketches-js';

const bucketMs = 10_000;
const windowMs = 300_000;

export interface Traffic {
  add(at: number, status: number, durationMs: number): void;
  /** Undefined before the first request. */
  read(now: number): TrafficFigures | undefined;
}

export interface TrafficFigures {
  requestsPerSecond: number;
  /** Share of responses with status 5xx. */
  errorRatio: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
}

interface Bucket {
  number: number;
  requests: number;
  errors: number;
  durations: DDSketch;
}

/** Percentiles within 1 %. */
const accuracy = { relativeAccuracy: 0.01 };

export function createTraffic(): Traffic {
  const buckets: Bucket[] = [];
  return {
    add(at, status, durationMs) {
      const number = Math.floor(at / bucketMs);
      const index = number % (windowMs / bucketMs);
      let bucket = buckets[index];
      if (bucket && bucket.number > number) return;
      if (!bucket || bucket.number < number)
        buckets[index] = bucket = { number, requests: 0, errors: 0, durations: new DDSketch(accuracy) };
      bucket.requests++;
      if (status >= 500) bucket.errors++;
      if (durationMs >= 0) bucket.durations.accept(durationMs);
    },
    read(now) {
      const oldest = Math.floor((now - windowMs) / bucketMs);
      const live = buckets.filter((b) => b !== undefined && b.number > oldest);
      if (live.length === 0) return undefined;
      const all = new DDSketch(accuracy);
      let requests = 0;
      let errors = 0;
      let first = Number.POSITIVE_INFINITY;
      for (const bucket of live) {
        requests += bucket.requests;
        errors += bucket.errors;
        all.merge(bucket.durations);
        first = Math.min(first, bucket.number);
      }
      const spanMs = Math.max(bucketMs, Math.min(windowMs, now - first * bucketMs));
      const quantile = (q: number): number => {
        const value = all.count > 0 ? all.getValueAtQuantile(q) : 0;
        return Number.isFinite(value) ? value : 0;
      };
      return {
        requestsPerSecond: (requests * 1000) / spanMs,
        errorRatio: requests > 0 ? errors / requests : 0,
        p50Ms: quantile(0.5),
        p95Ms: quantile(0.95),
        p99Ms: quantile(0.99),
      };
    },
  };
}

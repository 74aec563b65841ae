/** Counts, answers, sizes and latency of a set of requests, mergeable. */
import { LogCollapsingLowestDenseDDSketch } from '@datadog/sketches-js';
import type { BucketKind } from './time-buckets.ts';

/** Relative error of every quantile that a report shows. */
const relativeAccuracy = 0.02;
/** 2 % steps from a microsecond to a fortnight are about 1,000 bins. */
const binLimit = 1024;

export interface RequestTotals {
  requests: number;
  errors: number;
  serverErrors: number;
  bytes: number;
  /** Requests whose size is known. */
  sized: number;
  /** Made with the first known duration. */
  latency: LogCollapsingLowestDenseDDSketch | undefined;
}

export function createRequestTotals(): RequestTotals {
  return { requests: 0, errors: 0, serverErrors: 0, bytes: 0, sized: 0, latency: undefined };
}

/** `durationMs` and `responseBytes` are NaN when unknown; a status of 0 (no response) counts as a server error. */
export function addRequest(t: RequestTotals, status: number, durationMs: number, responseBytes: number): void {
  t.requests++;
  if (status >= 400 || status === 0) t.errors++;
  if (status >= 500 || status === 0) t.serverErrors++;
  if (responseBytes >= 0) {
    t.bytes += responseBytes;
    t.sized++;
  }
  if (durationMs >= 0) {
    t.latency ??= new LogCollapsingLowestDenseDDSketch({ relativeAccuracy, binLimit });
    t.latency.accept(Math.min(durationMs, 1.3e9));
  }
}

export const requestTotals: BucketKind<RequestTotals> = {
  create: createRequestTotals,
  merge(into, from) {
    into.requests += from.requests;
    into.errors += from.errors;
    into.serverErrors += from.serverErrors;
    into.bytes += from.bytes;
    into.sized += from.sized;
    if (from.latency !== undefined) {
      into.latency ??= new LogCollapsingLowestDenseDDSketch({ relativeAccuracy, binLimit });
      into.latency.merge(from.latency);
    }
  },
};

/** Milliseconds within 2 %, to three digits; `null` when no duration is known. */
export function quantileMs(t: RequestTotals, q: number): number | null {
  if (t.latency === undefined || t.latency.count === 0) return null;
  return Number(t.latency.getValueAtQuantile(q).toPrecision(3));
}

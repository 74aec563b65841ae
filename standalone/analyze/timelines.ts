/**
 * Requests and errors over time for thousands of principals, by place: `createTimeBuckets` in a row of one buffer each.
 * As maps of objects they were a fifth of the heap of a large log, looked through at every collection.
 */
import { stepWidth } from './time-buckets.ts';

export interface TimelinePoint {
  /** Start of the bucket, Unix ms. */
  atMs: number;
  requests: number;
  errors: number;
}

export interface Timelines {
  /** Counts one request at `place`. */
  add(place: number, atMs: number, error: boolean): void;
  /** Puts the timeline of `from` in the place of `to`. */
  move(from: number, to: number): void;
  /** Empties a place that was used before. */
  clear(place: number): void;
  widthMs(place: number): number;
  /** By time. */
  points(place: number): TimelinePoint[];
}

/** @param limit buckets of a timeline, less than 256: with more its widths grow and neighbours merge */
export function createTimelines(limit: number): Timelines {
  let places = 0;
  /** Buckets in use and the step of their width, by place. */
  let used = new Uint8Array(0);
  let step = new Uint8Array(0);
  /** Number of the bucket since 1970, ascending; requests and errors. `limit` for each place. */
  let number = new Float64Array(0);
  let requests = new Uint32Array(0);
  let errors = new Uint32Array(0);

  function grow(to: number): void {
    places = Math.max(to, places * 2, 64);
    const kept = { used, step, number, requests, errors };
    used = new Uint8Array(places);
    used.set(kept.used);
    step = new Uint8Array(places);
    step.set(kept.step);
    number = new Float64Array(places * limit);
    number.set(kept.number);
    requests = new Uint32Array(places * limit);
    requests.set(kept.requests);
    errors = new Uint32Array(places * limit);
    errors.set(kept.errors);
  }

  /** Where the bucket is, or belongs: requests come in order, but for a few. */
  function search(from: number, count: number, wanted: number): number {
    let i = from + count;
    while (i > from && (number[i - 1] as number) >= wanted) i--;
    return i;
  }

  function coarsen(place: number): void {
    const from = place * limit;
    const before = stepWidth(step[place] as number);
    const width = stepWidth((step[place] as number) + 1);
    step[place] = (step[place] as number) + 1;
    let last = from - 1;
    for (let i = from; i < from + (used[place] as number); i++) {
      const to = Math.floor(((number[i] as number) * before) / width);
      if (last >= from && number[last] === to) {
        requests[last] = (requests[last] as number) + (requests[i] as number);
        errors[last] = (errors[last] as number) + (errors[i] as number);
        continue;
      }
      last++;
      number[last] = to;
      requests[last] = requests[i] as number;
      errors[last] = errors[i] as number;
    }
    used[place] = last + 1 - from;
  }

  function insert(place: number, at: number, wanted: number): void {
    const end = place * limit + (used[place] as number);
    for (const column of [number, requests, errors]) column.copyWithin(at + 1, at, end);
    number[at] = wanted;
    requests[at] = 0;
    errors[at] = 0;
    used[place] = (used[place] as number) + 1;
  }

  return {
    add(place, atMs, error) {
      if (place >= places) grow(place + 1);
      const from = place * limit;
      for (;;) {
        const wanted = Math.floor(atMs / stepWidth(step[place] as number));
        const count = used[place] as number;
        const at = search(from, count, wanted);
        const found = at < from + count && number[at] === wanted;
        if (!found && count >= limit) {
          coarsen(place);
          continue;
        }
        if (!found) insert(place, at, wanted);
        requests[at] = (requests[at] as number) + 1;
        if (error) errors[at] = (errors[at] as number) + 1;
        return;
      }
    },
    move(from, to) {
      if (Math.max(from, to) >= places) grow(Math.max(from, to) + 1);
      used[to] = used[from] as number;
      step[to] = step[from] as number;
      for (const column of [number, requests, errors]) column.copyWithin(to * limit, from * limit, (from + 1) * limit);
    },
    clear(place) {
      if (place >= places) return;
      used[place] = 0;
      step[place] = 0;
    },
    widthMs: (place) => stepWidth(step[place] ?? 0),
    points(place) {
      const width = stepWidth(step[place] ?? 0);
      return Array.from({ length: used[place] ?? 0 }, (_, i) => {
        const at = place * limit + i;
        return {
          atMs: (number[at] as number) * width,
          requests: requests[at] as number,
          errors: errors[at] as number,
        };
      });
    },
  };
}

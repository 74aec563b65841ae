/** What a reference rule set is: plain state that can be copied, and one step per request. */
import type { Row } from './row.ts';

export interface Baseline<State = unknown> {
  name: string;
  /** Where its numbers come from, and what had to be assumed. */
  source: string;
  /** Attack families it is made for. */
  families: readonly string[];
  start(): State;
  /**
   * Takes one request; returns the key that is reported, if any.
   *
   * @param scale multiplies every threshold: 1 as published, more to get down to equal benign alerts
   */
  observe(state: State, row: Row, scale: number): string | undefined;
}

/** Instants per key, the newest last. */
export type Times = Map<string, number[]>;

/** Adds an instant and returns how many lie within the window. */
export function countWithin(times: Times, key: string, at: number, windowMs: number): number {
  let list = times.get(key);
  if (!list) times.set(key, (list = []));
  list.push(at);
  while ((list[0] as number) <= at - windowMs) list.shift();
  return list.length;
}

/** Last instant of each value per key. */
export type Values = Map<string, Map<string, number>>;

/** Adds a value and returns how many different ones lie within the window. */
export function distinctWithin(values: Values, key: string, value: string, at: number, windowMs: number): number {
  let seen = values.get(key);
  if (!seen) values.set(key, (seen = new Map()));
  // Re-inserted, so that the map's order is the order of time.
  seen.delete(value);
  seen.set(value, at);
  for (const [old, last] of seen) {
    if (last > at - windowMs) break;
    seen.delete(old);
  }
  return seen.size;
}

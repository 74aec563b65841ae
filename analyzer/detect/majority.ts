/**
 * What a caller asks for most, after Boyer and Moore (1981): its lead over everything else is exact while it has a
 * majority. Three words: requests, lead (f32), the operation.
 */
import { F } from '../observation.ts';
import type { Slab } from '../profile/slab.ts';
import type { Scene } from './detector.ts';

/** Evenness and monotony tell a program from a person, not a bad program from a good one: each says no more than this. */
export const mostOfManner = 3;

const M = { requests: 0, lead: 1, operation: 2 } as const;
export const MAJORITY_WORDS = 3;

export function noteMajority({ u32, f32 }: Slab, at: number, scene: Scene): void {
  f32[at + M.requests] = (f32[at + M.requests] as number) + 1;
  const operation = scene.u32[scene.record + F.operation] as number;
  const lead = f32[at + M.lead] as number;
  if (lead === 0) u32[at + M.operation] = operation;
  f32[at + M.lead] = lead === 0 || u32[at + M.operation] === operation ? lead + 1 : lead - 1;
}

export function requestsOf(f32: Float32Array, at: number): number {
  return f32[at + M.requests] as number;
}

/** Minus the logarithm of the share of what a caller does beside what it does most. */
export function sameness(f32: Float32Array, at: number): number {
  const requests = f32[at + M.requests] as number;
  return -Math.log((requests - (f32[at + M.lead] as number) + 1) / (requests + 1));
}

/** Surprise of doing so little else, where `usual` is the mean of `sameness`: callers differ as x^(1/usual). */
export function monotonySurprise(f32: Float32Array, at: number, usual: number): number {
  return Math.min(mostOfManner, sameness(f32, at) / usual / Math.LN10);
}

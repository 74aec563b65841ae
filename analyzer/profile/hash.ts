/**
 * 64-bit keys as two 32-bit words. Keys arrive as keyed hashes already; mixing only separates domains
 * (API, kind of key, window), so speed matters here and secrecy does not.
 */

/** Output registers of `mixKey`: read at once, before the next call. A tuple per call would be garbage per update. */
export const mixed = { lo: 0, hi: 0 };

/** Mixes a 64-bit value with two 32-bit tags into `mixed`. The finaliser is that of MurmurHash3, applied crosswise. */
export function mixKey(lo: number, hi: number, tagA: number, tagB: number): void {
  const a = finalise(lo ^ Math.imul(tagA, 0x9e3779b1) ^ Math.imul(hi, 0x85ebca77));
  const b = finalise(hi ^ Math.imul(tagB, 0xc2b2ae3d) ^ Math.imul(a, 0x27d4eb2f));
  mixed.lo = (a ^ Math.imul(b, 0x165667b1)) >>> 0;
  mixed.hi = b >>> 0;
}

function finalise(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** One 32-bit hash of a 64-bit value, for sets inside a profile. Never 0. */
export function fold(lo: number, hi: number): number {
  return finalise(lo ^ Math.imul(hi, 0x9e3779b1)) >>> 0 || 1;
}

export function hex16(lo: number, hi: number): string {
  return (hi >>> 0).toString(16).padStart(8, '0') + (lo >>> 0).toString(16).padStart(8, '0');
}

/** The words that `hex16` wrote. */
export function wordsOf(hex: string): { lo: number; hi: number } {
  return { lo: Number.parseInt(hex.slice(8), 16), hi: Number.parseInt(hex.slice(0, 8), 16) };
}

/**
 * Number of distinct 32-bit hashes, packed into 17 words of a slab: exact up to 16, then HyperLogLog with 64 registers
 * (standard error 13 %) in the same bytes, linear counting while it is nearly empty.
 */

/** Words one set takes. */
export const DISTINCT_WORDS = 18;

const EXACT = 16;
const SKETCH = 0x8000_0000;
/** 2^−rank: a power per register would cost more than the rest of a count. */
const inverse = Float64Array.from({ length: 64 }, (_, rank) => 2 ** -rank);

/** Adds `hash` (never 0) to the set at word `at`; true when the set changed. */
export function addDistinct(u32: Uint32Array, at: number, hash: number): boolean {
  const head = u32[at] as number;
  if (head & SKETCH) return addToSketch(u32, at, hash);
  for (let i = 1; i <= head; i++) if (u32[at + i] === hash) return false;
  if (head < EXACT) {
    u32[at + 1 + head] = hash;
    u32[at] = head + 1;
    return true;
  }
  const members = u32.slice(at + 1, at + 1 + EXACT);
  u32.fill(0, at, at + DISTINCT_WORDS);
  u32[at] = SKETCH;
  for (const member of members) addToSketch(u32, at, member);
  addToSketch(u32, at, hash);
  return true;
}

/** Whether `hash` is a member; undefined once the set is a sketch, which cannot tell. */
export function hasDistinct(u32: Uint32Array, at: number, hash: number): boolean | undefined {
  const head = u32[at] as number;
  if (head & SKETCH) return undefined;
  for (let i = 1; i <= head; i++) if (u32[at + i] === hash) return true;
  return false;
}

/** Estimated number of members. */
export function countDistinct(u32: Uint32Array, at: number): number {
  const head = u32[at] as number;
  if ((head & SKETCH) === 0) return head;
  let sum = 0;
  let empty = 0;
  for (let word = at + 1; word <= at + 16; word++) {
    const four = u32[word] as number;
    for (let shift = 0; shift < 32; shift += 8) {
      const rank = (four >>> shift) & 0xff;
      if (rank === 0) empty++;
      sum += inverse[rank] as number;
    }
  }
  const estimate = (0.709 * 64 * 64) / sum;
  if (estimate <= 160 && empty > 0) return Math.round(64 * Math.log(64 / empty));
  return Math.round(estimate);
}

function register(u32: Uint32Array, at: number, i: number): number {
  return ((u32[at + 1 + (i >> 2)] as number) >>> ((i & 3) << 3)) & 0xff;
}

function addToSketch(u32: Uint32Array, at: number, hash: number): boolean {
  const i = hash & 63;
  const rank = Math.clz32((hash >>> 6) | 0) - 6 + 1;
  if (register(u32, at, i) >= rank) return false;
  const word = at + 1 + (i >> 2);
  const shift = (i & 3) << 3;
  u32[word] = ((u32[word] as number) & ~(0xff << shift)) | (rank << shift);
  return true;
}

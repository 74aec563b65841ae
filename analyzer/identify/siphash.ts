/**
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) over the UTF-8 bytes of a string, in
 * 32-bit halves. It is a keyed pseudorandom function with a 128-bit key, which is all a 64-bit pseudonym can use, and
 * costs a tenth of an HMAC-SHA-256 call through `node:crypto` on the short values that requests carry.
 */

/** Four 32-bit words, little endian: k0 low, k0 high, k1 low, k1 high. */
export type SipKey = Uint32Array;

/** Result of the last `siphash`, two unsigned 32-bit words. Never both 0: 0 means "absent" in an observation. */
export const digest = { lo: 0, hi: 0 };

/** Longest input hashed, in bytes; what is longer is cut, so callers bound values where a cut would matter. */
export const maxInputBytes = 16_384;

const bytes = new Uint8Array(maxInputBytes + 8);
const words = new Uint32Array(bytes.buffer);
const encoder = new TextEncoder();

/** Hashes `text` under `key` into `digest`. */
export function siphash(key: SipKey, text: string): void {
  sipWords(key, encode(text));
}

/** Hashes the two words of another hash and a text, for values that are scoped by something already hashed. */
export function siphashScoped(key: SipKey, lo: number, hi: number, text: string): void {
  const n = encode(text);
  const cut = Math.min(n, maxInputBytes - 8);
  bytes.copyWithin(8, 0, cut);
  words[0] = lo;
  words[1] = hi;
  sipWords(key, cut + 8);
}

function encode(text: string): number {
  const n = text.length;
  if (n > maxInputBytes) return encoder.encodeInto(text, bytes.subarray(0, maxInputBytes)).written;
  for (let i = 0; i < n; i++) {
    const c = text.charCodeAt(i);
    // encodeInto costs more than the loop on short ASCII, which is nearly everything.
    if (c > 127) return encoder.encodeInto(text, bytes.subarray(0, maxInputBytes)).written;
    bytes[i] = c;
  }
  return n;
}

function sipWords(key: SipKey, length: number): void {
  // The last block holds the remaining bytes and the length in its top byte.
  const blocks = length >>> 3;
  bytes.fill(0, length, (blocks << 3) + 8);
  bytes[(blocks << 3) + 7] = length & 0xff;
  const k0l = key[0] as number;
  const k0h = key[1] as number;
  const k1l = key[2] as number;
  const k1h = key[3] as number;
  let v0l = k0l ^ 0x70736575;
  let v0h = k0h ^ 0x736f6d65;
  let v1l = k1l ^ 0x6e646f6d;
  let v1h = k1h ^ 0x646f7261;
  let v2l = k0l ^ 0x6e657261;
  let v2h = k0h ^ 0x6c796765;
  let v3l = k1l ^ 0x79746573;
  let v3h = k1h ^ 0x74656462;
  // One more turn than there are blocks: the last one is the finalisation, so that the round is written once.
  for (let i = 0; i <= blocks + 1; i++) {
    let ml = 0;
    let mh = 0;
    let rounds = 2;
    if (i <= blocks) {
      ml = words[i << 1] as number;
      mh = words[(i << 1) + 1] as number;
    } else {
      v2l ^= 0xff;
      rounds = 4;
    }
    v3l ^= ml;
    v3h ^= mh;
    for (; rounds > 0; rounds--) {
      let sum = (v0l >>> 0) + (v1l >>> 0);
      v0h = (v0h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v0l = sum | 0;
      let t = (v1l << 13) | (v1h >>> 19);
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
      v1l = t ^ v0l;
      t = v0l;
      v0l = v0h;
      v0h = t;
      sum = (v2l >>> 0) + (v3l >>> 0);
      v2h = (v2h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v2l = sum | 0;
      t = (v3l << 16) | (v3h >>> 16);
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
      v3l = t ^ v2l;
      sum = (v0l >>> 0) + (v3l >>> 0);
      v0h = (v0h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v0l = sum | 0;
      t = (v3l << 21) | (v3h >>> 11);
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
      v3l = t ^ v0l;
      sum = (v2l >>> 0) + (v1l >>> 0);
      v2h = (v2h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v2l = sum | 0;
      t = (v1l << 17) | (v1h >>> 15);
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
      v1l = t ^ v2l;
      t = v2l;
      v2l = v2h;
      v2h = t;
    }
    v0l ^= ml;
    v0h ^= mh;
  }
  digest.lo = (v0l ^ v1l ^ v2l ^ v3l) >>> 0;
  digest.hi = (v0h ^ v1h ^ v2h ^ v3h) >>> 0;
  if (digest.lo === 0 && digest.hi === 0) digest.lo = 1;
}

/**
 * Numbers as ASCII decimals in a byte array. JavaScript numbers cannot hold a 64-bit hash; BigInt formats one as fast
 * as this does, but leaves two objects behind for each.
 */

/** The three digits of 0..999, so that numbers are written three digits at a time. */
const digits = new Uint8Array(3000);
for (let n = 0; n < 1000; n++) {
  digits[n * 3] = 48 + Math.floor(n / 100);
  digits[n * 3 + 1] = 48 + (Math.floor(n / 10) % 10);
  digits[n * 3 + 2] = 48 + (n % 10);
}

/** 0..999 with its zeros. */
function writeThree(out: Uint8Array, at: number, n: number): number {
  const from = n * 3;
  out[at] = digits[from] as number;
  out[at + 1] = digits[from + 1] as number;
  out[at + 2] = digits[from + 2] as number;
  return at + 3;
}

/** 0..999 without leading zeros. */
function writeFirst(out: Uint8Array, at: number, n: number): number {
  const from = n * 3;
  let end = at;
  if (n >= 100) out[end++] = digits[from] as number;
  if (n >= 10) out[end++] = digits[from + 1] as number;
  out[end++] = digits[from + 2] as number;
  return end;
}

/** 0..999,999,999 with its zeros. */
function writeNine(out: Uint8Array, at: number, n: number): number {
  const millions = (n / 1_000_000) | 0;
  const rest = n - millions * 1_000_000;
  const thousands = (rest / 1000) | 0;
  writeThree(out, at, millions);
  writeThree(out, at + 3, thousands);
  return writeThree(out, at + 6, rest - thousands * 1000);
}

/** Writes a whole number from 0 to 2^53 at `at` and returns where it ends. */
export function writeInteger(out: Uint8Array, at: number, n: number): number {
  if (n < 1000) return writeFirst(out, at, n);
  if (n < 1_000_000) {
    const thousands = (n / 1000) | 0;
    return writeThree(out, writeFirst(out, at, thousands), n - thousands * 1000);
  }
  if (n < 1_000_000_000) {
    const millions = (n / 1_000_000) | 0;
    const rest = n - millions * 1_000_000;
    const thousands = (rest / 1000) | 0;
    return writeThree(out, writeThree(out, writeFirst(out, at, millions), thousands), rest - thousands * 1000);
  }
  const billions = Math.floor(n / 1_000_000_000);
  return writeNine(out, writeInteger(out, at, billions), n - billions * 1_000_000_000);
}

/** Writes the unsigned 64-bit integer with these halves at `at` and returns where it ends. */
export function writeUnsigned64(out: Uint8Array, at: number, low: number, high: number): number {
  if (high === 0) return writeInteger(out, at, low);
  // Long division by 10^9, sixteen bits at a time, so that every step fits 53 bits.
  const head =
    high >= 4_000_000_000 ? 4 : high >= 3_000_000_000 ? 3 : high >= 2_000_000_000 ? 2 : high >= 1_000_000_000 ? 1 : 0;
  let rest = (high - head * 1_000_000_000) * 65536 + (low >>> 16);
  const upper = (rest / 1_000_000_000) | 0;
  rest = (rest - upper * 1_000_000_000) * 65536 + (low & 0xffff);
  const lower = (rest / 1_000_000_000) | 0;
  const quotient = head * 4294967296 + upper * 65536 + lower;
  return writeNine(out, writeInteger(out, at, quotient), rest - lower * 1_000_000_000);
}

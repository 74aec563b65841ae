import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRowBytes } from './row-bytes.ts';

const written = (write: (out: ReturnType<typeof createRowBytes>) => void): string => {
  const out = createRowBytes(0);
  out.begin();
  out.reserve(64);
  write(out);
  out.end();
  return out.bytes().toString('utf8');
};

it('writes every unsigned 64-bit integer as BigInt does', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), (low, high) => {
      expect(written((out) => out.unsigned64(low, high))).toBe(`[${(BigInt(high) << 32n) | BigInt(low)}]\n`);
    }),
  );
});

it.each([
  [0, 0, '0'],
  [999_999_999, 0, '999999999'],
  [1_000_000_000, 0, '1000000000'],
  [0xffffffff, 0xffffffff, '18446744073709551615'],
  [0x3b9aca00, 0, '1000000000'],
  [0xa7640000, 0x0de0b6b3, '1000000000000000000'],
])('writes 64-bit halves %d and %d as %s', (low, high, expected) => {
  expect(written((out) => out.unsigned64(low, high))).toBe(`[${expected}]\n`);
});

it('writes floats so that they read back bit by bit', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(JSON.parse(written((out) => out.float(value)))).toEqual([value]);
    }),
  );
});

it('writes what JSON lacks as ClickHouse reads it', () => {
  expect(
    written((out) => {
      out.float(Number.NaN);
      out.float(Number.POSITIVE_INFINITY);
      out.float(Number.NEGATIVE_INFINITY);
      out.float(-0);
    }),
  ).toBe('[null,"inf","-inf",-0]\n');
});

it('writes any string as JSON, with U+FFFD for half a surrogate pair', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.boolean(), (value, repeated) => {
      const line = written((out) => (repeated ? out.repeatedText(value) : out.text(value)));
      expect(JSON.parse(line)).toEqual([value.toWellFormed()]);
      expect(line.indexOf('\n')).toBe(line.length - 1);
    }),
  );
  expect(JSON.parse(written((out) => out.text('a\ud800b')))).toEqual(['a\ufffdb']);
});

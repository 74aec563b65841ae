import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fromPieces, toPieces } from './pieces.ts';

const bytes = (most: number) => fc.uint8Array({ maxLength: most });
const state = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.double(),
    fc.string(),
    fc.bigInt(),
    bytes(20),
    fc.nat(20_000).map((length) => new Uint8Array(length).fill(length)),
    fc.float64Array({ maxLength: 900 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ maxLength: 4 }), tie('value'), { maxKeys: 4 }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
  ),
})).value;

it('reads back what it took, as V8 itself does', () => {
  fc.assert(
    fc.property(state, (value) => {
      expect(fromPieces(Buffer.concat(toPieces(value)))).toEqual(deserialize(serialize(value)));
    }),
    { numRuns: 200 },
  );
});

it('copies no large byte array, on either way', () => {
  const table = new Uint8Array(100_000).fill(7);
  expect(toPieces({ tables: [table] }).at(-1)).toBe(table);
  const whole = Buffer.concat(toPieces({ tables: [table] }));
  expect((fromPieces(whole) as { tables: Uint8Array[] }).tables[0]?.buffer).toBe(whole.buffer);
});

it('refuses bytes that end too early', () => {
  const whole = Buffer.concat(toPieces({ table: new Uint8Array(50_000), after: 'x' }));
  for (const length of [0, 3, 4, 20, whole.length - 1])
    expect(() => fromPieces(whole.subarray(0, length)), String(length)).toThrow();
});

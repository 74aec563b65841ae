import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createGenerationMap } from './generation-map.ts';
import { createNumberMap } from './number-map.ts';

describe('number map', () => {
  it('holds, forgets and lists what a generation map does', () => {
    const key = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
    const steps = fc.array(fc.tuple(fc.constantFrom('get', 'set', 'clear'), key, fc.integer()), { maxLength: 400 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 200 }), (calls, capacity) => {
        const numbers = createNumberMap(capacity);
        const plain = createGenerationMap<number, number>(capacity);
        for (const [call, k, value] of calls) {
          if (call === 'get') expect(numbers.get(k)).toBe(plain.get(k) ?? Number.NaN);
          // Rarely, or nothing would grow old.
          else if (call === 'clear' && value % 16 === 0) {
            numbers.clear();
            plain.clear();
          } else {
            numbers.set(k, value);
            plain.set(k, value);
          }
        }
        expect([...numbers.entries()]).toEqual([...plain.entries()]);
      }),
    );
  });
});

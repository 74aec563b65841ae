import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createReorderBuffer } from './reorder-buffer.ts';

interface Entry {
  at: number;
  n: number;
}

function run(times: number[], takeEvery: number): { out: Entry[]; reordered: number; late: number } {
  const buffer = createReorderBuffer<Entry>(30, 50);
  const out: Entry[] = [];
  function drain(): void {
    for (let entry = buffer.take(); entry !== undefined; entry = buffer.take()) out.push(entry);
  }
  times.forEach((at, n) => {
    buffer.push({ at, n });
    if (n % takeEvery === 0) drain();
  });
  buffer.end();
  drain();
  return { out, reordered: buffer.reordered, late: buffer.late };
}

const times = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 300 });

it('loses nothing, and gives the same order however often it is emptied', () => {
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 20 }), (input, every) => {
      const { out } = run(input, every);
      expect(out.map((e) => e.n).sort((a, b) => a - b)).toEqual(input.map((_, n) => n));
      expect(out).toEqual(run(input, 1).out);
    }),
  );
});

it('what is unordered by less than the window comes out in order, ties as they came', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 29 }), { maxLength: 200 }), (jitter) => {
      const input = jitter.map((j, n) => n * 2 + j);
      const { out, late } = run(input, 1);
      expect(late).toBe(0);
      const expected = input.map((at, n) => ({ at, n })).sort((a, b) => a.at - b.at || a.n - b.n);
      expect(out).toEqual(expected);
    }),
  );
});

it('counts what it put in order and what came too late', () => {
  expect(run([10, 5, 100, 95, 20], 1)).toMatchObject({ reordered: 3, late: 0 });
  expect(run([10, 100, 5], 1)).toMatchObject({ reordered: 0, late: 1 });
});

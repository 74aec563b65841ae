import { describe, expect, test } from 'vitest';
import { addSurprise, calibrate, cellOf, createPartial, Population } from './population.ts';

const api = 7;
const cell = cellOf(4, 6);

/** A population whose windows reached each surprise as often as `countAt` says. */
function learned(countAt: ReadonlyMap<number, number>) {
  const partial = createPartial();
  for (const [surprise, count] of countAt) for (let i = 0; i < count; i++) addSurprise(partial, cell, surprise);
  const population = new Population();
  return population.merge([new Map([[api, partial]])], 1_000).get(api);
}

describe('calibration', () => {
  test('leaves an honest model alone', () => {
    // 10,000 windows of which a tenth reaches each further decade.
    const honest = learned(
      new Map([
        [0.1, 9000],
        [1.1, 900],
        [2.1, 90],
        [3.1, 9],
      ]),
    );
    expect(calibrate(honest, cell, 5)).toBeGreaterThan(4.3);
    expect(calibrate(honest, cell, 5)).toBeLessThanOrEqual(5);
  });

  test('takes from a bold model what the population does not bear out, on both sides of its threshold', () => {
    // One window in twenty claims one in ten thousand.
    const bold = learned(
      new Map([
        [0.1, 9500],
        [4.1, 500],
      ]),
    );
    expect(calibrate(bold, cell, 4.1)).toBeLessThan(2.1);
    expect(calibrate(bold, cell, 3)).toBeLessThan(2.1);
  });

  test('never makes a timid model bolder, and waits for two hundred windows', () => {
    const timid = learned(new Map([[0.1, 10_000]]));
    expect(calibrate(timid, cell, 1)).toBeLessThanOrEqual(1);
    const few = learned(new Map([[4.1, 150]]));
    expect(calibrate(few, cell, 4.1)).toBe(4.1);
  });
});

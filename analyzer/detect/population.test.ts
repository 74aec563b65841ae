import { describe, expect, test } from 'vitest';
import { addSurprise, calibrate, cellOf, createPartial, Population, remainderOf } from './population.ts';

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
    // 10,000 windows, of which a tenth reaches each further decade.
    const honest = learned(
      new Map(
        Array.from({ length: 17 }, (_, i) => [
          i / 4 + 0.1,
          Math.round(10_000 * (10 ** (-i / 4) - 10 ** (-(i + 1) / 4))),
        ]),
      ),
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

describe('a lesson', () => {
  test('taken back a day later leaves the population as if it had never been', () => {
    const spread = [
      [0.1, 900],
      [1.1, 90],
      [2.1, 9],
    ] as const;
    const partials = (weights: readonly number[]) => {
      const partial = createPartial();
      for (const [surprise, count] of spread) addSurprise(partial, cell, surprise, count);
      for (const weight of weights) addSurprise(partial, cell, 6, weight);
      return [new Map([[api, partial]])];
    };
    const day = 86_400_000;
    const never = new Population();
    never.merge(partials([]), 1000);
    const taught = new Population();
    taught.merge(partials([1, 1, 1]), 1000);
    const fading = (population: Population, weight: number) => {
      const partial = createPartial();
      for (let i = 0; i < 3; i++) addSurprise(partial, cell, 6, weight);
      return population.merge([new Map([[api, partial]])], 1000 + day).get(api);
    };
    const before = calibrate(taught.snapshot.get(api), cell, 6);
    const restored = calibrate(fading(taught, -remainderOf(day)), cell, 6);
    expect(before).toBeLessThan(restored);
    expect(restored).toBeCloseTo(calibrate(fading(never, 0), cell, 6), 9);
  });
});

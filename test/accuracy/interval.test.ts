import { expect, test } from 'vitest';
import { poissonInterval, shareInterval } from './interval.ts';

test('no event in 300,000 sessions bounds the rate at 1.23 in 100,000 on both sides, as the tables say', () => {
  expect(poissonInterval(0).low).toBe(0);
  expect(poissonInterval(0).high).toBeCloseTo(3.689, 3);
});

test('bounds of 10 events are those of the tables', () => {
  expect(poissonInterval(10).low).toBeCloseTo(4.795, 3);
  expect(poissonInterval(10).high).toBeCloseTo(18.39, 2);
});

test('bounds of 8 out of 10 are those of the tables', () => {
  expect(shareInterval(8, 10).low).toBeCloseTo(0.444, 3);
  expect(shareInterval(8, 10).high).toBeCloseTo(0.975, 3);
  expect(shareInterval(0, 0)).toEqual({ low: 0, high: 1 });
});

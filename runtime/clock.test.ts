import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSteadyClock } from './clock.ts';

function wallClock(at: number) {
  const state = { at, elapsed: 0 };
  return {
    clock: { now: () => state.at, elapsed: () => state.elapsed },
    pass(ms: number) {
      state.at += ms;
      state.elapsed += ms;
    },
    jump(ms: number) {
      state.at += ms;
    },
  };
}

it('is the wall clock while that goes on, and follows a jump ahead', () => {
  const wall = wallClock(1_000_000);
  const steady = createSteadyClock(wall.clock);
  wall.pass(500);
  expect(steady.now()).toBe(1_000_500);
  wall.jump(3_600_000);
  expect(steady.now()).toBe(4_600_500);
});

it('goes on at half the pace when the wall clock is set back, until that has caught up', () => {
  const wall = wallClock(1_000_000);
  const steady = createSteadyClock(wall.clock);
  wall.jump(-10_000);
  wall.pass(4_000);
  expect(steady.now()).toBe(1_002_000);
  wall.pass(16_000);
  expect(steady.now()).toBe(1_010_000);
  wall.pass(1_000);
  expect(steady.now()).toBe(wall.clock.now());
});

it('begins where an earlier run had come to', () => {
  const wall = wallClock(1_000_000);
  const steady = createSteadyClock(wall.clock);
  steady.notBefore(1_500_000);
  wall.pass(1_000);
  expect(steady.now()).toBe(1_500_500);
  steady.notBefore(0);
  expect(steady.now()).toBe(1_500_500);
});

it('never goes back and never stands still, whatever the wall clock does', () => {
  const step = fc.record({ pass: fc.integer({ min: 1, max: 5_000 }), jump: fc.integer({ min: -1e7, max: 1e7 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1 }), (steps) => {
      const wall = wallClock(1e12);
      const steady = createSteadyClock(wall.clock);
      let before = steady.now();
      for (const { pass, jump } of steps) {
        wall.pass(pass);
        wall.jump(jump);
        const at = steady.now();
        expect(at).toBeGreaterThanOrEqual(before + pass / 2 - 1e-3);
        expect(at).toBeGreaterThanOrEqual(wall.clock.now());
        before = at;
      }
    }),
  );
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSourceClocks } from './clock-skew.ts';

const T = 1_790_000_000_000;

/** Feeds one entry per 100 ms for a while; answers the last placement. */
function feed(
  clocks: ReturnType<typeof createSourceClocks>,
  source: string,
  { from = T, forMs = 3_000, skewMs = 0, delayMs = 100 },
) {
  let last = { eventAtMs: Number.NaN, adjusted: false };
  for (let now = from; now <= from + forMs; now += 100) last = { ...clocks.place(source, now - delayMs + skewMs, now) };
  return last;
}

describe('source clocks', () => {
  it('leave the times of a clock that is right as they are', () => {
    const clocks = createSourceClocks();
    expect(feed(clocks, 'a', {})).toEqual({ eventAtMs: T + 3_000 - 100, adjusted: false });
    expect(clocks.watermark(T + 3_000)).toBe(T + 3_000 - 100 - 2_000);
  });

  it('move the times of a clock a minute fast onto ours, and make nobody late', () => {
    const clocks = createSourceClocks();
    feed(clocks, 'right', {});
    const fast = feed(clocks, 'fast', { skewMs: 60_000 });
    expect(fast.adjusted).toBe(false);
    expect(fast.eventAtMs).toBe(T + 3_000);
    expect(clocks.watermark(T + 3_000)).toBe(T + 3_000 - 100 - 2_000);
    const late = clocks.place('right', T + 2_950, T + 3_050);
    expect(late).toEqual({ eventAtMs: T + 2_950, adjusted: false });
    // Until a clock that is off has repeated itself, arrival time stands in.
    expect(clocks.sources().find(({ source }) => source === 'fast')).toMatchObject({ adjusted: 15, offsetMs: -59_900 });
  });

  it('do not let a slow clock hold the watermark back', () => {
    const clocks = createSourceClocks();
    feed(clocks, 'right', {});
    const slow = feed(clocks, 'slow', { skewMs: -3_600_000 });
    expect(slow.adjusted).toBe(false);
    expect(Math.abs(slow.eventAtMs - (T + 3_000))).toBeLessThanOrEqual(2_000);
    expect(clocks.watermark(T + 3_000)).toBeGreaterThanOrEqual(T + 3_000 - 4_000);
  });

  it('place at arrival what is over 10 min old or 5 s ahead by its source, and count it', () => {
    const clocks = createSourceClocks();
    feed(clocks, 'a', {});
    const now = T + 3_100;
    expect(clocks.place('a', 0, now)).toEqual({ eventAtMs: now, adjusted: true });
    expect(clocks.place('a', now + 3_600_000, now)).toEqual({ eventAtMs: now, adjusted: true });
    expect(clocks.place('a', Number.NaN, now)).toEqual({ eventAtMs: now, adjusted: true });
    expect(clocks.place('a', Number.POSITIVE_INFINITY, now)).toEqual({ eventAtMs: now, adjusted: true });
    expect(clocks.place('a', now - 590_000, now)).toEqual({ eventAtMs: now - 590_000, adjusted: false });
    expect(clocks.place('a', now - 50, now)).toEqual({ eventAtMs: now - 50, adjusted: false });
    expect(clocks.sources()).toMatchObject([{ adjusted: 4 }]);
  });

  it('follow a step of a clock after a few entries', () => {
    const clocks = createSourceClocks();
    feed(clocks, 'a', {});
    const stepped = feed(clocks, 'a', { from: T + 3_100, skewMs: 7_200_000 });
    expect(stepped).toEqual({ eventAtMs: T + 6_100, adjusted: false });
    const back = feed(clocks, 'a', { from: T + 6_200 });
    expect(back).toEqual({ eventAtMs: T + 9_100, adjusted: false });
    expect(clocks.sources()).toMatchObject([{ adjusted: 30 }]);
  });

  it('forget an offset when the window has passed it', () => {
    const clocks = createSourceClocks();
    feed(clocks, 'a', { delayMs: 0 });
    feed(clocks, 'a', { from: T + 3_100, forMs: 70_000, delayMs: 300 });
    expect(clocks.sources()).toMatchObject([{ offsetMs: 300 }]);
  });

  it('take the slowest source for the watermark, for five seconds after its last entry', () => {
    const clocks = createSourceClocks();
    feed(clocks, 'quiet', {});
    feed(clocks, 'busy', { forMs: 7_900 });
    expect(clocks.watermark(T + 7_900)).toBe(T + 3_000 - 100 - 2_000);
    feed(clocks, 'busy', { from: T + 8_000, forMs: 100 });
    expect(clocks.watermark(T + 8_100)).toBe(T + 8_100 - 100 - 2_000);
  });

  it('move the watermark by arrival time in silence, and never back', () => {
    const clocks = createSourceClocks();
    expect(clocks.watermark(T)).toBe(Number.NEGATIVE_INFINITY);
    feed(clocks, 'a', {});
    expect(clocks.watermark(T + 60_000)).toBe(T + 58_000);
    expect(clocks.watermark(T + 50_000)).toBe(T + 58_000);
    clocks.place('a', T + 56_100, T + 60_100);
    expect(clocks.watermark(T + 60_100)).toBe(T + 58_000);
  });

  it('keep a bounded number of sources', () => {
    const clocks = createSourceClocks({ maxSources: 10 });
    for (let i = 0; i < 1_000; i++) clocks.place(`envoy-${i}`, T + i, T + i);
    expect(clocks.sources().map(({ source }) => source)).toEqual(
      Array.from({ length: 10 }, (_, i) => `envoy-${990 + i}`),
    );
  });

  it('never place an entry more than five seconds ahead of its arrival, whatever clocks do', () => {
    const entry = fc.record({
      source: fc.constantFrom('a', 'b'),
      stepMs: fc.nat({ max: 20_000 }),
      skewMs: fc.oneof(fc.constant(0), fc.constantFrom(60_000, -60_000), fc.integer({ min: -1e12, max: 1e12 })),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 80 }), (entries) => {
        const clocks = createSourceClocks();
        let now = T;
        let mark = Number.NEGATIVE_INFINITY;
        for (const { source, stepMs, skewMs } of entries) {
          now += stepMs;
          const { eventAtMs } = clocks.place(source, now + skewMs, now);
          expect(eventAtMs).toBeLessThanOrEqual(now + 5_000);
          const next = clocks.watermark(now);
          expect(next).toBeGreaterThanOrEqual(mark);
          expect(next).toBeLessThanOrEqual(now - 2_000);
          mark = next;
        }
      }),
    );
  });
});

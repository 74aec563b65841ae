import { expect, test } from 'vitest';
import { createTimeBuckets } from './time-buckets.ts';
import { createTimelines } from './timelines.ts';

const kind = {
  create: () => ({ requests: 0, errors: 0 }),
  merge(into: { requests: number; errors: number }, from: { requests: number; errors: number }) {
    into.requests += from.requests;
    into.errors += from.errors;
  },
};

test('says what time buckets of each place say, in any order of time and after moves', () => {
  let state = 5;
  const random = (below: number): number => (state = (Math.imul(state, 0x915f77f5) + 0x6d2b79f5) >>> 0) % below;
  const start = Date.UTC(2024, 2, 4);
  // Spans from seconds to thousands of years: some never grow coarser, some leave the ladder of widths.
  const spans = [20_000, 3_600_000, 86_400_000, 9e9, 6e13];
  const timelines = createTimelines(12);
  const model = spans.map(() => createTimeBuckets(12, kind));
  for (let step = 0; step < 5_000; step++) {
    const place = random(spans.length);
    const at = start + Math.floor((random(1_000_003) / 1_000_003) * (spans[place] as number));
    const error = random(4) === 0;
    timelines.add(place, at, error);
    const bucket = (model[place] as (typeof model)[number]).at(at);
    bucket.requests++;
    if (error) bucket.errors++;
  }
  timelines.move(0, 200);
  timelines.move(200, 1);
  timelines.clear(0);
  expect(timelines.points(0)).toEqual([]);
  expect(timelines.points(999)).toEqual([]);
  model[1] = model[0] as (typeof model)[number];
  for (let place = 1; place < spans.length; place++) {
    expect(timelines.widthMs(place)).toBe(model[place]?.widthMs);
    expect(timelines.points(place).map(({ atMs, ...counts }) => [atMs, counts])).toEqual(model[place]?.entries());
  }
});

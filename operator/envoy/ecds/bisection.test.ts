import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBisection } from './bisection.ts';

/** Plays an Envoy that refuses whatever holds a bad key; returns what was tried. */
function play(good: string[], doubtful: string[], bad: ReadonlySet<string>) {
  const bisection = createBisection(good, doubtful);
  const tried: string[] = [];
  for (let trial = bisection.trial; trial; trial = bisection.trial) {
    tried.push([...trial].sort().join());
    if ([...trial].some((id) => bad.has(id))) bisection.refused();
    else bisection.accepted();
  }
  return { bisection, tried };
}

test('exactly the bad keys are left out, however many there are', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(10_000).map(String), { minLength: 1, maxLength: 200 }),
      fc.infiniteStream(fc.boolean()),
      (ids, flips) => {
        const bad = new Set(ids.filter(() => flips.next().value));
        bad.add(ids[0] ?? '');
        const { bisection } = play([], ids, bad);
        expect(new Set(bisection.bad)).toEqual(bad);
        expect([...bisection.good].sort()).toEqual(ids.filter((id) => !bad.has(id)).sort());
      },
    ),
  );
});

test('one bad key among a thousand takes about twenty trials', () => {
  const ids = Array.from({ length: 1_000 }, (_, i) => String(i));
  const { bisection, tried } = play(['kept'], ids, new Set(['617']));
  expect([...bisection.bad]).toEqual(['617']);
  expect(bisection.good.has('kept')).toBe(true);
  expect(tried.length).toBeLessThanOrEqual(22);
});

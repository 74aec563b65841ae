/** What a caller did itself, or does in its own time, must not decide whether it is found. */
import { createEngine } from '@picket/analyzer/engine/engine.ts';
import { Key, KIND_COUNT } from '@picket/analyzer/engine/key-kind.ts';
import type { DetectorId } from '@picket/analyzer/verdict.ts';
import { expect, test } from 'vitest';
import { type Described, describeObservation } from '../support/observation-builder.ts';

const minute = 60_000;

/** The stated surprises of one detector about a user, in the order of that user's requests; 0 where nothing is said. */
async function surprisesOf(detector: DetectorId, user: string, requests: readonly Described[]): Promise<number[]> {
  const engine = createEngine({ workers: 0 });
  const said: number[] = [];
  let tickAt = requests[0]?.at ?? 0;
  const tick = async (at: number): Promise<number> => {
    const { sightings } = await engine.run(engine.closeTick(at));
    return Math.max(
      0,
      ...sightings
        .filter((s) => s.detector === detector && (s.code & (KIND_COUNT - 1)) === Key.user)
        .map((s) => s.surprise),
    );
  };
  for (const request of requests) {
    for (; tickAt + 10_000 < request.at; tickAt += 10_000) await tick(tickAt);
    engine.accept(describeObservation(engine.batch, request));
    // The second hop takes a tick.
    const now = Math.max(await tick((tickAt = request.at + 250)), await tick((tickAt += 250)));
    if (request.user === user) said.push(now);
  }
  await engine.close();
  return said;
}

/** 150 customers who look at three orders of their own each; few come to one from another. */
const customers: readonly Described[] = Array.from({ length: 450 }, (_, i) => ({
  at: 1_000_000 + i * 1500,
  address: `10.1.${i % 150}.1`,
  user: `customer ${i % 150}`,
  operation: '/orders/{id}',
  path: `/orders/${i}`,
  object: i % 15 ? { value: String(i) } : { value: String(i), delta: 150 + (i % 7) },
}));

/** Ids one after the other, from `from` on. */
const walk = (everyMs: number, from: number): Described[] =>
  Array.from({ length: 30 }, (_, i) => ({
    at: 1_700_000 + i * everyMs,
    address: '10.9.9.9',
    user: 'walker',
    operation: '/orders/{id}',
    path: `/orders/${from + i}`,
    object: { value: String(from + i), delta: 1 },
  }));

test.each([
  ['of other people', 20],
  ['nobody else asked for', 10_000],
])('an id a minute is found after as many ids as one a second: orders %s', async (_, from) => {
  const needed = async (everyMs: number): Promise<number> =>
    (await surprisesOf('objectEnumeration', 'walker', [...customers, ...walk(everyMs, from)])).findIndex((s) => s >= 5);
  const fast = await needed(1000);
  expect(fast).toBeGreaterThan(2);
  expect(fast).toBeLessThan(10);
  expect(await needed(minute)).toBeLessThanOrEqual(fast + 1);
});

const read = (user: string, at: number): Described => ({ at, address: '10.2.2.2', user, path: '/quotes' });

test('what is much for a newcomer is not for who always asked that much', async () => {
  // Sixty a minute, every other minute for two hours, beside people who ask twice.
  const busy = Array.from({ length: 3600 }, (_, i) =>
    read('busy', 1_000_000 + Math.floor(i / 60) * 2 * minute + (i % 60) * 500),
  );
  const people = Array.from({ length: 600 }, (_, i) => read(`person ${i >> 1}`, 1_000_000 + i * 12_000));
  const now = 1_000_000 + 125 * minute;
  const both = Array.from({ length: 320 }, (_, i) => read(i % 2 ? 'busy' : 'newcomer', now + i * 150));
  const all = [...busy, ...people, ...both].sort((a, b) => a.at - b.at);
  const newcomer = Math.max(...(await surprisesOf('excess', 'newcomer', all)));
  const known = (await surprisesOf('excess', 'busy', all)).slice(-160);
  expect(newcomer).toBeGreaterThan(2.5);
  expect(Math.max(...known)).toBeLessThan(newcomer - 1);
});

test('what had waited and comes within one second is never enough to refuse, the same three times is', async () => {
  const people = Array.from({ length: 600 }, (_, i) => read(`person ${i >> 1}`, 1_000_000 + i * 1_000));
  const surprise = async (seconds: number): Promise<number> => {
    const sent = Array.from({ length: seconds * 80 }, (_, i) =>
      read('back', 1_620_000 + Math.floor(i / 80) * 1_000 + (i % 80) * 10),
    );
    return Math.max(...(await surprisesOf('excess', 'back', [...people, ...sent])));
  };
  // An alert is given from 5 on, a refusal from some 7.4.
  expect(await surprise(1)).toBeGreaterThan(5);
  expect(await surprise(1)).toBeLessThanOrEqual(7);
  expect(await surprise(4)).toBeGreaterThan(8);
});

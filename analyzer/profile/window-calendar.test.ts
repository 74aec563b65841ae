import { expect, test } from 'vitest';
import { WindowCalendar } from './window-calendar.ts';

/** Times from the beginning of time to far beyond ours: whoever walks through the minutes between never ends. */
const times = [0, 60_000, 1.79e12, 1.79e12 + 59_000, 1.79e12 + 3_600_000, 1.79e12 + 9e9, 4e15];

test('says which windows opened by when, whatever lies between', () => {
  let state = 7;
  const random = (below: number): number => (state = (Math.imul(state, 0x915f77f5) + 0x6d2b79f5) >>> 0) % below;
  for (let round = 0; round < 200; round++) {
    const calendar = new WindowCalendar();
    const open = new Map<number, number>();
    let now = 0;
    for (let step = 0; step < 40; step++) {
      const slot = random(100);
      const at = times[random(times.length)] as number;
      const openedAt = open.get(slot);
      if (openedAt !== undefined) {
        calendar.remove(slot, openedAt);
        open.delete(slot);
      } else {
        calendar.add(slot, at);
        open.set(slot, at);
      }
      if (random(5) !== 0) continue;
      now = Math.max(now, at);
      const found = [...calendar.openedBy(now)];
      const expected = [...open].filter(([, t]) => Math.floor(t / 60_000) <= Math.floor(now / 60_000)).map(([s]) => s);
      expect(found).toEqual(expected.sort((a, b) => a - b));
      // Whoever asks closes what it is told.
      for (const ended of found) {
        calendar.remove(ended, open.get(ended) as number);
        open.delete(ended);
      }
    }
  }
});

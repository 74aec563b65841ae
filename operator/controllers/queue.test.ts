import { describe, expect, test, vi } from 'vitest';
import { createWorkQueue } from './queue.ts';

const base = { random: () => 0.5, elapsed: () => performance.now(), onFailure() {} };

describe('the work queue', () => {
  test('a key that is added often waits once', async () => {
    const done: string[] = [];
    const queue = createWorkQueue({ ...base, process: async (key) => void done.push(key) });
    for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
    await queue.idle();
    expect(done).toEqual(['a', 'b']);
  });

  test('what changed goes before what is only brought up to date', async () => {
    const done: string[] = [];
    const queue = createWorkQueue({
      ...base,
      async process(key) {
        done.push(key);
        if (key === 'a') queue.add('changed');
      },
    });
    for (const key of ['a', 'b', 'c']) queue.refresh(key);
    queue.add('first');
    await queue.idle();
    expect(done).toEqual(['first', 'a', 'changed', 'b', 'c']);
  });

  test('a key that is added while it runs runs again', async () => {
    let runs = 0;
    const queue = createWorkQueue({
      ...base,
      async process(key) {
        runs++;
        if (runs === 1) queue.add(key);
      },
    });
    queue.add('a');
    await queue.idle();
    expect(runs).toBe(2);
  });

  test('a failure comes back later each time and never holds up another key', async () => {
    vi.useFakeTimers();
    const waits: number[] = [];
    const done: string[] = [];
    const queue = createWorkQueue({
      ...base,
      process: async (key) => {
        if (key === 'bad') throw new Error('no');
        done.push(key);
      },
      onFailure: (_, __, retryMs) => void waits.push(retryMs),
      minRetryMs: 100,
      maxRetryMs: 300,
    });
    queue.add('bad');
    queue.add('good');
    await queue.idle();
    expect(done).toEqual(['good']);
    for (const ms of [75, 150, 225]) await vi.advanceTimersByTimeAsync(ms);
    expect(waits).toEqual([75, 150, 225, 225]);
    await queue.close();
    vi.useRealTimers();
  });
});

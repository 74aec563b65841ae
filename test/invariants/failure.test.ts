/** A tick that fails leaves half of it in the state: nothing may go on from there. */
import { afterEach, expect, it } from 'vitest';
import { createSteadyClock } from '@picket/runtime/clock.ts';
import type { Checkpoints } from '@picket/analyzer/replay/checkpoint.ts';
import { entry, openAlsStream } from '../support/als-client.ts';
import { type AnalyzerStage, startAnalyzerStage } from '../support/analyzer-stage.ts';
import { waitFor } from '../support/processes.ts';

let stage: AnalyzerStage | undefined;
afterEach(() => stage?.close());

it('ends the analysis and writes no checkpoint', async () => {
  let saved = 0;
  let ticks = 0;
  const checkpoints: Checkpoints = {
    async save() {
      saved++;
      return { file: '', lastSeq: 0, tick: 0, at: 0 };
    },
    latest: async () => ({ checkpoint: undefined, setAside: [] }),
    list: async () => [],
    read: () => Promise.reject(new Error('there is none')),
  };
  const metrics = {
    tickTook() {
      ticks++;
      if (ticks === 2) throw new Error('out of order');
    },
    finding() {},
    decision() {},
  };
  stage = await startAnalyzerStage({}, { checkpoints, metrics });
  const stream = openAlsStream(stage.alsPort);
  const send = (): unknown => stream.send([entry({ at: Date.now(), address: '203.0.113.1', path: '/v1/products/1' })]);
  const feed = setInterval(() => void send(), 50);
  try {
    expect(stage.analyzer.stuck()).toBeUndefined();
    expect((await stage.analyzer.failed).message).toBe('out of order');
    expect(stage.analyzer.stuck()).toContain('out of order');
  } finally {
    clearInterval(feed);
    await stream.close();
  }
  await stage.close();
  stage = undefined;
  expect(ticks).toBe(2);
  expect(saved).toBe(0);
});

it('says so when a tick does not end', async () => {
  let ahead = 0;
  const clock = createSteadyClock({ now: () => Date.now() + ahead, elapsed: () => performance.now() + ahead });
  stage = await startAnalyzerStage({}, { clock });
  const stream = openAlsStream(stage.alsPort);
  const send = (): unknown => stream.send([entry({ at: Date.now(), address: '203.0.113.1', path: '/v1/products/1' })]);
  const feed = setInterval(() => void send(), 10);
  // Half a minute passes at once, whenever some request waits for its tick.
  await waitFor('a request that waits', () => {
    ahead += 31_000;
    return stage?.analyzer.stuck()?.includes('waited') ? true : undefined;
  });
  clearInterval(feed);
  await waitFor('the tick over', () => (stage?.analyzer.stuck() === undefined ? true : undefined));
  await stream.close();
});

import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Component, abortOnSignals, startComponents } from './lifecycle.ts';
import { silentLogger } from './log.ts';

let steps: string[];
beforeEach(() => {
  steps = [];
});

function component(name: string, overrides: Partial<Component> = {}): Component {
  return {
    name,
    start: async () => void steps.push(`start ${name}`),
    stop: async () => void steps.push(`stop ${name}`),
    ...overrides,
  };
}

const never = () => new Promise<void>(() => undefined);
const options = () => ({ logger: silentLogger, signal: new AbortController().signal });

describe('startComponents', () => {
  it('starts in order and stops in reverse, once', async () => {
    const running = await startComponents([component('store'), component('ingest')], options());
    await Promise.all([running.stop('test'), running.stop('again')]);
    expect(steps).toEqual(['start store', 'start ingest', 'stop ingest', 'stop store']);
    expect(await running.stopped).toBe('test');
  });

  it('stops what it started when a later one fails', async () => {
    const broken = component('ingest', { start: () => Promise.reject(new Error('no port')) });
    await expect(startComponents([component('store'), broken, component('late')], options())).rejects.toMatchObject({
      message: 'start ingest: no port',
    });
    expect(steps).toEqual(['start store', 'stop store']);
  });

  it('does not wait longer than the bound of a start, and tells the component', async () => {
    let aborted = false;
    const slow = component('envoy', {
      startWithinMs: 20,
      start: (signal) => {
        signal.addEventListener('abort', () => {
          aborted = true;
        });
        return never();
      },
    });
    await expect(startComponents([slow], options())).rejects.toMatchObject({
      code: 'Timeout',
      message: 'envoy did not start within 20 ms',
    });
    expect(aborted).toBe(true);
  });

  it('stops the others when one does not stop, and says so', async () => {
    const stuck = component('ingest', { stopWithinMs: 20, stop: never });
    const running = await startComponents([component('store'), stuck], options());
    await expect(running.stop('test')).rejects.toMatchObject({ message: 'ingest did not stop within 20 ms' });
    expect(steps.at(-1)).toBe('stop store');
    expect(await running.stopped).toBe('test');
  });

  it('starts nothing more once the process shall end', async () => {
    const ending = new AbortController();
    const first = component('store', { start: async () => ending.abort() });
    const start = startComponents([first, component('ingest')], { logger: silentLogger, signal: ending.signal });
    await expect(start).rejects.toMatchObject({ code: 'Cancelled' });
    expect(steps).toEqual(['stop store']);
  });
});

describe('abortOnSignals', () => {
  it('drains at the first signal and gives up waiting at the second', () => {
    const source = new EventEmitter();
    const impatient: string[] = [];
    const signal = abortOnSignals(source, (name) => impatient.push(name));
    source.emit('SIGTERM');
    expect(signal.reason).toMatchObject({ code: 'Cancelled', reason: 'SIGTERM' });
    source.emit('SIGINT');
    expect(impatient).toEqual(['SIGINT']);
    signal[Symbol.dispose]();
    expect(source.listenerCount('SIGTERM') + source.listenerCount('SIGINT')).toBe(0);
  });
});

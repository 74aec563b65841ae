import { expect, it } from 'vitest';
import { PicketError } from './errors.ts';
import { createLogger, type LogLevel } from './log.ts';

function record(format: 'json' | 'text', level: LogLevel = 'info') {
  const lines: string[] = [];
  const logger = createLogger({
    level,
    format,
    component: 'analyzer',
    clock: { now: () => Date.UTC(2026, 0, 2, 3, 4, 5), elapsed: () => 0 },
    destination: { write: (line) => lines.push(line) },
  });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
}

it('writes one JSON object per line with time, level, component, message and fields', () => {
  const { logger, last } = record('json');
  logger.with({ api: 'shop/payments' }).warn('feed lost', { stage: 'decode', dropped: 12 });
  expect(last()).toEqual({
    level: 'warn',
    time: '2026-01-02T03:04:05.000Z',
    component: 'analyzer',
    message: 'feed lost',
    api: 'shop/payments',
    stage: 'decode',
    dropped: 12,
  });
});

it('leaves out what is below its level', () => {
  const { logger, lines } = record('json', 'warn');
  logger.info('x');
  logger.debug('x');
  expect(lines).toEqual([]);
});

it('never writes a secret, wherever it hides', () => {
  const { logger, lines } = record('json');
  logger.info('x', {
    password: 'hunter2!',
    headers: { Authorization: 'Bearer hunter2!hunter2!', 'x-api-key': 'hunter2!', accept: '*/*' },
    clickHouseUrl: 'https://picket:hunter2!@db.example.com:8443/',
    note: 'sent Bearer hunter2hunter2',
    error: new Error('login failed', { cause: new Error('to nats://user:hunter2!@nats:4222') }),
    deep: [{ refreshToken: 'hunter2!' }],
  });
  expect(lines.join('')).not.toContain('hunter2');
  expect(lines.join('')).toContain('db.example.com');
});

it('names what Picket knows of an error', () => {
  const { logger, last } = record('json');
  logger.error('store failed', { error: new PicketError('Unavailable', 'no answer', { cause: new Error('reset') }) });
  expect(last()['error']).toMatchObject({
    code: 'Unavailable',
    reason: 'Unavailable',
    retriable: true,
    message: 'no answer',
    cause: { message: 'reset' },
  });
});

it('traces what nobody expected, and nothing else', () => {
  const { logger, lines } = record('text');
  const refused = new PicketError('Unavailable', 'no answer', { cause: new Error('reset') });
  logger.error('store failed', { error: refused, retryInMs: 200 });
  logger.error('store failed', { error: Object.assign(new Error('full'), { code: 'full', retriable: true }) });
  logger.error('tick failed', { error: new TypeError('x is no function') });
  expect(lines[0]).toMatch(/^03:04:05 ERROR store failed {2}error="no answer, because reset" retryInMs=200\n/);
  expect(lines[1]).toBe('03:04:05 ERROR store failed  error=full\n');
  expect(lines[2]).toMatch(/^03:04:05 ERROR tick failed {2}error="x is no function"\n +at .*log\.test\.ts/);
});

it('bounds what one line can hold', () => {
  const { logger, lines } = record('json');
  const loop: Record<string, unknown> = {};
  loop['self'] = loop;
  logger.info('x', { loop, long: 'a'.repeat(100_000), many: Array.from({ length: 10_000 }, (_, i) => i) });
  expect(lines[0]?.length).toBeLessThan(6000);
});

it('writes text for a person', () => {
  const { logger, lines } = record('text');
  logger.info('listening', { address: '127.0.0.1:9000', why: 'two words' });
  logger.info('ready');
  expect(lines).toEqual([
    '03:04:05 INFO  listening  address=127.0.0.1:9000 why="two words"\n',
    '03:04:05 INFO  ready\n',
  ]);
});

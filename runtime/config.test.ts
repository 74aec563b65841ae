import { describe, expect, it } from 'vitest';
import {
  formatListenAddress,
  integerBetween,
  isLoopback,
  listOf,
  oneOf,
  optional,
  parseBoolean,
  parseDurationMs,
  parseListenAddress,
  parseShare,
  parseSizeBytes,
  parseText,
  parseUrl,
  readSettings,
  type Setting,
} from './config.ts';
import { PicketError } from './errors.ts';

function setting<T>(flag: string, parse: (text: string) => T, rest: Partial<Setting<T>> = {}): Setting<T> {
  return { flag, env: `PICKET_${flag.toUpperCase().replaceAll('-', '_')}`, parse, help: `what ${flag} is`, ...rest };
}

describe('readSettings', () => {
  const settings = {
    alsListen: setting('als-listen', parseListenAddress, { default: '127.0.0.1:9000' }),
    keepFor: setting('keep-for', parseDurationMs, { default: '7d' }),
    data: setting('data', parseText),
    password: setting('store-password', integerBetween(0, 1), { default: '0', secret: true }),
  };

  it('takes a flag before the environment before the default', () => {
    const values = readSettings(settings, {
      flags: { 'als-listen': '127.0.0.1:1', data: '/data' },
      env: { PICKET_ALS_LISTEN: '127.0.0.1:2', PICKET_KEEP_FOR: '1h' },
    });
    expect(values).toMatchObject({ alsListen: { port: 1 }, keepFor: 3_600_000, data: '/data', password: 0 });
  });

  it('lists every problem at once and shows no secret', () => {
    const read = () =>
      readSettings(settings, {
        flags: { 'als-listen': '9000' },
        env: { PICKET_KEEP_FOR: '7', PICKET_STORE_PASSWORD: 'hunter2' },
      });
    expect(read).toThrow(PicketError);
    expect(read).toThrow(
      [
        '--als-listen "9000": must be host:port such as 127.0.0.1:9000, [::1]:9000 or :9000 for all addresses',
        'PICKET_KEEP_FOR "7": must be a duration such as 500ms, 10m, 1h30m or 7d',
        '--data or PICKET_DATA is missing: what data is',
        'PICKET_STORE_PASSWORD: must be a whole number from 0 to 1',
      ].join('\n'),
    );
  });
});

it.each([
  ['500ms', 500],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
  ['7d', 604_800_000],
  ['1.5s', 1500],
])('reads the duration %s', (text, ms) => expect(parseDurationMs(text)).toBe(ms));

it.each(['', '10', '10 m', 'm', '-5m', '5mm', '1h 5m', '1e3s'])('refuses the duration "%s"', (text) =>
  expect(() => parseDurationMs(text)).toThrow(/duration such as/),
);

it.each([
  ['4096', 4096],
  ['64MiB', 67_108_864],
  ['512Mi', 536_870_912],
  ['10GB', 10_000_000_000],
  ['1.5 KiB', 1536],
])('reads the size %s', (text, bytes) => expect(parseSizeBytes(text)).toBe(bytes));

it.each(['', '-1', '1XB', '1e6', 'MiB'])('refuses the size "%s"', (text) =>
  expect(() => parseSizeBytes(text)).toThrow(/size such as/),
);

it.each([
  ['1%', 0.01],
  ['0.005', 0.005],
  ['100%', 1],
])('reads the share %s', (text, share) => expect(parseShare(text)).toBe(share));

it.each(['101%', '2', '-1%', '%', ''])('refuses the share "%s"', (text) =>
  expect(() => parseShare(text)).toThrow(/share such as/),
);

it.each([
  ['127.0.0.1:9000', { host: '127.0.0.1', port: 9000, loopback: true }],
  ['[::1]:0', { host: '::1', port: 0, loopback: true }],
  ['[0:0:0:0:0:0:0:1]:80', { host: '0:0:0:0:0:0:0:1', port: 80, loopback: true }],
  ['localhost:9000', { host: 'localhost', port: 9000, loopback: true }],
  [':9000', { host: '::', port: 9000, loopback: false }],
  ['0.0.0.0:9000', { host: '0.0.0.0', port: 9000, loopback: false }],
  ['analyzer.example.com:9000', { host: 'analyzer.example.com', port: 9000, loopback: false }],
])('reads the address %s', (text, address) => {
  expect(parseListenAddress(text)).toEqual(address);
  expect(parseListenAddress(formatListenAddress(address))).toMatchObject({ host: address.host, port: address.port });
});

it.each([
  '9000',
  '127.0.0.1',
  '127.0.0.1:',
  '127.0.0.1:99999',
  '::1:9000',
  '[127.0.0.1]:9000',
  '1.2.3.400:80',
  'a b:80',
])('refuses the address "%s"', (text) =>
  expect(() => parseListenAddress(text)).toThrow(/must be host:port|not an IPv4 address/),
);

it('knows loopback in every way to write it, and nothing else', () => {
  expect(['127.9.9.9', '::1', '::ffff:127.0.0.1', '0::1', 'localhost'].map(isLoopback)).not.toContain(false);
  expect(
    ['128.0.0.1', '::', '::2', '::ffff:10.0.0.1', 'localhost.example.com', '127.example.com', ''].map(isLoopback),
  ).not.toContain(true);
});

it('reads choices, booleans, lists, URLs and optional values', () => {
  expect(oneOf('json', 'text')('json')).toBe('json');
  expect(() => oneOf('json', 'text')('xml')).toThrow('must be one of json, text');
  expect(parseBoolean('Yes')).toBe(true);
  expect(() => parseBoolean('maybe')).toThrow('must be true or false');
  expect(listOf(integerBetween(1, 9))('1, 2,,3')).toEqual([1, 2, 3]);
  expect(parseUrl('http', 'https')('https://db.example.com:8443').port).toBe('8443');
  expect(() => parseUrl('nats')('http://x')).toThrow('must be a URL that starts with nats://');
  expect(optional(parseBoolean)('')).toBeUndefined();
  expect(() => integerBetween(0, 64)('1.5')).toThrow('must be a whole number from 0 to 64');
});

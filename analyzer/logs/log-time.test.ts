import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseClfTime, parseDurationText, parseEpoch, parseIsoTime, parseTime } from './log-time.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n: number) => String(n).padStart(2, '0');
const seconds = fc.integer({ min: 1, max: 4_102_444_799 });

it('reads the time of a combined log as Date would', () => {
  fc.assert(
    fc.property(seconds, fc.integer({ min: -14 * 60, max: 14 * 60 }), (unix, offset) => {
      const local = new Date((unix + offset * 60) * 1000);
      fc.pre(local.getTime() >= 0 && local.getUTCFullYear() < 2100);
      const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
      const day = `${two(local.getUTCDate())}/${months[local.getUTCMonth()]}/${local.getUTCFullYear()}`;
      const text = `${day}:${two(local.getUTCHours())}:${two(local.getUTCMinutes())}:${two(local.getUTCSeconds())} ${zone}`;
      expect(parseClfTime(text)).toBe(unix * 1000);
    }),
  );
});

it('reads ISO times as Date would', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_102_444_799_999 }), (ms) => {
      expect(parseIsoTime(new Date(ms).toISOString())).toBeCloseTo(ms, 2);
    }),
  );
});

it.each([
  ['[15/Sep/2021:16:13:46 +0000]', Date.UTC(2021, 8, 15, 16, 13, 46)],
  ['06/10/2021:11:19:31 -0000', Date.UTC(2021, 5, 10, 11, 19, 31)],
  ['2019-04-13T03:59:53.687224601Z', Date.UTC(2019, 3, 13, 3, 59, 53) + 687.224601],
  ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
  ['2025-01-22T13:09:20+01:00', Date.UTC(2025, 0, 22, 12, 9, 20)],
  ['2024/03/12 15:22:28', Date.UTC(2024, 2, 12, 15, 22, 28)],
  ['1693840791.7564995', 1_693_840_791_756.4995],
  [1_756_494_783_340_876_000, 1_756_494_783_340.876],
  [1_756_494_783, 1_756_494_783_000],
  [1_756_494_783_340, 1_756_494_783_340],
] as const)('%s', (text, expected) => {
  expect(parseTime(text)).toBeCloseTo(expected, 2);
});

it.each([
  '',
  '-',
  '32/Jan/2024:00:00:00 +0000',
  '01/Foo/2024:00:00:00 +0000',
  '29/Feb/2026:00:00:00 +0000',
  '2024-13-01T00:00:00Z',
  'yesterday',
  null,
  {},
  -5,
  0,
])('%s is no time', (value) => {
  expect(parseTime(value)).toBeNaN();
});

it('a time after 2100 is a mistake', () => {
  expect(parseEpoch(9e12)).toBeNaN();
  expect(parseIsoTime('2999-01-01T00:00:00Z')).toBeNaN();
});

it.each([
  ['1.5s', 1500],
  ['20ms', 20],
  ['300µs', 0.3],
  ['0.25', 250],
])('%s lasts %d ms', (text, expected) => {
  expect(parseDurationText(text)).toBeCloseTo(expected, 9);
});

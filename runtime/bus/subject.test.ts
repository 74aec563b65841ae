import { expect, it } from 'vitest';
import { subjectMatches } from './subject.ts';

it.each([
  ['a.b', 'a.b', true],
  ['a.b', 'a.c', false],
  ['a.*', 'a.b', true],
  ['a.*', 'a.b.c', false],
  ['a.*.c', 'a.b.c', true],
  ['a.>', 'a.b.c', true],
  ['a.>', 'a', false],
  ['a.>', 'a.>', true],
  ['a.*', 'a.>', false],
  ['a.>', 'a.*.c', true],
  ['a.b', 'a.*', false],
])('%s matches %s: %s', (pattern, subject, expected) => {
  expect(subjectMatches(pattern, subject)).toBe(expected);
});

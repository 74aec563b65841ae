import { expect, test } from 'vitest';
import { wrap } from './screen.ts';

test('lines break between words, under the text behind their label', () => {
  expect(wrap('short', 10)).toBe('short');
  expect(wrap('one two three', 9)).toBe('one two\nthree');
  expect(wrap('  why     many words that are more than fit', 24)).toBe(
    '  why     many words\n          that are more\n          than fit',
  );
  expect(wrap('https://an.address.longer/than/the/line', 10)).toBe('https://an.address.longer/than/the/line');
});

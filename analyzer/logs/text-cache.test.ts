import { expect, test } from 'vitest';
import { createTextCache, ownText } from './text-cache.ts';

test('gives what reading the part itself gives, whatever shares a slot', () => {
  let reads = 0;
  const read = (part: string): string => {
    reads++;
    return `<${part}>`;
  };
  const cached = createTextCache({ slots: 8, maxCharacters: 12 }, read);
  const parts = ['', '-', 'GET / HTTP', 'GET /a HTTP', 'ключ', 'naïve', 'lone \ud800', 'x'.repeat(30), 'GET /b HTTP'];
  for (let round = 0; round < 50; round++)
    for (const [i, part] of parts.entries())
      expect(cached(`"${'q'.repeat(i)}${part}" 200`, 1 + i, 1 + i + part.length)).toBe(`<${part}>`);
  const before = reads;
  for (let i = 0; i < 20; i++) cached('GET / HTTP', 0, 10);
  expect(reads).toBeLessThanOrEqual(before + 1);
});

test('an own text is the same text', () => {
  for (const text of ['', 'plain', 'ünï', 'ключ \u{1f600}', 'lone \udc00\ud800', 'long '.repeat(900)])
    expect(ownText(text)).toBe(text);
});

import { expect, test } from 'vitest';
import { KeyIndex } from './key-index.ts';

test('finds what was added and not removed, where a list that is treated alike has it', () => {
  let state = 11;
  const random = (below: number): number => (state = (Math.imul(state, 0x915f77f5) + 0x6d2b79f5) >>> 0) % below;
  const index = new KeyIndex();
  let list: number[] = [];
  // Low words that fall together: what is in the way of a key is removed as well.
  const key = (n: number): [number, number] => [n % 7, n];
  for (let step = 0; step < 20_000; step++) {
    const n = random(300);
    const place = index.find(...key(n));
    expect(place).toBe(list.indexOf(n));
    if (place < 0) {
      expect(index.add(...key(n))).toBe(list.length);
      list.push(n);
    } else if (random(3) > 0) {
      index.remove(place);
      const last = list.pop() as number;
      if (place < list.length) list[place] = last;
    }
    if (random(2_000) === 0) {
      index.clear();
      list = [];
    }
    expect(index.size).toBe(list.length);
  }
});

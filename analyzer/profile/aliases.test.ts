import { expect, it } from 'vitest';
import { Aliases } from './aliases.ts';

const of = (n: number): { lo: number; hi: number } => ({ lo: n, hi: n + 1 });

it('leads every later pseudonym to the first, and the first to the latest', () => {
  const aliases = new Aliases();
  expect(aliases.isEmpty).toBe(true);
  expect(aliases.add({ from: of(10), to: of(20) }, 1)).toBe(true);
  expect(aliases.add({ from: of(20), to: of(30) }, 2)).toBe(true);
  // Told again, as after a restart.
  expect(aliases.add({ from: of(20), to: of(30) }, 3)).toBe(false);
  const restored = new Aliases();
  restored.load(structuredClone(aliases.save()));
  for (const table of [aliases, restored]) {
    for (const later of [20, 30]) {
      expect(table.toFirst(later, later + 1, 4)).toBe(true);
      expect([table.lo, table.hi]).toEqual([10, 11]);
    }
    expect(table.toFirst(10, 11, 4)).toBe(false);
    expect(table.toLatest(10, 11)).toBe(true);
    expect([table.lo, table.hi]).toEqual([30, 31]);
    expect(table.toLatest(99, 99)).toBe(false);
    expect([table.lo, table.hi]).toEqual([99, 99]);
  }
});

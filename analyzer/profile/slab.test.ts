import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SLAB_HEADER, Slab } from './slab.ts';

const value = SLAB_HEADER;
const words = SLAB_HEADER + 2;

/** Few low words, so that probes collide and wrap round. */
const keys = fc.record({
  lo: fc.integer({ min: 0, max: 40 }).map((n) => (n * 255) >>> 0),
  hi: fc.integer({ min: 0, max: 3 }),
});
const steps = fc.array(fc.tuple(keys, fc.nat(10_000)), { maxLength: 400 });
const name = ({ lo, hi }: { lo: number; hi: number }): string => `${lo}:${hi}`;

describe('against a map', () => {
  it('finds what it holds and nothing else, through evictions, growth, save and load', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 100 }), (list, maxSlots) => {
        let slab = new Slab({ words, maxSlots });
        const model = new Map<string, { lo: number; hi: number; stored: number }>();
        const watch = (): void => {
          slab.onEvict = (base) => {
            const key = { lo: slab.u32[base] as number, hi: slab.u32[base + 1] as number };
            // Its content is still there for whoever closes the window.
            expect(slab.u32[base + value]).toBe(model.get(name(key))?.stored);
            expect(model.delete(name(key))).toBe(true);
          };
        };
        watch();
        for (const [step, [key, seconds]] of list.entries()) {
          const held = model.has(name(key));
          const base = slab.obtain(key.lo, key.hi, seconds);
          expect(slab.created).toBe(!held);
          if (!held) expect(slab.u32[base + value]).toBe(0);
          const stored = step + 1;
          slab.u32[base + value] = stored;
          model.set(name(key), { ...key, stored });
          expect(slab.used).toBe(model.size);
          expect(slab.used).toBeLessThanOrEqual(maxSlots);
          if (step % 97 === 50) {
            const state = slab.save();
            slab = new Slab({ words, maxSlots });
            slab.load(state);
            watch();
          }
        }
        for (const { lo, hi, stored } of model.values()) {
          const base = slab.find(lo, hi);
          expect(base).toBeGreaterThanOrEqual(0);
          expect(slab.u32[base + value]).toBe(stored);
        }
        for (const [key] of list) if (!model.has(name(key))) expect(slab.find(key.lo, key.hi)).toBe(-1);
        let visited = 0;
        slab.each(() => visited++);
        expect(visited).toBe(model.size);
      }),
      { numRuns: 300 },
    );
  });

  it('evicts the longest untouched of the eight under the hand', () => {
    const slab = new Slab({ words, maxSlots: 8 });
    for (let i = 0; i < 8; i++) slab.obtain(i, 0, 100 + ((i * 3) % 8));
    slab.obtain(0, 0, 500);
    slab.obtain(99, 0, 600);
    // Touched at 100 was key 0, which came again; the oldest after it is key 3 at 101.
    expect(slab.find(3, 0)).toBe(-1);
    expect([0, 1, 2, 4, 5, 6, 7, 99].every((lo) => slab.find(lo, 0) >= 0)).toBe(true);
    expect(slab.evicted).toBe(1);
  });
});

describe('with a doorkeeper', () => {
  it('gives a slot at the second sight within the period, and forgets the first after it', () => {
    const slab = new Slab({ words, maxSlots: 100, doorkeeperBits: 1024 });
    expect(slab.obtain(1, 2, 10)).toBe(-1);
    expect(slab.refused).toBe(1);
    expect(slab.obtain(1, 2, 20)).toBeGreaterThanOrEqual(0);
    expect(slab.obtain(3, 5, 30)).toBe(-1);
    expect(slab.obtain(3, 5, 30 + 7200)).toBe(-1);
    expect(slab.obtain(3, 5, 31 + 7200)).toBeGreaterThanOrEqual(0);
  });

  it('lets a flood of one-hit keys cost no more than its bits', () => {
    const slab = new Slab({ words, maxSlots: 256, doorkeeperBits: 65_536 });
    for (let i = 0; i < 50_000; i++) slab.obtain(Math.imul(i, 0x9e3779b1) >>> 0, Math.imul(i, 0x85ebca6b) >>> 0, 1);
    expect(slab.used).toBeLessThanOrEqual(256);
    expect(slab.bytes).toBeLessThanOrEqual(256 * words * 4 + 4096 + 65_536 / 8);
  });

  it('remembers its first sights across save and load', () => {
    const options = { words, maxSlots: 16, doorkeeperBits: 1024 };
    const slab = new Slab(options);
    slab.obtain(7, 7, 50);
    const again = new Slab(options);
    again.load(slab.save());
    expect(again.obtain(7, 7, 60)).toBeGreaterThanOrEqual(0);
  });
});

it('refuses a state of another layout', () => {
  const state = new Slab({ words, maxSlots: 16 }).save();
  expect(() => new Slab({ words: words + 2, maxSlots: 16 }).load(state)).toThrow(RangeError);
  expect(() => new Slab({ words, maxSlots: 16, doorkeeperBits: 1024 }).load(state)).toThrow(RangeError);
});

it('stops growing when the budget that it shares is used up, and evicts from then on', () => {
  const budget = { bytes: 64 * 4 * 4 * 3 };
  const [a, b] = [new Slab({ words: 4, maxSlots: 10_000 }), new Slab({ words: 4, maxSlots: 10_000 })];
  a.budget = b.budget = budget;
  for (let key = 1; key <= 1000; key++) {
    a.obtain(key, key, 1);
    b.obtain(key, key, 1);
  }
  // 64 slots each to begin with, and three times that much to share.
  expect(a.used + b.used).toBeLessThanOrEqual(5 * 64);
  expect(a.used).toBeGreaterThanOrEqual(64);
  expect(b.used).toBeGreaterThanOrEqual(64);
  expect(a.evicted).toBe(1000 - a.used);
  expect(a.find(1000, 1000)).toBeGreaterThanOrEqual(0);
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { W, WindowTable } from './window-table.ts';

const windowMs = 600_000;

interface Closed {
  key: number;
  windowAt: number;
}

function createTable(closed: Closed[]): WindowTable {
  return new WindowTable({
    windowMs,
    keptWords: 0,
    words: 2,
    maxSlots: 24,
    onClose: (table, base) =>
      closed.push({
        key: table.slab.u32[base] as number,
        windowAt: table.slab.f64[(base + W.windowAt) >> 1] as number,
      }),
  });
}

/** Key, and how far it comes behind the latest event, or how far time goes on before the sweep. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ open: fc.integer({ min: 1, max: 40 }), lateMs: fc.integer({ min: 0, max: 600_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ sweepAfterMs: fc.integer({ min: 0, max: 300_000 }) }) },
  { weight: 1, arbitrary: fc.record({ gapMs: fc.integer({ min: 0, max: 40 * 86_400_000 }) }) },
  { weight: 1, arbitrary: fc.constant({ restore: true as const }) },
);

describe('WindowTable', () => {
  it('closes at a sweep exactly the windows that ended, however they were opened, evicted and restored', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
        const closed: Closed[] = [];
        let table = createTable(closed);
        let now = 1_700_000_000_000;
        for (const s of steps) {
          if ('open' in s) table.open(s.open, s.open, now - s.lateMs, 1, 1);
          else if ('gapMs' in s) now += s.gapMs;
          else if ('restore' in s) {
            const state = table.save();
            table = createTable(closed);
            table.load(state);
          } else {
            now += s.sweepAfterMs;
            const ended: Closed[] = [];
            table.slab.each((base) => {
              const windowAt = table.slab.f64[(base + W.windowAt) >> 1] as number;
              if (windowAt !== 0 && now - windowAt >= windowMs)
                ended.push({ key: table.slab.u32[base] as number, windowAt });
            });
            closed.length = 0;
            table.sweep(now);
            expect(closed).toEqual(ended);
          }
          expect(table.bytes).toBeLessThanOrEqual(table.maxBytes);
        }
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { F, Flag, STRIDE } from '../observation.ts';
import { PrincipalTable } from './principal-table.ts';
import { P } from './principal-words.ts';
import { MARK } from './slab.ts';
import type { Standing } from './standing-count.ts';

const day = 86_400_000;

function stage() {
  const table = new PrincipalTable();
  const u32 = new Uint32Array(STRIDE);
  const f64 = new Float64Array(u32.buffer);
  const touch = (user: number, at: number): number => {
    u32[F.user] = user;
    u32[F.flags] = Flag.userVerified;
    u32[F.status] = 200;
    return table.touch(u32, f64, 0, 1, 2, 6, 5, at);
  };
  // The doorkeeper holds back the first sighting.
  touch(1, day);
  return { table, touch };
}

describe('who shares an address', () => {
  it('is who was served through it', () => {
    const { table, touch } = stage();
    let slot = -1;
    for (const user of [1, 2, 3, 3, 1]) slot = touch(user, day + user);
    expect(table.sharedBy(slot)).toBe(3);
  });

  it('is nobody who comes after an incident began there', () => {
    const { table, touch } = stage();
    const slot = touch(1, day);
    table.blame(slot, day + 1000);
    for (let user = 2; user < 20; user++) touch(user, day + 2000 + user);
    expect(table.sharedBy(slot)).toBe(1);
    expect(table.sharersChanged).toBe(false);
    for (let user = 2; user < 20; user++) touch(user, 3 * day + user);
    expect(table.sharedBy(slot)).toBeGreaterThan(10);
  });

  it('is nobody who has not come for two weeks', () => {
    const { table, touch } = stage();
    let slot = -1;
    for (let user = 1; user <= 10; user++) slot = touch(user, day);
    touch(1, 9 * day);
    expect(table.sharedBy(slot)).toBe(10);
    touch(1, 17 * day);
    expect(table.sharersChanged).toBe(true);
    expect(table.sharedBy(slot)).toBe(1);
  });
});

describe('good standing', () => {
  it('needs an age, so that fresh identities dilute no share', () => {
    const { table, touch } = stage();
    touch(1, day + 1000);
    const standingAt = (at: number, age: number): number => {
      touch(1, at);
      return table.standing(at, new Map([[5, age]])).get(5)?.principals[6] ?? 0;
    };
    expect(standingAt(day + 2000, 0)).toBe(1);
    expect(standingAt(2 * day, day)).toBe(0);
    expect(standingAt(2 * day + 1000, day)).toBe(1);
    expect(table.standing(2 * day, new Map()).size).toBe(0);
  });

  it('is what a look at everybody would find, whatever happened before', () => {
    const step = fc.record({
      who: fc.integer({ min: 1, max: 40 }),
      api: fc.integer({ min: 5, max: 6 }),
      pauseMs: fc.constantFrom(0, 700, 59_000, 3_600_000, day / 2, day),
      blamed: fc.boolean(),
      counted: fc.boolean(),
      reloaded: fc.integer({ min: 0, max: 9 }),
      age: fc.constantFrom(0, 90_000, day),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let table = new PrincipalTable();
        const u32 = new Uint32Array(STRIDE);
        const f64 = new Float64Array(u32.buffer);
        let at = 100 * day;
        for (const s of steps) {
          at += s.pauseMs;
          // The doorkeeper wants to see everybody twice; events come a little late and a little early.
          for (let i = 0; i < 2; i++) {
            const base = table.touch(u32, f64, 0, s.who, s.who, 1 + (s.who % 3), s.api, at + (s.who % 5) * 900 - 1800);
            if (s.blamed && s.who % 4 === 0) table.blame(base, at);
          }
          if (s.reloaded === 0) {
            const state = table.save();
            table = new PrincipalTable();
            table.load(state);
          }
          if (!s.counted) continue;
          const ages = new Map([[5, s.age]]);
          expect(new Map(table.standing(at, ages))).toEqual(lookAtAll(table, at, ages));
        }
        expect(new Map(table.standing(at, new Map()))).toEqual(lookAtAll(table, at, new Map()));
        const { slots } = table.save();
        for (let base = 0; base < slots.length / 4; base += table.slab.words)
          expect(new Uint32Array(slots.buffer)[base + MARK]).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});

function lookAtAll({ slab }: PrincipalTable, now: number, ages: ReadonlyMap<number, number>): Map<number, Standing> {
  const byApi = new Map<number, Standing>();
  const { u32, f64 } = slab;
  slab.each((base) => {
    const api = u32[base + P.api] as number;
    const at = (field: number): number => f64[(base + field) >> 1] as number;
    if (now - at(P.lastAt) > day || (at(P.blamedAt) !== 0 && now - at(P.blamedAt) < day)) return;
    if (now - at(P.firstAt) < (ages.get(api) ?? day)) return;
    const kind = (u32[base + P.code] as number) & 15;
    const standing = byApi.get(api) ?? { principals: new Float64Array(16), requests: new Float64Array(16) };
    standing.principals[kind] = (standing.principals[kind] as number) + 1;
    standing.requests[kind] = (standing.requests[kind] as number) + at(P.requests);
    byApi.set(api, standing);
  });
  return byApi;
}

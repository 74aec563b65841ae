import { describe, expect, it } from 'vitest';
import { F, Flag, STRIDE } from '../observation.ts';
import { PrincipalTable } from './principal-table.ts';

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
});

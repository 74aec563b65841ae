import { describe, expect, it } from 'vitest';
import { Key } from '../engine/key-kind.ts';
import { F, Flag, STRIDE } from '../observation.ts';
import type { DerivedUpdate, Scene } from './detector.ts';
import { objectEnumeration } from './object-enumeration.ts';
import { createPartial } from './population.ts';

function stage() {
  const detector = objectEnumeration(() => {});
  const u32 = new Uint32Array(STRIDE);
  const sent: DerivedUpdate[] = [];
  const scene: Scene = {
    u32,
    f64: new Float64Array(u32.buffer),
    record: 0,
    code: Key.object,
    kind: Key.object,
    valueLo: 1,
    valueHi: 2,
    keyLo: 0,
    keyHi: 4,
    api: 5,
    at: 1_000_000,
    seq: 0,
    sharedBy: 1,
    requests: 0,
    population: undefined,
    partial: createPartial(),
    say: () => {},
    derive: (update) => sent.push(update),
  };
  return {
    objects: detector.tables[0],
    /** One request of a user for an object; returns whether it was somebody else's. */
    get(object: number, user: number, status: number, flags = 0): DerivedUpdate | undefined {
      scene.keyLo = Math.imul(object, 0x9e3779b1) >>> 0;
      scene.at += 1000;
      u32[F.user] = user;
      u32[F.flags] = Flag.userVerified | flags;
      u32[F.status] = status;
      detector.update(scene);
      return sent.at(-1);
    },
  };
}

describe('who owns an object', () => {
  it('is who was served first; everybody else touches a foreign one', () => {
    const { get } = stage();
    expect(get(7, 1, 200)?.foreign).toBe(false);
    expect(get(7, 1, 200)?.foreign).toBe(false);
    expect(get(7, 2, 200)).toMatchObject({ foreign: true, success: true });
    expect(get(7, 2, 403)).toMatchObject({ foreign: true, success: false });
  });

  it('a hundred thousand made-up ids push out no owner and take no place', () => {
    const { get, objects } = stage();
    get(7, 1, 200);
    for (let id = 100; id < 100_100; id++) get(id, 2, 404);
    expect(objects?.slab.used).toBe(1);
    expect(get(7, 2, 200)?.foreign).toBe(true);
  });

  it('an exempt caller is one at its own key too', () => {
    const { get } = stage();
    expect((get(7, 1, 200, Flag.exempt)?.flags ?? 0) & Flag.exempt).toBe(Flag.exempt);
  });
});

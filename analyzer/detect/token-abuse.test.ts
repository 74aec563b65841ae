import { describe, expect, test } from 'vitest';
import { Key } from '../engine/key-kind.ts';
import { F, STRIDE } from '../observation.ts';
import type { Scene, Statement } from './detector.ts';
import { createPartial } from './population.ts';
import { tokenAbuse } from './token-abuse.ts';

/** Plays requests of one token, each from a network with a device, and returns the strongest statement. */
function play(requests: readonly (readonly [network: number, device: number])[]): Statement | undefined {
  const detector = tokenAbuse(() => {});
  const u32 = new Uint32Array(STRIDE);
  let strongest: Statement | undefined;
  const scene: Scene = {
    u32,
    f64: new Float64Array(u32.buffer),
    record: 0,
    code: Key.token,
    kind: Key.token,
    valueLo: 1,
    valueHi: 2,
    keyLo: 3,
    keyHi: 4,
    api: 5,
    at: 1_000_000,
    seq: 0,
    sharedBy: 1,
    requests: 0,
    population: undefined,
    partial: createPartial(),
    say: (_table, _base, statement) => {
      if (!strongest || statement.surprise > strongest.surprise) strongest = statement;
    },
    derive: () => {},
  };
  // The doorkeeper holds back the first sighting.
  for (const [network, device] of [requests[0] as readonly [number, number], ...requests]) {
    u32[F.network] = network;
    u32[F.userAgent] = device;
    u32[F.status] = 200;
    scene.at += 5_000;
    scene.seq++;
    detector.update(scene);
  }
  return strongest;
}

const repeat = <T>(times: number, item: T): T[] => Array.from({ length: times }, () => item);

describe('a token', () => {
  test('of a phone that travels through six networks stays below every level', () => {
    const journey = [1, 2, 3, 4, 5, 6].flatMap((network) => repeat(8, [network, 1] as const));
    expect(play(journey)?.surprise ?? 0).toBeLessThan(3);
  });

  test('of a phone between home and its carrier says nothing', () => {
    const commute = [1, 2, 1, 2].flatMap((network) => repeat(6, [network, 1] as const));
    expect(play(commute)).toBeUndefined();
  });

  test('of a household with three browsers on one network says nothing', () => {
    expect(play([1, 2, 3, 1, 2, 3, 1, 2, 3].map((device) => [7, device] as const))).toBeUndefined();
  });

  test('in the hands of five at once is beyond doubt', () => {
    const hands = Array.from({ length: 40 }, (_, i) => [10 + ((i * 7) % 5), 20 + ((i * 7) % 5)] as const);
    expect(play(hands)?.surprise).toBeGreaterThan(6);
  });

  test('through a rotating proxy is noticed although the device never changes', () => {
    const rotating = Array.from({ length: 60 }, (_, i) => [100 + ((i * 13) % 20), 1] as const);
    expect(play(rotating)?.surprise).toBeGreaterThan(5);
  });
});

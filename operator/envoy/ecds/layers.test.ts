import { create } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { describe, expect, test } from 'vitest';
import { createLayers, defaultLimits, pushGapMs } from './layers.ts';

function user(i: number, score = 50): Decision {
  return create(DecisionSchema, {
    id: `dec-${i}`,
    score,
    match: [{ predicate: { case: 'entity', value: { kind: PrincipalKind.USER, value: `u${i}` } } }],
  });
}

function range(id: string, cidrs: string[], score = 50): Decision {
  return create(DecisionSchema, { id, score, match: [{ predicate: { case: 'addresses', value: { cidrs } } }] });
}

describe('layers', () => {
  test('a new decision enters the hot layer, addresses their own', () => {
    const layers = createLayers(defaultLimits);
    const changes = layers.change([], [user(1), range('dec-net', ['192.0.2.0/24'])]);
    expect([...changes.keys()].sort()).toEqual(['picket.address.hot', 'picket.decide.hot']);
    expect([...layers.in('picket.decide.hot')]).toEqual(['dec-1']);
  });

  test('addresses beyond what their hot layer holds stand in the large one', () => {
    const layers = createLayers({ ...defaultLimits, maxHotKeys: 2 });
    const all = Array.from({ length: 20 }, (_, i) => range(`dec-${i}`, [`192.0.2.${i}`]));
    layers.change([], all);
    expect(layers.in('picket.address.hot').size).toBe(8);
    layers.settled('picket.address', layers.in('picket.address'));
    expect(layers.in('picket.address.hot').size).toBe(3);
    expect(new Set([...layers.in('picket.address.hot'), ...layers.in('picket.address')]).size).toBe(20);
  });

  test('no push of the hot layer carries more keys than it may', () => {
    const layers = createLayers(defaultLimits);
    let count = 0;
    for (let i = 0; i < 5_000; i += 100) {
      const coming = Array.from({ length: 100 }, (_, j) => user(i + j));
      layers.change([], coming);
      count += coming.length;
      expect(layers.in('picket.decide.hot').size).toBeLessThanOrEqual(defaultLimits.maxHotKeys);
      const everywhere = new Set([...layers.in('picket.decide.hot'), ...layers.in('picket.decide.warm')]);
      expect(everywhere.size).toBe(count);
      layers.settled('picket.decide.warm', layers.in('picket.decide.warm'));
    }
    expect(layers.in('picket.decide.hot').size).toBeLessThanOrEqual(defaultLimits.maxHotKeys / 2);
  });

  test('a moving decision stands in both layers until its new place is acknowledged', () => {
    const layers = createLayers({ ...defaultLimits, maxHotKeys: 4 });
    layers.change(
      [],
      [1, 2, 3, 4].map((i) => user(i)),
    );
    expect([...layers.in('picket.decide.warm')]).toEqual(['dec-1', 'dec-2', 'dec-3']);
    expect(layers.in('picket.decide.hot').has('dec-1')).toBe(true);
    const changes = layers.settled('picket.decide.warm', new Set(['dec-1']));
    expect([...changes.keys()]).toEqual(['picket.decide.hot']);
    expect(layers.in('picket.decide.hot').has('dec-1')).toBe(false);
    expect(layers.in('picket.decide.hot').has('dec-2')).toBe(true);
  });

  test('the warm layer is merged into the cold one when it is too full', () => {
    const layers = createLayers({ ...defaultLimits, maxHotKeys: 2, maxWarmKeys: 2 });
    layers.change(
      [],
      [1, 2, 3, 4, 5].map((i) => user(i)),
    );
    layers.settled('picket.decide.warm', layers.in('picket.decide.warm'));
    expect([...layers.mergeCold().keys()]).toEqual(['picket.decide.cold']);
    layers.settled('picket.decide.cold', layers.in('picket.decide.cold'));
    expect(layers.in('picket.decide.warm').size).toBeLessThanOrEqual(2);
  });

  test('a single new decision moves nothing between layers that have room', () => {
    const layers = createLayers(defaultLimits);
    const many = Array.from({ length: defaultLimits.maxHotKeys }, (_, i) => user(i));
    layers.change([], many);
    layers.settled('picket.decide.warm', layers.in('picket.decide.warm'));
    for (let i = 0; i < 20; i++)
      expect([...layers.change([], [user(1_000 + i)]).keys()]).toEqual(['picket.decide.hot']);
  });

  test('what is over leaves every layer', () => {
    const layers = createLayers({ ...defaultLimits, maxHotKeys: 2 });
    layers.change([], [user(1), user(2)]);
    const changes = layers.change(['dec-1', 'dec-2'], []);
    expect([...changes.keys()].sort()).toEqual(['picket.decide.hot', 'picket.decide.warm']);
    for (const layer of ['picket.decide.hot', 'picket.decide.warm'] as const) expect(layers.in(layer).size).toBe(0);
  });

  test('the cold layer gains at most once a minute', () => {
    expect(pushGapMs('picket.decide.cold', 'grew', 10)).toBe(60_000);
    expect(pushGapMs('picket.decide.hot', 'grew', 500)).toBe(250);
  });

  test('what only made room waits to leave a large layer, what ended does not', () => {
    const layers = createLayers({ ...defaultLimits, maxHotKeys: 1 });
    const many = Array.from({ length: 9 }, (_, i) => range(`dec-${i}`, [`192.0.2.${i}`]));
    layers.change([], many);
    layers.settled('picket.address', layers.in('picket.address'));
    expect(layers.change([], [], ['dec-0']).get('picket.address')).toBe('displaced');
    expect(layers.change(['dec-1'], [], ['dec-2']).get('picket.address')).toBe('lifted');
    const gaps = (['lifted', 'grew', 'displaced'] as const).map((why) => pushGapMs('picket.address', why, 100_000));
    expect(gaps).toEqual([5_000, 20_000, 60_000]);
  });
});

import { create } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Action, Mode, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { layerNames } from '@picket/proto/enforcement-metadata.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ApiPlace } from '../render/api-match.ts';
import { matchOfDecision } from '../render/decision-match.ts';
import { whyUnprogrammable } from '../render/decisions.ts';
import { defaultLimits } from './layers.ts';
import { createPlacement } from './placement.ts';

const limits = { maxKeys: 5, maxConjunctions: 2, maxPrefixes: 4, maxHotKeys: 2, maxWarmKeys: 2 };

type Kind = 'entity' | 'traits' | 'address';

interface Written {
  id: number;
  kind: Kind;
  score: number;
  /** Addresses of an address decision; what is asked, of any other. */
  width: number;
  api: string;
  mode: Mode;
}

const written: fc.Arbitrary<Written> = fc.record({
  id: fc.nat(14),
  kind: fc.constantFrom<Kind>('entity', 'traits', 'address'),
  score: fc.nat(6),
  width: fc.integer({ min: 1, max: 5 }),
  api: fc.constantFrom('one', 'two'),
  mode: fc.constantFrom(Mode.ENFORCE, Mode.ENFORCE, Mode.DRY_RUN, Mode.OBSERVE),
});

type Step =
  | { do: 'write'; what: Written[] }
  | { do: 'end'; ids: number[] }
  | { do: 'policies'; apis: string[] }
  | { do: 'acknowledge'; layer: (typeof layerNames)[number] }
  | { do: 'merge' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('write' as const), what: fc.array(written, { maxLength: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), ids: fc.array(fc.nat(14), { maxLength: 4 }) }) },
  { arbitrary: fc.record({ do: fc.constant('policies' as const), apis: fc.subarray(['one', 'two']) }), weight: 1 },
  {
    arbitrary: fc.record({ do: fc.constant('acknowledge' as const), layer: fc.constantFrom(...layerNames) }),
    weight: 3,
  },
  { arbitrary: fc.record({ do: fc.constant('merge' as const) }), weight: 1 },
);

function decisionOf({ id, kind, score, width, api, mode }: Written): Decision {
  const entity = { case: 'entity' as const, value: { kind: PrincipalKind.USER, value: `u${id}` } };
  const predicates: Record<Kind, object[]> = {
    entity: [entity],
    traits: [entity, { case: 'userAgent', value: `agent ${width}` }],
    address: [{ case: 'addresses', value: { cidrs: Array.from({ length: width }, (_, i) => `10.0.${id}.${i}`) } }],
  };
  const match = predicates[kind].map((predicate) => ({ predicate }) as never);
  return create(DecisionSchema, { id: `dec-${id}`, score, apiUid: api, action: Action.DENY, mode, match });
}

/** The same from nothing: everything ranked, then taken as long as it fits. */
function placedFromScratch(inForce: ReadonlyMap<string, Decision>, apis: ReadonlyMap<string, ApiPlace>): Set<string> {
  const ranked = [...inForce.values()]
    .filter((decision) => whyUnprogrammable(decision, apis) === undefined)
    .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
  const by = (...kinds: string[]) => ranked.filter((decision) => kinds.includes(matchOfDecision(decision).by));
  const conjunctions = by('traits').slice(0, limits.maxConjunctions);
  const keys = by('entity', 'traits').filter((d) => matchOfDecision(d).by === 'entity' || conjunctions.includes(d));
  const placed = new Set(keys.slice(0, limits.maxKeys).map(({ id }) => id));
  let taken = 0;
  for (const decision of by('address')) {
    const match = matchOfDecision(decision);
    const need = match.by === 'address' ? match.cidrs.length : 0;
    if (need > limits.maxPrefixes) continue;
    taken += need;
    if (taken > limits.maxPrefixes) break;
    placed.add(decision.id);
  }
  return placed;
}

describe('placement', () => {
  test('whatever came and went, in whichever order, is that of placing all of it anew', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const placement = createPlacement({ limits, ja4: true });
        const inForce = new Map<string, Decision>();
        let apis = new Map<string, ApiPlace>();
        const entered = new Set<string>();
        for (const now of steps) {
          if (now.do === 'acknowledge') placement.layers.settled(now.layer, new Set(placement.layers.in(now.layer)));
          else if (now.do === 'merge') placement.layers.mergeCold();
          else {
            const ids = new Set<string>();
            if (now.do === 'write')
              for (const decision of now.what.map(decisionOf))
                ids.add(inForce.set(decision.id, decision) && decision.id);
            if (now.do === 'end') for (const id of now.ids) if (inForce.delete(`dec-${id}`)) ids.add(`dec-${id}`);
            if (now.do === 'policies')
              apis = new Map(now.apis.map((uid) => [uid, { apiUid: uid, hosts: [], pathPrefix: '/' } as never]));
            const changes = now.do === 'policies' ? placement.setApis(apis, inForce) : placement.change(ids, inForce);
            for (const id of changes.left) entered.delete(id);
            for (const id of changes.entered) entered.add(id);
          }
          const placed = placedFromScratch(inForce, apis);
          expect(entered).toEqual(placed);
          const held = layerNames.flatMap((layer) => [...placement.layers.in(layer)]);
          expect(new Set(held)).toEqual(placed);
          for (const id of placed) expect(held.filter((other) => other === id).length).toBeLessThanOrEqual(2);
          expect(placement.layers.in('picket.decide.hot').size).toBeLessThanOrEqual(limits.maxHotKeys);
          for (const [id, decision] of inForce) {
            const isAddress = matchOfDecision(decision).by === 'address';
            for (const layer of layerNames)
              if (placement.layers.in(layer).has(id)) expect(layer.startsWith('picket.address')).toBe(isAddress);
            const reason = whyUnprogrammable(decision, apis)?.reason ?? (placed.has(id) ? undefined : 'Capacity');
            expect(placement.problemOf(id)?.reason).toBe(reason);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a decision that asks something new enters as a new one, one that is only prolonged does not', () => {
    const placement = createPlacement({ limits: { ...defaultLimits, maxHotKeys: 2 }, ja4: true });
    const inForce = new Map<string, Decision>();
    const write = (decision: Decision) => {
      inForce.set(decision.id, decision);
      return placement.change([decision.id], inForce);
    };
    placement.setApis(new Map([['one', { apiUid: 'one' } as never]]), inForce);
    const first: Written = { id: 1, kind: 'entity', score: 5, width: 1, api: 'one', mode: Mode.ENFORCE };
    write(decisionOf(first));
    const second = write(decisionOf({ ...first, id: 2 }));
    expect([...second.layers.keys()].sort()).toEqual(['picket.decide.hot', 'picket.decide.warm']);
    placement.layers.settled('picket.decide.warm', placement.layers.in('picket.decide.warm'));
    expect(placement.layers.in('picket.decide.hot').has('dec-1')).toBe(false);
    expect(write({ ...decisionOf(first), expiresAtMs: 9n })).toMatchObject({ entered: [], left: [] });
    expect(write(decisionOf({ ...first, mode: Mode.DRY_RUN })).entered).toEqual(['dec-1']);
    expect(placement.layers.in('picket.decide.hot').has('dec-1')).toBe(true);
  });
});

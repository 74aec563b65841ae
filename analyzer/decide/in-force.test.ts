import { create } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Action, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createInForce, type Weight } from './in-force.ts';

const decision = (kind: PrincipalKind, action: Action, score: number): Decision =>
  create(DecisionSchema, { kind, action, score });

describe('decisions in force', () => {
  it('keep the same sums as counting them all would give', () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 8 }),
      remove: fc.boolean(),
      kind: fc.constantFrom(PrincipalKind.USER, PrincipalKind.ADDRESS),
      action: fc.constantFrom(Action.TAG, Action.THROTTLE, Action.DENY),
      established: fc.boolean(),
      requests: fc.integer({ min: 0, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(step), fc.integer({ min: 0, max: 8 }), (steps, except) => {
        const inForce = createInForce();
        const plain = new Map<string, { kind: PrincipalKind; action: Action; weight: Weight }>();
        for (const { key, remove, kind, action, established, requests } of steps) {
          const weight = { established, requests };
          if (remove) {
            inForce.delete(`${key}`);
            plain.delete(`${key}`);
          } else {
            inForce.set(`${key}`, decision(kind, action, 50), weight);
            plain.set(`${key}`, { kind, action, weight });
          }
        }
        for (const kind of [PrincipalKind.USER, PrincipalKind.ADDRESS]) {
          const counted = [...plain].filter(
            ([key, d]) => key !== `${except}` && d.kind === kind && d.action >= Action.THROTTLE,
          );
          const established = counted.filter(([, d]) => d.weight.established);
          expect(inForce.tally(kind, `${except}`)).toEqual({
            all: counted.length,
            established: established.length,
            requests: established.reduce((sum, [, d]) => sum + d.weight.requests, 0),
          });
        }
      }),
      { seed: 5 },
    );
  });

  it('name the lowest score once all places are taken', () => {
    const inForce = createInForce(3);
    const weight = { established: false, requests: 0 };
    inForce.set('a', decision(PrincipalKind.USER, Action.DENY, 90), weight);
    inForce.set('b', decision(PrincipalKind.USER, Action.DENY, 70), weight);
    expect(inForce.weakest()).toBeUndefined();
    inForce.set('c', decision(PrincipalKind.USER, Action.DENY, 80), weight);
    expect(inForce.weakest()).toBe('b');
    inForce.set('b', decision(PrincipalKind.USER, Action.DENY, 95), weight);
    expect(inForce.weakest()).toBe('c');
  });
});

import { create } from '@bufbuild/protobuf';
import { PrincipalKind, SafetySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { describe, expect, it } from 'vitest';
import { checkSafety, limitsOf, type SafetyView } from './safety.ts';
import { changes, minute, policyWith, sighting, standingOf, start, startStage } from './testing/stage.ts';

const view = (all: number, established: number, requests: number, standing = 1000): SafetyView => ({
  standing: standingOf(standing),
  inForce: () => ({ all, established, requests }),
});
const check = (established: boolean, share: number, seen: SafetyView) =>
  checkSafety(PrincipalKind.USER, established, share, limitsOf(undefined), seen);

describe('limits', () => {
  it('are those of the policy, zeros too, and the defaults only where it has none', () => {
    expect(limitsOf(create(SafetySchema, {}))).toEqual({
      maxShareOfPrincipals: 0,
      maxShareOfRequests: 0,
      minBaselineMs: 0,
      maxPrincipalsPerAddress: 0,
    });
    expect(limitsOf(undefined)).toMatchObject({ maxShareOfPrincipals: 0.01, minBaselineMs: 86_400_000 });
  });

  it('stop at established principals, and soften for newcomers and for many requests', () => {
    expect(check(true, 0, view(9, 9, 0))).toEqual({ ok: true });
    expect(check(true, 0, view(10, 10, 0))).toMatchObject({ ok: false, soften: false });
    expect(check(false, 0, view(10, 10, 0))).toEqual({ ok: true });
    expect(check(false, 0, view(50, 0, 0))).toMatchObject({ ok: false, soften: true });
    expect(check(true, 0.03, view(0, 0, 0))).toMatchObject({ ok: false, soften: true });
    expect(check(true, 0.005, view(1, 1, 1900))).toMatchObject({ ok: false, soften: true });
  });
});

describe('under a coordinator', () => {
  const established = (until: number, valueLo: number, over: object = {}) =>
    sighting({
      until,
      valueLo,
      facts: {
        ...{ firstAt: until - 3 * 86_400_000, lastAt: until, requests: 1, sharedBy: 1 },
        ...{ operations: 1, networks: 1, devices: 1, errorRatio: 0 },
      },
      ...over,
    });

  it('past the share new denials become throttles, and nothing in force is lifted', () => {
    const { coordinator, tick } = startStage({ standing: standingOf(100) });
    const list = Array.from({ length: 80 }, (_, i) => sighting({ until: start, valueLo: i + 1 }));
    const said = changes(tick(start, ...list));
    expect(said.filter((c) => c === 'decided DENY')).toHaveLength(50);
    expect(said.filter((c) => c === 'decided THROTTLE')).toHaveLength(30);
    expect(said.filter((c) => c.startsWith('lifted'))).toEqual([]);
    expect(coordinator.activity()).toMatchObject({ acting: 80, eased: 30 });
  });

  it('established principals that one kind of evidence accuses are left alone past their share', () => {
    const { coordinator, tick } = startStage({ standing: standingOf(100) });
    const said = changes(tick(start, ...[1, 2, 3, 4].map((i) => established(start, i))));
    expect(said.filter((c) => c === 'decided DENY')).toHaveLength(3);
    expect(coordinator.activity().suppressed).toBe(1);
  });

  it('established robots do not shield each other: several kinds of evidence throttle them all the same', () => {
    const { tick } = startStage({ standing: standingOf(100) });
    tick(start, ...[1, 2, 3].map((i) => established(start, i)));
    const at = start + 1000;
    const both = [established(at, 9), established(at, 9, { detector: 'objectEnumeration', family: 'object' })];
    expect(changes(tick(at, ...both)).filter((c) => c.startsWith('decided'))).toEqual(['decided THROTTLE']);
  });

  it('a principal in force does not stand in the way of its own extension', () => {
    const { tick } = startStage({ standing: standingOf(100) });
    tick(start, ...[1, 2, 3].map((i) => established(start, i)));
    const at = start + 6 * minute;
    expect(changes(tick(at, established(at, 2)))).toEqual(['extended DENY']);
  });

  it('waits for a baseline, unless the policy asks for none', () => {
    const young = { standing: standingOf(100), learnedSince: start - 60 * minute };
    const waiting = startStage(young);
    expect(changes(waiting.tick(start, sighting({ until: start })))).toEqual([]);
    expect(waiting.coordinator.verdicts()[0]?.enforceable.reason).toBe('Learning');
    const eager = startStage({ ...young, policy: policyWith({ safety: { minBaselineMs: 0 } }) });
    expect(changes(eager.tick(start, sighting({ until: start })))).toEqual(['decided DENY']);
  });

  it('an address that many use is not denied', () => {
    const { coordinator, tick } = startStage({ standing: standingOf(100) });
    coordinator.shared('0000000000000001', 6);
    expect(changes(tick(start, sighting({ until: start })))).toEqual([]);
    expect(coordinator.verdicts()[0]?.enforceable.reason).toBe('SharedAddress');
    coordinator.shared('0000000000000002', 5);
    expect(changes(tick(start, sighting({ until: start, valueLo: 2 })))).toEqual(['decided DENY']);
  });
});

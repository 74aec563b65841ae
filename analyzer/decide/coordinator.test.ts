import { Action, Level, Mode, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { deserialize, serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { Key, KIND_BITS, Trait } from '../engine/key-kind.ts';
import { createCoordinator } from './coordinator.ts';
import {
  changes,
  knownValues,
  minute,
  policyWith,
  sighting,
  standingOf,
  start,
  startStage,
  surpriseOf,
} from './testing/stage.ts';

const standing = standingOf(2000);

describe('the life of a decision', () => {
  it('begins as mild as the evidence and becomes harder with it, each for as long as the policy says', () => {
    const { tick } = startStage({ standing });
    const first = tick(start, sighting({ until: start, surprise: surpriseOf.tag }));
    expect(changes(first)).toEqual(['decided TAG']);
    const second = tick(start + minute, sighting({ until: start + minute, surprise: surpriseOf.throttle }));
    expect(changes(second)).toEqual(['lifted TAG', 'decided THROTTLE']);
    const third = tick(start + 2 * minute, sighting({ until: start + 2 * minute, surprise: surpriseOf.deny }));
    expect(changes(third)).toEqual(['lifted THROTTLE', 'decided DENY']);
    const denied = third.decisions[1]?.decision;
    expect(Number(denied?.expiresAtMs) - Number(denied?.decidedAtMs)).toBe(10 * minute);
  });

  it('is extended under its own id while evidence goes on, once half of it has run', () => {
    const { tick } = startStage({ standing });
    const made = tick(start, sighting({ until: start })).decisions[0]?.decision;
    expect(changes(tick(start + 4 * minute, sighting({ until: start + 4 * minute })))).toEqual([]);
    const later = tick(start + 6 * minute, sighting({ until: start + 6 * minute }));
    expect(changes(later)).toEqual(['extended DENY']);
    expect(later.decisions[0]?.decision.id).toBe(made?.id);
    expect(Number(later.decisions[0]?.decision.expiresAtMs)).toBe(start + 16 * minute);
  });

  it('ends at its time and comes back only with new evidence, for twice as long', () => {
    const policy = policyWith();
    for (const response of policy.behavior?.responses ?? []) response.forMs = BigInt(minute / 2);
    const brief = startStage({ policy, standing });
    expect(changes(brief.tick(start, sighting({ until: start })))).toEqual(['decided DENY']);
    expect(changes(brief.tick(start + minute / 2))).toEqual(['expired DENY']);
    // Within a minute of its last evidence, which it has already answered for.
    expect(changes(brief.tick(start + 50_000))).toEqual([]);
    const again = brief.tick(start + 55_000, sighting({ until: start + 55_000 }));
    expect(changes(again)).toEqual(['decided DENY']);
    const decision = again.decisions[0]?.decision;
    expect(Number(decision?.expiresAtMs) - Number(decision?.decidedAtMs)).toBe(minute);
  });

  it('counts no strike for a tag', () => {
    const { tick } = startStage({ standing });
    tick(start, sighting({ until: start, surprise: surpriseOf.tag }));
    expect(changes(tick(start + 10 * minute))).toEqual(['expired TAG']);
    const at = start + 11 * minute;
    const next = tick(at, sighting({ until: at })).decisions[0]?.decision;
    expect(next?.action).toBe(Action.DENY);
    expect(Number(next?.expiresAtMs) - at).toBe(10 * minute);
  });

  it('outlives a checkpoint, with the sums that safety asks for', () => {
    const policy = policyWith({ safety: { maxShareOfPrincipals: 0.001 } });
    const before = startStage({ policy, standing });
    for (let i = 1; i <= 60; i++) before.tick(start, sighting({ until: start, valueLo: i }));
    const after = startStage({ policy, standing });
    after.coordinator.load(deserialize(serialize(before.coordinator.save())));
    expect(after.coordinator.activity()).toEqual(before.coordinator.activity());
    const one = sighting({ until: start + 1000, valueLo: 99 });
    expect(changes(after.tick(start + 1000, one))).toEqual(changes(before.tick(start + 1000, one)));
    expect(changes(after.tick(start + 10 * minute))).toEqual(changes(before.tick(start + 10 * minute)));
  });

  it('shows a score that decays while nothing happens', () => {
    const { coordinator, tick } = startStage({ standing });
    tick(start, sighting({ until: start }));
    const [first] = coordinator.verdicts();
    tick(start + 30 * minute);
    const [later] = coordinator.verdicts();
    expect(later?.score).toBeLessThan((first?.score ?? 0) - 10);
    expect(later?.contributions.reduce((sum, c) => sum + c.points, 0)).toBeCloseTo(later?.score ?? 0, 0);
  });
});

describe('what people say', () => {
  it('a review as false positive lifts, teaches, and nothing is decided for a day', () => {
    const { coordinator, tick } = startStage({ standing });
    tick(start, sighting({ until: start }));
    const [verdict] = coordinator.verdicts();
    const review = coordinator.review(verdict?.name ?? '', 'FalsePositive', start + 1000);
    expect(changes(review.output)).toEqual(['lifted DENY']);
    expect(review.lessons).toEqual([
      { detector: 'scraping', kind: PrincipalKind.ADDRESS, surprise: surpriseOf.deny, weight: 1 },
    ]);
    expect(changes(tick(start + minute, sighting({ until: start + minute })))).toEqual([]);
    expect(coordinator.verdicts()[0]?.enforceable.reason).toBe('Reviewed');
    // Taken back.
    const back = coordinator.review(verdict?.name ?? '', 'TruePositive', start + minute + 1000);
    expect(changes(back.output)).toEqual(['decided DENY']);
    expect(back.lessons).toHaveLength(1);
    expect(back.lessons[0]?.surprise).toBe(surpriseOf.deny);
    expect(back.lessons[0]?.weight).toBeCloseTo(-1, 3);
  });

  it('a policy that no longer acts lifts what is in force, one that acts milder is followed', () => {
    const { coordinator, tick } = startStage({ standing });
    tick(start, sighting({ until: start }));
    const milder = coordinator.setPolicy(policyWith({ revision: '2', top: Action.THROTTLE }), start + 1000);
    expect(changes(milder)).toEqual(['lifted DENY', 'decided THROTTLE']);
    const dry = coordinator.setPolicy(policyWith({ revision: '3', mode: Mode.DRY_RUN }), start + 2000);
    expect(changes(dry)).toEqual(['lifted THROTTLE', 'decided DENY']);
    expect(dry.decisions[1]?.decision.mode).toBe(Mode.DRY_RUN);
    expect(changes(coordinator.setPolicy(policyWith({ revision: '4', mode: Mode.OBSERVE }), start + 3000))).toEqual([
      'lifted DENY',
    ]);
    expect(coordinator.activity().acting + coordinator.activity().wouldAct).toBe(0);
  });

  it('an exemption lifts until a request shows that it has ended', () => {
    const { coordinator, tick } = startStage({ standing });
    const made = tick(start, sighting({ until: start })).decisions[0]?.decision;
    const lifted = coordinator.exempt(PrincipalKind.ADDRESS, made?.pseudonym ?? '', start + 1000);
    expect(changes(lifted)).toEqual(['lifted DENY']);
    expect(changes(tick(start + 2000, sighting({ until: start + 2000, exempt: true })))).toEqual([]);
    expect(changes(tick(start + 3000, sighting({ until: start + 3000 })))).toEqual(['decided DENY']);
  });

  it('weighs a reputation list as much as its feed says', () => {
    const scoreAt = (reputation: number): number => {
      const { coordinator, tick } = startStage({ standing });
      tick(start, sighting({ until: start, surprise: 7, reputation }));
      return coordinator.verdicts()[0]?.score ?? 0;
    };
    expect(scoreAt(0.3)).toBeGreaterThan(scoreAt(0));
    expect(scoreAt(0.3)).toBeLessThan(scoreAt(1));
  });
});

describe('campaigns', () => {
  const traits = [{ trait: 'userAgent' as const, value: '00000000000000aa' }];
  const campaign = (until: number, over: object = {}) =>
    sighting({
      until,
      detector: 'distributedStuffing',
      family: 'network',
      code: Key.trait | (Trait.userAgent << KIND_BITS),
      traits,
      campaign: { precision: 0.95, coverage: 100, addresses: 100, accounts: 100, standing: 0 },
      ...over,
    });

  it('one exempt caller among those that share the traits lifts nothing', () => {
    const { coordinator, tick } = startStage({ standing });
    expect(changes(tick(start, campaign(start)))).toEqual(['decided DENY']);
    tick(start + 1000, campaign(start + 1000, { exempt: true }));
    expect(coordinator.activity().acting).toBe(1);
    expect(coordinator.verdicts()[0]?.enforceable.ok).toBe(true);
  });

  it('denies no traits that many people in good standing have', () => {
    const { coordinator, tick } = startStage({ standing });
    const shared = { precision: 0.95, coverage: 100, addresses: 100, accounts: 100, standing: 500 };
    expect(changes(tick(start, campaign(start, { campaign: shared })))).toEqual([]);
    expect(coordinator.verdicts()[0]?.enforceable.reason).toBe('Bystanders');
  });

  it('covers the addresses that take part in it where safety has no room for them', () => {
    const policy = policyWith({ safety: { maxShareOfPrincipals: 0 } });
    const { coordinator, tick } = startStage({ policy, standing });
    expect(changes(tick(start, campaign(start)))).toEqual(['decided DENY']);
    const one = { until: start + 1000, valueLo: 7, traits };
    expect(changes(tick(start + 1000, sighting(one)))).not.toContain('decided DENY');
    const of = coordinator.verdicts().find((v) => v.kind === PrincipalKind.ADDRESS);
    expect(of?.enforceable.reason).toBe('CoveredByCampaign');
  });
});

describe('bounds', () => {
  it('a restart that lost the rows can still lift what is in force', () => {
    const before = startStage({ standing });
    const made = before.tick(start, sighting({ until: start })).decisions[0]?.decision;
    if (!made) throw new Error('nothing was decided');
    const after = createCoordinator({ policy: policyWith(), values: knownValues, requestIdOf: () => '' });
    after.adopt(made);
    expect(after.actedOn()).toEqual([{ kind: PrincipalKind.ADDRESS, pseudonym: made.pseudonym }]);
    expect(changes(after.retire())).toEqual(['lifted DENY']);
  });

  it('forgets what is over, and never more than that', () => {
    const { coordinator, tick } = startStage({ standing });
    tick(start, sighting({ until: start, surprise: surpriseOf.tag }));
    for (let i = 1; i <= 24; i++) tick(start + i * 10 * minute);
    expect(coordinator.activity().risks).toBe(0);
    expect(coordinator.verdicts().filter((v) => v.level >= Level.LOW)).toEqual([]);
  });
});

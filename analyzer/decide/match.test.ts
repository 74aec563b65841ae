import { create } from '@bufbuild/protobuf';
import {
  CompiledPolicySchema,
  FlowSchema,
  FlowType,
  PrincipalKind,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { describe, expect, it } from 'vitest';
import type { CampaignTrait } from '../verdict.ts';
import { buildMatch, type MatchValues } from './match.ts';
import { knownValues, policyWith } from './testing/stage.ts';

const subject = (kind: PrincipalKind, traits: CampaignTrait[] = [], loginsOnly = false) => ({
  kind,
  pseudonym: '0000000000000001',
  traits,
  loginsOnly,
});
const names = (answer: ReturnType<typeof buildMatch>) => (answer.ok ? answer.match.map((m) => m.predicate.case) : []);

describe('from a principal to what Envoy can match', () => {
  it('an address is one address, an identity its verified value', () => {
    const address = buildMatch(subject(PrincipalKind.ADDRESS), policyWith(), knownValues);
    expect(address.ok && address.match[0]?.predicate.value).toMatchObject({ cidrs: ['192.0.2.1/32'] });
    expect(names(buildMatch(subject(PrincipalKind.USER), policyWith(), knownValues))).toEqual(['entity']);
  });

  it('what has no safe key is said so, and what is only watched too', () => {
    const refusing: MatchValues = {
      ...knownValues,
      keyOf: () => ({ ok: false, reason: 'NoSafeMatchKey', message: 'enforceAs is not set' }),
    };
    expect(buildMatch(subject(PrincipalKind.TOKEN), policyWith(), refusing)).toMatchObject({
      ok: false,
      reason: 'NoSafeMatchKey',
    });
    expect(buildMatch(subject(PrincipalKind.DEVICE), policyWith(), knownValues)).toMatchObject({
      ok: false,
      reason: 'NotMatchable',
    });
  });

  it('a campaign is all of its traits, on logins where the evidence is about logins', () => {
    const policy = create(CompiledPolicySchema, {
      ...policyWith(),
      flows: [create(FlowSchema, { name: 'login', type: FlowType.LOGIN, method: 'POST', path: '/login' })],
    });
    const traits: CampaignTrait[] = [
      { trait: 'userAgent', value: 'aa' },
      // Reported on: accept, accept-language; present: accept.
      { trait: 'headerShape', value: '00030001' },
    ];
    const match = buildMatch(subject(PrincipalKind.CAMPAIGN, traits, true), policy, knownValues);
    expect(names(match)).toEqual(['userAgent', 'presentHeaders', 'absentHeaders', 'operations']);
    expect(names(buildMatch(subject(PrincipalKind.CAMPAIGN, traits, false), policy, knownValues))).toHaveLength(3);
  });

  it('a campaign without a trait that Envoy knows matches nothing, rather than everything', () => {
    for (const traits of [[], [{ trait: 'asn' as const, value: '64500' }]])
      expect(buildMatch(subject(PrincipalKind.CAMPAIGN, traits, true), policyWith(), knownValues).ok).toBe(false);
    const forgetful: MatchValues = { ...knownValues, traitOf: () => undefined };
    const traits: CampaignTrait[] = [{ trait: 'userAgent', value: 'aa' }];
    expect(buildMatch(subject(PrincipalKind.CAMPAIGN, traits), policyWith(), forgetful)).toMatchObject({
      reason: 'ValueForgotten',
    });
  });
});

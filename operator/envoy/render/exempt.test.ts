import { create } from '@bufbuild/protobuf';
import { DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Action, CompiledPolicySchema, Mode, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { layerNames } from '@picket/proto/enforcement-metadata.ts';
import { describe, expect, it } from 'vitest';
import { encodeResource } from '../ecds/resource.ts';
import { renderLayer } from './decisions.ts';

const policy = create(CompiledPolicySchema, {
  api: 'shop/shop',
  apiUid: 'uid',
  hosts: ['shop.example.com'],
  exemptions: [
    {
      name: 'shop/office',
      expiresAtMs: 2000n,
      subjects: [
        { subject: { case: 'cidr', value: '198.51.100.0/24' } },
        { subject: { case: 'principal', value: { kind: PrincipalKind.USER, value: 'auditor' } } },
        { subject: { case: 'cidr', value: 'no prefix' } },
      ],
    },
  ],
});
const apis = new Map([['uid', policy]]);
const decisionOn = (match: object) =>
  create(DecisionSchema, {
    id: 'dec-1',
    api: 'shop/shop',
    apiUid: 'uid',
    mode: Mode.ENFORCE,
    action: Action.DENY,
    kind: PrincipalKind.CAMPAIGN,
    expiresAtMs: 5000n,
    match: [{ predicate: match } as never],
  });
const campaign = decisionOn({ case: 'userAgent', value: 'tool' });
const address = decisionOn({ case: 'addresses', value: { cidrs: ['198.51.100.7/32'] } });
const text = (layer: (typeof layerNames)[number], decision: typeof campaign, now: number): string =>
  JSON.stringify(renderLayer(layer, [decision], apis, now).typedConfig['matcher']);

describe('exempt callers', () => {
  it('are let through before a campaign is matched, by address and by verified identity', () => {
    const matcher = text('picket.decide.hot', campaign, 1000);
    const allowed = matcher.indexOf('"ALLOW"');
    expect(allowed).toBeGreaterThan(0);
    expect(allowed).toBeLessThan(matcher.indexOf('"DENY"'));
    for (const part of ['198.51.100.0', 'auditor']) expect(matcher.indexOf(part)).toBeLessThan(allowed);
  });

  it('are let through before the trie, where a narrower range would win', () => {
    const matcher = text('picket.address', address, 1000);
    expect(matcher.indexOf('"ALLOW"')).toBeLessThan(matcher.indexOf('"DENY"'));
    expect(matcher.indexOf('198.51.100.0')).toBeLessThan(matcher.indexOf('"ALLOW"'));
    // Identities are not known yet in front of authentication.
    expect(matcher).not.toContain('auditor');
  });

  it('are exempt no more once it has ended', () => {
    for (const now of [2000, 3000]) {
      expect(text('picket.decide.hot', campaign, now)).not.toContain('198.51.100.0');
      expect(text('picket.address', address, now)).not.toContain('198.51.100.0');
    }
  });

  it('make resources that can be encoded', () => {
    for (const layer of layerNames)
      expect(encodeResource(renderLayer(layer, [campaign, address], apis, 1000)).hash).toMatch(/^[0-9a-f]{16}$/);
  });
});

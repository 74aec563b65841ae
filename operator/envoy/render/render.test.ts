import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { DecisionSchema, PredicateSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import {
  Action,
  type CompiledPolicy,
  CompiledPolicySchema,
  Level,
  Mode,
  PrincipalKind,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { describe, expect, test } from 'vitest';
import { encodeResource } from '../ecds/resource.ts';
import { byPrecedence, claimsOf, overlaps } from './api-match.ts';
import { renderBootstrap } from './bootstrap.ts';
import { parseCidr } from './cidr.ts';
import { templateRegex } from './decision-match.ts';
import { renderLayer, whyUnprogrammable } from './decisions.ts';
import { matchKeyFormats, renderIdentify } from './identify.ts';
import { layerNames } from '@picket/proto/enforcement-metadata.ts';
import { resourceNames } from './names.ts';
import { renderSnippet } from './snippet.ts';
import { throttleClass, throttleRate } from './throttle.ts';
import { toYaml } from './yaml.ts';

const policies: CompiledPolicy[] = [
  create(CompiledPolicySchema, {
    api: 'shop/payments',
    apiUid: 'uid-payments',
    hosts: ['pay.example.com', '*.pay.example.com'],
    pathPrefix: '/v1',
    principals: [
      {
        kind: PrincipalKind.USER,
        from: {
          case: 'dynamicMetadata',
          value: { namespace: 'envoy.filters.http.jwt_authn', path: 'payload/sub' },
        },
        enforceAs: { case: 'value', value: true },
      },
      {
        kind: PrincipalKind.USER,
        from: { case: 'clientCertificate', value: true },
        enforceAs: { case: 'value', value: true },
      },
      {
        kind: PrincipalKind.APP,
        from: { case: 'header', value: 'x-api-key' },
        enforceAs: { case: 'prefix', value: 8 },
      },
      { kind: PrincipalKind.SESSION, from: { case: 'cookie', value: 'sid' } },
    ],
    flows: [
      {
        name: 'login',
        method: 'POST',
        path: '/v1/login',
        account: { from: { case: 'requestField', value: '/user/name' } },
        success: [{ all: [{ test: { case: 'responseField', value: { pointer: '/ok', equalsJson: 'true' } } }] }],
      },
      { name: 'pay', path: '/v1/orders/{id}/pay', amount: { from: { case: 'requestField', value: '/amount' } } },
      { name: 'search', path: '/v1/search', account: { from: { case: 'header', value: 'x-account' } } },
    ],
  }),
  create(CompiledPolicySchema, { api: 'shop/site', apiUid: 'uid-site', hosts: ['*'], pathPrefix: '' }),
];
const apis = new Map(policies.map((policy) => [policy.apiUid, policy]));

function decide(id: string, fields: MessageInitShape<typeof DecisionSchema>) {
  return create(DecisionSchema, {
    id,
    api: 'shop/payments',
    apiUid: 'uid-payments',
    kind: PrincipalKind.USER,
    pseudonym: '00000000000000aa',
    action: Action.DENY,
    mode: Mode.ENFORCE,
    level: Level.HIGH,
    throttleRequestsPerMinute: 35,
    expiresAtMs: 1n,
    match: [entity(PrincipalKind.USER, '42')],
    ...fields,
  });
}

function entity(kind: PrincipalKind, value: string) {
  return create(PredicateSchema, { predicate: { case: 'entity', value: { kind, value } } });
}

function addresses(...cidrs: string[]) {
  return create(PredicateSchema, { predicate: { case: 'addresses', value: { cidrs } } });
}

const mixed = [
  decide('dec-deny', {}),
  decide('dec-app', { kind: PrincipalKind.APP, match: [entity(PrincipalKind.APP, 'key-1234')] }),
  decide('dec-slow', { action: Action.THROTTLE, match: [entity(PrincipalKind.USER, '43')] }),
  decide('dec-tag', { action: Action.TAG, match: [entity(PrincipalKind.USER, '44')] }),
  decide('dec-dry', { mode: Mode.DRY_RUN, match: [entity(PrincipalKind.USER, '45')] }),
  decide('dec-campaign', {
    kind: PrincipalKind.CAMPAIGN,
    match: [
      create(PredicateSchema, { predicate: { case: 'userAgent', value: 'bot/1.0' } }),
      create(PredicateSchema, { predicate: { case: 'ja4', value: 't13d1516h2' } }),
      create(PredicateSchema, { predicate: { case: 'absentHeaders', value: { names: ['accept-language'] } } }),
      create(PredicateSchema, {
        predicate: { case: 'operations', value: { operations: [{ method: 'GET', template: '/v1/orders/{id}' }] } },
      }),
      addresses('192.0.2.0/24'),
    ],
  }),
];

describe('rendering', () => {
  test('a layer denies in its matcher and classifies in its shadow matcher', async () => {
    const rendered = renderLayer('picket.decide.hot', mixed, apis);
    await expect(toYaml({ ...rendered })).toMatchFileSnapshot('testdata/layer.yaml');
  });

  test('the address layer groups ranges with the same answer and keeps APIs apart', async () => {
    const rendered = renderLayer(
      'picket.address.hot',
      [
        decide('dec-a', { match: [addresses('203.0.113.0/24', '2001:db8::/32')] }),
        decide('dec-b', { api: 'shop/site', apiUid: 'uid-site', match: [addresses('203.0.113.7')] }),
      ],
      apis,
    );
    await expect(toYaml({ ...rendered })).toMatchFileSnapshot('testdata/address.yaml');
  });

  test('the large address layer says the same of all of an API, so that it is built in no time', () => {
    const many = Array.from({ length: 300 }, (_, i) =>
      decide(`dec-${i}`, { match: [addresses(`192.0.2.${i % 250}`)] }),
    );
    const text = JSON.stringify(renderLayer('picket.address', many, apis));
    expect(text.match(/dec-by-address/g)).toHaveLength(1);
    expect(text).not.toContain('dec-7');
    expect(text.match(/addressPrefix/g)).toHaveLength(250);
  });

  test('identity rules differ by API', async () => {
    await expect(toYaml({ ...renderIdentify(policies, { ja4: true }) })).toMatchFileSnapshot('testdata/identify.yaml');
  });

  test('the bootstrap is complete', async () => {
    await expect(toYaml(renderBootstrap(policies, bootstrapOptions))).toMatchFileSnapshot('testdata/bootstrap.yaml');
  });

  test('the snippet is the same in parts, with comments', async () => {
    const snippet = renderSnippet(policies, {
      node: 'envoy-1',
      statPrefix: 'ingress_http',
      fleet: 'shop',
      xds: bootstrapOptions.xds,
      als: bootstrapOptions.als,
      shapeHeaders: ['accept'],
      ja4: true,
    });
    await expect(snippet).toMatchFileSnapshot('testdata/snippet.yaml');
  });

  test('everything pushed can be encoded, and order does not change content', () => {
    for (const layer of layerNames) {
      const forward = encodeResource(renderLayer(layer, mixed, apis));
      const backward = encodeResource(renderLayer(layer, [...mixed].reverse(), apis));
      expect(forward.hash).toBe(backward.hash);
    }
    expect(encodeResource(renderIdentify(policies, { ja4: true })).hash).toMatch(/^[0-9a-f]{16}$/);
  });

  test('a layer without decisions says nothing', () => {
    expect(renderLayer('picket.decide.cold', [], apis).typedConfig).toEqual({
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
    });
  });

  test('an observing decision and one that Envoy cannot carry out are told apart', () => {
    expect(whyUnprogrammable(decide('d', { mode: Mode.OBSERVE }), apis)?.reason).toBe('Observe');
    expect(whyUnprogrammable(decide('d', { apiUid: 'gone' }), apis)?.reason).toBe('UnknownApi');
    expect(whyUnprogrammable(decide('d', { action: Action.CHALLENGE }), apis)?.reason).toBe('UnsupportedAction');
    expect(whyUnprogrammable(decide('d', { match: [] }), apis)?.reason).toBe('BadMatch');
    expect(whyUnprogrammable(decide('d', { match: [addresses('203.0.113.0/33')] }), apis)?.reason).toBe('BadMatch');
    expect(whyUnprogrammable(decide('d', {}), apis)).toBeUndefined();
  });

  test('five pushed filters stay within the six that an Envoy should carry', () => {
    expect(resourceNames.length).toBeLessThanOrEqual(6);
  });
});

describe('match keys', () => {
  test('nothing unverified becomes one', () => {
    const claim = {
      kind: PrincipalKind.USER,
      from: { case: 'jwtClaim', value: { header: 'authorization', claim: 'sub' } },
    };
    const keys = (rule: object) =>
      create(CompiledPolicySchema, { principals: [rule] }).principals.flatMap(matchKeyFormats);
    expect(keys({ ...claim, enforceAs: { case: 'value', value: true } })).toEqual([]);
    expect(
      keys({
        kind: PrincipalKind.USER,
        from: { case: 'header', value: 'x-user' },
        enforceAs: { case: 'value', value: true },
      }),
    ).toEqual([]);
    expect(
      keys({
        kind: PrincipalKind.APP,
        from: { case: 'header', value: 'x-key' },
        enforceAs: { case: 'prefix', value: 6 },
      }),
    ).toEqual(['%REQ(x-key):6%']);
    expect(
      keys({
        kind: PrincipalKind.SESSION,
        from: { case: 'cookie', value: 'sid' },
        enforceAs: { case: 'prefix', value: 6 },
      }),
    ).toEqual([]);
  });
});

describe('places of APIs', () => {
  test('an exact host goes before a wildcard and a longer prefix before a shorter', () => {
    const place = (apiUid: string, host: string, pathPrefix: string) => ({ apiUid, hosts: [host], pathPrefix });
    const sorted = [
      place('any', '*', '/a/very/long/prefix'),
      place('wild', '*.shop.example', ''),
      place('short', 'a.shop.example', ''),
      place('long', 'a.shop.example', '/v1'),
    ].sort(byPrecedence);
    expect(sorted.map((p) => p.apiUid)).toEqual(['long', 'short', 'wild', 'any']);
    expect(overlaps(sorted[0]!, sorted[2]!)).toBe(true);
    expect(overlaps(place('a', 'a.example', '/v1'), place('b', 'a.example', '/v10'))).toBe(false);
    expect(claimsOf(policies).map((c) => c.hosts)).toEqual([['pay.example.com'], ['*.pay.example.com'], ['*']]);
  });
});

describe('templates', () => {
  const matches = (template: string, path: string) =>
    new RegExp(`^${templateRegex(template).replace('(?s)', '')}$`, 's').test(path);
  test.each([
    ['/orders/{id}', '/orders/17', true],
    ['/orders/{id}', '/orders/17/?a=b', true],
    ['/orders/{id}', '/orders/17/lines', false],
    ['/files/**', '/files', true],
    ['/files/**', '/files/a/b?c', true],
    ['/files/**', '/filesystem', false],
    ['/a.b', '/axb', false],
  ])('%s and %s: %s', (template, path, expected) => {
    expect(matches(template, path)).toBe(expected);
  });
});

test('a throttle gets the next lower rate that the limiter knows', () => {
  expect([0, 1, 35, 30, 1e9].map(throttleRate)).toEqual([1, 1, 30, 30, 3000]);
  expect(throttleClass(35)).toBe('throttle-30');
});

test('addresses and prefixes parse, everything else does not', () => {
  expect(parseCidr('203.0.113.7')).toEqual({ addressPrefix: '203.0.113.7', prefixLen: 32 });
  expect(parseCidr('2001:db8::/32')).toEqual({ addressPrefix: '2001:db8::', prefixLen: 32 });
  for (const bad of ['', '1.2.3', '1.2.3.4/33', '1.2.3.4/', 'fe80::1%eth0', '1.2.3.4/-1', '::/129']) {
    expect(parseCidr(bad)).toBeUndefined();
  }
});

const bootstrapOptions = {
  node: 'envoy-1',
  fleet: 'shop',
  admin: { host: '127.0.0.1', port: 9901 },
  upstream: { host: '127.0.0.1', port: 8081 },
  xds: { host: '127.0.0.1', port: 18000 },
  als: { host: '127.0.0.1', port: 18001 },
  listener: {
    address: { host: '127.0.0.1', port: 8080 },
    logName: 'shop',
    trustedHops: 1,
    jwt: { issuer: 'https://issuer.example', jwksFile: '/etc/picket/jwks.json' },
    shapeHeaders: ['accept', 'accept-language'],
    maxFlowBodyBytes: 65_536,
  },
};

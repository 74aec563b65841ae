import type {
  BehaviorPolicy,
  ObjectMeta,
  ProtectedAPI,
  ProtectedAPISpec,
  TrafficSensor,
} from '@picket/crds/gen/types.ts';
import { toJsonString } from '@bufbuild/protobuf';
import { CompiledPolicySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { describe, expect, test } from 'vitest';
import { attachPolicies } from './attachment.ts';
import { createClaims } from './claims.ts';
import { findUngranted } from './grants.ts';
import { parseContract } from './contract.ts';
import { parseDurationMs, parseShare } from './duration.ts';
import { compilePolicy, type PolicyInputs } from './policy.ts';
import { parseReputationList } from './reputation-list.ts';

function meta(name: string, fields: Partial<ObjectMeta> = {}): ObjectMeta {
  return {
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    generation: 1,
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...fields,
  };
}

function api(name: string, spec: Partial<ProtectedAPISpec> = {}, fields: Partial<ObjectMeta> = {}): ProtectedAPI {
  return {
    apiVersion: 'picket.dev/v1alpha1',
    kind: 'ProtectedAPI',
    metadata: meta(name, fields),
    spec: { hosts: ['shop.example'], criticality: 'Normal', ...spec },
  };
}

function policy(name: string, spec: Partial<BehaviorPolicy['spec']>, fields: Partial<ObjectMeta> = {}): BehaviorPolicy {
  return {
    apiVersion: 'picket.dev/v1alpha1',
    kind: 'BehaviorPolicy',
    metadata: meta(name, fields),
    spec: {
      mode: 'Enforce',
      falseAlertBudget: { perDay: 2 },
      responses: [
        { level: 'High', action: 'Throttle', for: '10m', throttle: { requestsPerMinute: 30 } },
        { level: 'Critical', action: 'Deny', for: '15m', maxFor: '12h' },
      ],
      actOn: ['User', 'Campaign'],
      safety: {
        maxShareOfPrincipals: '1%',
        maxShareOfRequests: '0.02',
        minBaseline: '24h',
        maxPrincipalsPerAddress: 5,
      },
      failure: 'Open',
      ...spec,
    },
  };
}

function inputs(fields: Partial<PolicyInputs>): PolicyInputs {
  const subject = fields.api ?? api('payments');
  return {
    api: subject,
    fleet: 'shop',
    hosts: subject.spec.hosts ?? [],
    contract: undefined,
    behavior: undefined,
    exemptions: [],
    reputation: [],
    previous: undefined,
    ...fields,
  };
}

const openApi = `
openapi: 3.1.0
servers: [{ url: "https://{region}.shop.example/{base}", variables: { region: { default: eu }, base: { default: v1 } } }]
paths:
  /orders: { get: {}, post: {} }
  /orders/{id}: { parameters: [], get: { deprecated: true } }
`;

describe('contracts', () => {
  const templates = (text: string, prefix: string) =>
    parseContract(text, prefix, 'spec.contract').operations.map((o) => `${o.method} ${o.template}`);

  test('server paths and their variables are part of every template', () => {
    expect(templates(openApi, '/v1')).toEqual(['GET /v1/orders', 'POST /v1/orders', 'GET /v1/orders/{id}']);
    expect(parseContract(openApi, '/v1', 'c').operations.map((o) => o.deprecated)).toEqual([false, false, true]);
  });

  test('Swagger 2.0 in JSON has its base path', () => {
    expect(templates('{"swagger":"2.0","basePath":"/v1/","paths":{"/pay":{"post":{}},"/":{"get":{}}}}', '/v1')).toEqual(
      ['POST /v1/pay', 'GET /v1'],
    );
  });

  test('without servers the prefix of the API is put in front unless it is there', () => {
    const text = 'openapi: 3.0.3\npaths: { /pay: { post: {} }, /v1/refund: { post: {} } }';
    expect(templates(text, '/v1')).toEqual(['POST /v1/pay', 'POST /v1/refund']);
    expect(templates(text, '')).toEqual(['POST /pay', 'POST /v1/refund']);
  });

  test.each([
    ['a: [1', 'ContractUnreadable'],
    ['just text', 'ContractUnreadable'],
    ['openapi: 3.0.0', 'ContractEmpty'],
    ['openapi: 3.0.0\npaths: {}', 'ContractEmpty'],
    ['swagger: "1.2"\npaths: {}', 'ContractUnreadable'],
    ['openapi: 3.0.0\nservers: [{url: /api}]\npaths: { /a: { get: {} } }', 'TemplateMatchesNothing'],
    [
      `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefgh'.replace(/./g, (c) => `${c}: &${c} [${`*${String.fromCharCode(c.charCodeAt(0) - 1)}, `.repeat(9)}]\n`)}`,
      'ContractUnreadable',
    ],
  ])('%j is reported', (text, reason) => {
    const { operations, problems } = parseContract(text, '/v1', 'spec.contract');
    expect(operations).toEqual([]);
    expect(problems[0]?.reason).toBe(reason);
    expect(problems[0]?.message).toMatch(/^spec\.contract: /);
  });
});

describe('claims on hosts', () => {
  test('the older of two APIs keeps a host and prefix, the other hears who has it', () => {
    const older = api('old', {}, { creationTimestamp: '2025-01-01T00:00:00Z' });
    const newer = api('new', { hosts: ['shop.example', 'new.example'] });
    const elsewhere = api('else', { pathPrefix: '/else' });
    const claims = createClaims();
    const affected = [newer, older, elsewhere].map((a) => claims.set(a, a.spec.hosts ?? []));
    expect(affected).toEqual([[], ['shop/new'], []]);
    expect(claims.settle('shop/old')).toEqual({ hosts: ['shop.example'], lost: [] });
    expect(claims.settle('shop/new')).toEqual({
      hosts: ['new.example'],
      lost: [{ host: 'shop.example', winner: 'shop/old' }],
    });
    expect(claims.settle('shop/else').lost).toEqual([]);
    expect(claims.remove('shop/old')).toEqual(['shop/new']);
    expect(claims.settle('shop/new').lost).toEqual([]);
    expect(claims.settle('shop/old')).toEqual({ hosts: [], lost: [] });
  });
});

describe('grants', () => {
  const sensor = (spec: Partial<TrafficSensor['spec']>): TrafficSensor => ({
    apiVersion: 'picket.dev/v1alpha1',
    kind: 'TrafficSensor',
    metadata: meta('edge', { namespace: 'infra' }),
    spec: { envoy: { provider: 'XDS' }, ...spec },
  });
  const asked = api('payments', { hosts: ['pay.example.com'] });
  const why = (...sensors: TrafficSensor[]) => findUngranted(asked, asked.spec.hosts ?? [], sensors);

  test('without sensors everybody may; with them only whom one grants', () => {
    expect(why()).toBeUndefined();
    expect(why(sensor({}))).toMatch(/namespace: no TrafficSensor grants namespace shop .* infra\/edge/);
    expect(why(sensor({ namespaces: ['shop'] }))).toBeUndefined();
    expect(why(sensor({ namespaces: ['*'], hostnames: ['*.example.com'] }))).toBeUndefined();
    expect(why(sensor({ namespaces: ['*'], hostnames: ['example.com', '*.example.org'] }))).toMatch(
      /the host pay.example.com/,
    );
    expect(
      why(sensor({ namespaces: ['shop'], hostnames: ['other.example'] }), sensor({ namespaces: ['*'] })),
    ).toBeUndefined();
  });
});

describe('attachment', () => {
  const subject = api('payments', {}, { labels: { tier: 'gold' } });
  const byName = policy('by-name', { targetRefs: [{ kind: 'ProtectedAPI', name: 'payments', group: 'picket.dev' }] });
  const selected = policy(
    'all',
    { targetSelector: { matchLabels: {} } },
    { creationTimestamp: '2020-01-01T00:00:00Z' },
  );
  const gold = policy('gold', { targetSelector: { matchLabels: { tier: 'gold' } } });

  test('naming beats selecting, then age decides, and losers hear who won', () => {
    const all = attachPolicies(subject, [gold, selected, byName]);
    expect(all.winner?.policy).toBe(byName);
    expect(all.losers.map((l) => l.policy.metadata.name)).toEqual(['all', 'gold']);
    expect(all.losers[0]?.because).toContain('shop/by-name');
    expect(attachPolicies(subject, [gold, selected]).winner?.policy).toBe(selected);
  });

  test('another namespace and other labels do not count', () => {
    const foreign = policy('foreign', { targetSelector: { matchLabels: {} } }, { namespace: 'bank' });
    const silver = policy('silver', { targetSelector: { matchLabels: { tier: 'silver' } } });
    expect(attachPolicies(subject, [foreign, silver]).winner).toBeUndefined();
  });
});

describe('compiled policy', () => {
  const full = api('payments', {
    pathPrefix: '/v1',
    criticality: 'High',
    identity: {
      principals: [
        {
          kind: 'User',
          from: { dynamicMetadata: { namespace: 'envoy.filters.http.jwt_authn', path: 'payload/sub' } },
          enforceAs: { value: true },
        },
        { kind: 'User', from: { cookie: { name: 'sid' } } },
        { kind: 'App', from: { header: { name: 'X-Api-Key' } }, enforceAs: { prefix: 8 } },
      ],
    },
    flows: [
      {
        name: 'login',
        type: 'Login',
        match: { method: 'POST', path: '/v1/login' },
        account: { requestField: '/username' },
        success: {
          anyOf: [{ status: [204] }, { all: [{ status: [200] }, { responseField: { pointer: '/ok', equals: true } }] }],
        },
      },
    ],
    objects: [{ match: { path: '/v1/accounts/{id}/**' }, variable: 'id', kind: 'Account' }],
    data: { classes: ['PCI'] },
  });

  test('everything an analyzer needs is there', async () => {
    const { policy: compiled, problems } = compilePolicy(
      inputs({
        api: full,
        behavior: policy('strict', {
          detectors: { objectEnumeration: { enabled: true, sensitivity: 'High', maxForeignObjects: 10 } },
        }),
      }),
    );
    expect(problems).toEqual([]);
    const json = toJsonString(CompiledPolicySchema, compiled, { prettySpaces: 2 });
    await expect(`${json}\n`).toMatchFileSnapshot('testdata/payments.json');
  });

  test('the revision follows content and nothing else', () => {
    const revision = (fields: Partial<PolicyInputs>) => compilePolicy(inputs({ api: full, ...fields })).policy.revision;
    expect(revision({})).toBe(revision({}));
    expect(revision({})).not.toBe(revision({ behavior: policy('p', {}) }));
    expect(revision({ behavior: policy('p', {}) })).not.toBe(revision({ behavior: policy('p', { mode: 'DryRun' }) }));
  });

  test('without a policy an API is observed', () => {
    expect(compilePolicy(inputs({})).policy.behavior).toMatchObject({ policy: '', mode: 1 });
  });

  test('a contract that cannot be read leaves the operations of the last good one', () => {
    const previous = compilePolicy(inputs({ api: full, contract: { text: openApi, field: 'spec.contract' } })).policy;
    expect(previous.operations.length).toBe(3);
    const broken = compilePolicy(inputs({ api: full, contract: { text: '[', field: 'spec.contract' }, previous }));
    expect(broken.policy.operations).toEqual(previous.operations);
    expect(broken.problems[0]?.reason).toBe('ContractUnreadable');
  });

  test('paths that match nothing are named with their field', () => {
    const { problems } = compilePolicy(
      inputs({
        api: api('payments', {
          pathPrefix: '/v1',
          flows: [{ name: 'pay', type: 'Payment', match: { path: '/pay' } }],
          objects: [{ match: { path: '/v1/users/{id}' }, variable: 'id', kind: 'User' }],
        }),
        contract: { text: openApi, field: 'spec.contract' },
      }),
    );
    expect(problems.map((p) => p.message.split(':')[0])).toEqual([
      'spec.flows[0].match.path',
      'spec.objects[0].match.path',
    ]);
  });

  test('a match key that nothing verifies is refused with the fix', () => {
    const { problems } = compilePolicy(
      inputs({
        api: api('payments', {
          identity: {
            principals: [
              {
                kind: 'User',
                from: { jwtClaim: { claim: 'sub', header: 'authorization' } },
                enforceAs: { value: true },
              },
            ],
          },
        }),
      }),
    );
    expect(problems[0]).toMatchObject({ reason: 'NoSafeMatchKey' });
  });
});

describe('reputation lists', () => {
  test('each format is read and foreign entries are counted', () => {
    const lists = [
      parseReputationList('# c\n192.0.2.1\n\n2001:db8::/32\nnonsense\n', 'Plain', 'Address'),
      parseReputationList('ip,why\n192.0.2.1,spam\n"2001:db8::/32",x\n', 'CSV', 'Address'),
      parseReputationList('192.0.2.1 # spam\n2001:db8::/32;x\nzzz', 'Netset', 'Address'),
      parseReputationList('["192.0.2.1", {"cidr": "2001:db8::/32"}, 7]', 'JSON', 'Address'),
    ];
    for (const list of lists) {
      expect(list).toMatchObject({ cidrs: ['192.0.2.1', '2001:db8::/32'], entries: 2, skipped: 1 });
    }
    expect(parseReputationList('AS64500\n64501', 'Plain', 'ASN')).toMatchObject({ asns: [64500, 64501] });
    expect(parseReputationList('Mozilla/5.0 (a; b)', 'Plain', 'UserAgent')).toMatchObject({
      userAgents: ['Mozilla/5.0 (a; b)'],
    });
  });

  test('what cannot be used says so', () => {
    expect(parseReputationList('x', 'STIX', 'Address')).toContain('spec.format');
    expect(parseReputationList('{}', 'JSON', 'Address')).toContain('array');
    expect(parseReputationList('hello\nworld', 'Plain', 'Address')).toContain('spec.kind');
  });
});

test('durations and shares', () => {
  expect(['1h30m', '250ms', '15m', '1d', ''].map(parseDurationMs)).toEqual([
    5_400_000,
    250,
    900_000,
    undefined,
    undefined,
  ]);
  expect(['1%', '0.02', '200%', 'x'].map(parseShare)).toEqual([0.01, 0.02, undefined, undefined]);
});

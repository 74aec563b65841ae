import { type MessageInitShape, create } from '@bufbuild/protobuf';
import { flowMetadataKey, FLOW_METADATA_NAMESPACE } from '@picket/proto/flow-metadata.ts';
import { CompiledPolicySchema, FlowType, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createLedger } from '@picket/runtime/ledger.ts';
import { describe, expect, test } from 'vitest';
import { type AccessRecord, createAccessRecord } from '../ingest/access-record.ts';
import { F, Flag, ObservationBatch, Outcome, Signal, STRIDE } from '../observation.ts';
import { createOperationRegistry } from '../operations/registry.ts';
import { createEscrow, type EscrowRetention } from './escrow.ts';
import { createIdentifier } from './identifier.ts';
import { createKeyRing, rotateKeyRing } from './key-ring.ts';
import type { Renaming } from '../profile/aliases.ts';

type PolicyInit = MessageInitShape<typeof CompiledPolicySchema>;

let counter = 0;
const random = (n: number): Uint8Array => new Uint8Array(n).map(() => (counter = (counter * 1103515245 + 12345) & 255));

function setUp(policies: PolicyInit[], retain: EscrowRetention = 'enforceable') {
  const ring = createKeyRing(random, 0);
  const renamings: Renaming[] = [];
  const ledger = createLedger();
  const escrow = createEscrow({ retain, capacityPerKind: 4096 });
  const operations = createOperationRegistry();
  const identifier = createIdentifier({
    keys: ring,
    operations,
    escrow,
    ledger,
    onRename: (renaming) => renamings.push(renaming),
  });
  identifier.setPolicies(policies.map((p) => create(CompiledPolicySchema, p)));
  const batch = new ObservationBatch();
  const seen = (over: Partial<AccessRecord>, headers: Record<string, string> = {}, at = 1000) => {
    const result = identifier.identify(record(over, headers), batch, at, 0);
    return result === undefined ? read(batch) : result;
  };
  return { ring, renamings, ledger, escrow, operations, identifier, batch, seen };
}

function record(over: Partial<AccessRecord>, headers: Record<string, string> = {}): AccessRecord {
  const r = createAccessRecord('als', 'envoy-1');
  Object.assign(r, {
    method: 'GET',
    authority: 'shop.example.com',
    path: '/',
    status: 200,
    remoteAddress: '192.0.2.7',
  });
  Object.assign(r, over);
  for (const [name, value] of Object.entries(headers)) r.requestHeaders.set(name, value);
  return r;
}

interface Seen {
  hash(field: number): string;
  number(field: number): number;
  has(flag: number): boolean;
  word(field: number): number;
}

function read(batch: ObservationBatch): Seen {
  const base = (batch.length - 1) * STRIDE;
  const u32 = batch.u32.slice(base, base + STRIDE);
  const f64 = batch.f64.slice(base >> 1, (base + STRIDE) >> 1);
  return {
    hash: (field) => (u32[field] === 0 && u32[field + 1] === 0 ? '' : `${u32[field + 1]}:${u32[field]}`),
    number: (field) => f64[field >> 1] as number,
    has: (flag) => ((u32[F.flags] as number) & flag) !== 0,
    word: (field) => u32[field] as number,
  };
}

function asSeen(result: Seen | string): Seen {
  if (typeof result === 'string') throw new Error(`dropped: ${result}`);
  return result;
}

const jwtRule = {
  kind: PrincipalKind.USER,
  from: { case: 'jwtClaim' as const, value: { header: 'Authorization', claim: 'sub' } },
  enforceAs: { case: 'value' as const, value: true },
};
const verifiedRule = {
  kind: PrincipalKind.USER,
  from: {
    case: 'dynamicMetadata' as const,
    value: { namespace: 'envoy.filters.http.jwt_authn', path: 'payload/sub' },
  },
  enforceAs: { case: 'value' as const, value: true },
};
const tokenRule = { kind: PrincipalKind.TOKEN, from: { case: 'header' as const, value: 'authorization' } };
const appRule = {
  kind: PrincipalKind.APP,
  from: { case: 'header' as const, value: 'X-Api-Key' },
  enforceAs: { case: 'prefix' as const, value: 6 },
};
const sessionRule = { kind: PrincipalKind.SESSION, from: { case: 'cookie' as const, value: 'sid' } };
const shop: PolicyInit = { api: 'shop/shop', hosts: ['shop.example.com'] };
const jwt = (claims: object): string => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;
const verified =
  (sub: string): AccessRecord['metadata'] =>
  (namespace, path) =>
    namespace === 'envoy.filters.http.jwt_authn' && path === 'payload/sub' ? sub : undefined;

describe('which API', () => {
  test('exact host before pattern, longest prefix on segment borders, port and case ignored', () => {
    const { seen } = setUp([
      { api: 'a/any', hosts: ['*'] },
      { api: 'a/wild', hosts: ['*.example.com'] },
      { api: 'a/shop', hosts: ['shop.example.com'] },
      { api: 'a/pay', hosts: ['shop.example.com'], pathPrefix: '/pay' },
      { api: 'a/late', hosts: ['shop.example.com'], pathPrefix: '/pay' },
    ]);
    const api = (authority: string, path: string): string => asSeen(seen({ authority, path })).hash(F.api);
    const pay = api('shop.example.com', '/pay/1?x=1');
    const shopApi = api('shop.example.com', '/payments');
    expect(new Set([pay, shopApi, api('b.example.com', '/pay'), api('other.org', '/')]).size).toBe(4);
    expect(api('SHOP.Example.COM:8443', '/pay')).toBe(pay);
    expect(api('shop.example.com.', '/')).toBe(shopApi);
    expect(api('a.b.example.com', '/')).toBe(api('b.example.com', '/'));
    expect(api('bücher.example.org', '/')).toBe(api('other.org', '/'));
  });

  test('a host nobody claims is a counted drop', () => {
    const { seen, ledger } = setUp([{ ...shop, pathPrefix: '/v1' }]);
    expect(seen({ authority: 'evil.example' })).toBe('no_api');
    expect(seen({ path: '/v10' })).toBe('no_api');
    expect(seen({ finished: false })).toBe('unfinished');
    expect(seen({ authority: '', path: '', method: '' })).toBe('missing_properties');
    expect(ledger.snapshot().dropped).toBe(4);
  });
});

describe('principals', () => {
  test('a user is verified only by Envoy, and only then a match key', () => {
    const { seen, identifier } = setUp([{ ...shop, principals: [verifiedRule, jwtRule] }]);
    const claimed = asSeen(seen({}, { authorization: `Bearer ${jwt({ sub: 'victim' })}` }));
    expect(claimed.hash(F.user)).not.toBe('');
    expect(claimed.has(Flag.userVerified)).toBe(false);
    const key = () =>
      identifier.matchKey('shop/shop', PrincipalKind.USER, claimed.word(F.user), claimed.word(F.user + 1));
    expect(key()).toMatchObject({ ok: false, reason: 'Unverified' });
    const vouched = asSeen(seen({ metadata: verified('victim') }));
    expect(vouched.hash(F.user)).toBe(claimed.hash(F.user));
    expect(vouched.has(Flag.userVerified)).toBe(true);
    expect(key()).toEqual({ ok: true, value: 'victim', as: 'value' });
  });

  test('an unknown metadata filter does not vouch', () => {
    const { seen } = setUp([
      {
        ...shop,
        principals: [{ ...verifiedRule, from: { case: 'dynamicMetadata', value: { namespace: 'my.lua', path: 'u' } } }],
      },
    ]);
    expect(asSeen(seen({ metadata: () => 'bob' })).has(Flag.userVerified)).toBe(false);
  });

  test('credentials prove themselves by being accepted; secrets are not kept', () => {
    const { seen, identifier } = setUp([{ ...shop, principals: [tokenRule, appRule, sessionRule] }]);
    const headers = { authorization: 'Bearer s3cret', 'x-api-key': 'pk_123456789', cookie: 'a=b; sid="abc"; xsid=no' };
    const ok = asSeen(seen({}, headers));
    expect([Flag.tokenVerified, Flag.appVerified, Flag.sessionVerified].map(ok.has)).toEqual([true, true, true]);
    const refused = asSeen(seen({ status: 401 }, headers));
    expect([Flag.tokenVerified, Flag.appVerified, Flag.sessionVerified].map(refused.has)).toEqual([
      false,
      false,
      false,
    ]);
    expect(refused.hash(F.token)).toBe(ok.hash(F.token));
    expect(identifier.matchKey('shop/shop', PrincipalKind.APP, ok.word(F.app), ok.word(F.app + 1))).toEqual({
      ok: true,
      value: 'pk_123',
      as: 'prefix',
    });
    expect(identifier.matchKey('shop/shop', PrincipalKind.TOKEN, ok.word(F.token), ok.word(F.token + 1))).toMatchObject(
      {
        ok: false,
        reason: 'NoSafeMatchKey',
      },
    );
    expect(asSeen(seen({}, { cookie: 'sid=abc' })).hash(F.session)).toBe(ok.hash(F.session));
  });

  test('a client certificate is vouched for by the handshake, and may become a match key', () => {
    const from = { case: 'clientCertificate' as const, value: true };
    const rule = { kind: PrincipalKind.APP, from, enforceAs: { case: 'value' as const, value: true } };
    const { seen, identifier } = setUp([{ ...shop, principals: [rule] }]);
    const partner = asSeen(seen({ peerCertificate: 'spiffe://mesh/partner', status: 401 }));
    expect(partner.has(Flag.appVerified)).toBe(true);
    expect(
      identifier.matchKey('shop/shop', PrincipalKind.APP, partner.word(F.app), partner.word(F.app + 1)),
    ).toMatchObject({ ok: true, value: 'spiffe://mesh/partner' });
    expect(asSeen(seen({})).hash(F.app)).toBe('');
  });

  test('first rule of a kind wins', () => {
    const { seen } = setUp([{ ...shop, principals: [verifiedRule, jwtRule] }]);
    const both = asSeen(seen({ metadata: verified('anna') }, { authorization: jwt({ sub: 'bob' }) }));
    expect(both.hash(F.user)).toBe(asSeen(seen({ metadata: verified('anna') })).hash(F.user));
  });

  test('tokens that are no tokens yield no user', () => {
    const { seen } = setUp([{ ...shop, principals: [jwtRule] }]);
    for (const authorization of [
      '',
      'Bearer',
      '...',
      'a.b.c',
      'a..c',
      `a.${'A'.repeat(100_000)}.c`,
      `a.${Buffer.from('[1]').toString('base64url')}.c`,
      `a.${Buffer.from('{"sub":{"x":1}}').toString('base64url')}.c`,
      `a.${Buffer.from('null').toString('base64url')}.c`,
      `a.${Buffer.from([0xff, 0xfe, 0x00]).toString('base64url')}.c`,
    ]) {
      expect(asSeen(seen({}, { authorization })).hash(F.user)).toBe('');
    }
    expect(asSeen(seen({}, { authorization: jwt({ sub: 7 }) })).hash(F.user)).not.toBe('');
  });

  test('addresses: mapped IPv4 is IPv4, IPv6 counts by /64, networks by /24 and /48', () => {
    const { seen, escrow } = setUp([shop]);
    const at = (remoteAddress: string): Seen => asSeen(seen({ remoteAddress }));
    expect(at('::ffff:192.0.2.7').hash(F.address)).toBe(at('192.0.2.7').hash(F.address));
    expect(at('2001:db8:1:2::5').hash(F.address)).toBe(at('2001:DB8:1:2:ffff::9').hash(F.address));
    expect(at('2001:db8:1:3::5').hash(F.address)).not.toBe(at('2001:db8:1:2::5').hash(F.address));
    expect(at('2001:db8:1:3::5').hash(F.network)).toBe(at('2001:db8:1:2::5').hash(F.network));
    expect(at('192.0.2.200').hash(F.network)).toBe(at('192.0.2.7').hash(F.network));
    const seenAt = at('2001:db8:1:2::5');
    expect(escrow.reveal(6, seenAt.word(F.address), seenAt.word(F.address + 1))?.value).toBe('2001:db8:1:2::/64');
    expect(escrow.reveal(7, seenAt.word(F.network), seenAt.word(F.network + 1))?.value).toBe('2001:db8:1::/48');
    expect(at('client.isp.example').hash(F.network)).toBe('');
    expect(at('client.isp.example').hash(F.address)).not.toBe('');
    expect(at('').hash(F.address)).toBe('');
  });

  test('device follows fingerprint and user agent', () => {
    const { seen } = setUp([shop]);
    const a = asSeen(seen({ userAgent: 'Firefox', ja4: 'j1' }));
    expect(asSeen(seen({ userAgent: 'Firefox', ja4: 'j2' })).hash(F.device)).not.toBe(a.hash(F.device));
    expect(asSeen(seen({ userAgent: 'Chrome', ja4: 'j1' })).hash(F.device)).not.toBe(a.hash(F.device));
    expect(asSeen(seen({})).hash(F.device)).toBe('');
  });
});

describe('flows', () => {
  const login = {
    name: 'login',
    type: FlowType.LOGIN,
    method: 'POST',
    path: '/login',
    account: { from: { case: 'requestField' as const, value: '/user/name' } },
  };
  const fact =
    (key: string, value: string | boolean): AccessRecord['metadata'] =>
    (namespace, path) =>
      namespace === FLOW_METADATA_NAMESPACE && path === key ? value : undefined;

  test('account from metadata, folded; success by response field', () => {
    const declared = {
      ...login,
      success: [
        {
          all: [
            { test: { case: 'status' as const, value: { codes: [200] } } },
            { test: { case: 'responseField' as const, value: { pointer: '/ok', equalsJson: 'true' } } },
          ],
        },
      ],
    };
    const { seen } = setUp([{ ...shop, flows: [declared] }]);
    const accountKey = flowMetadataKey('login', 'request', '/user/name');
    const okKey = flowMetadataKey('login', 'response', '/ok');
    const attempt = (name: string, ok: boolean | undefined, status = 200): Seen =>
      asSeen(
        seen({
          method: 'POST',
          path: '/login',
          status,
          metadata: (_, path) => (path === accountKey ? name : path === okKey ? ok : undefined),
        }),
      );
    const outcome = (s: Seen): number => (s.word(F.kinds) >>> 16) & 255;
    expect(attempt(' Anna@Example.com', true).hash(F.account)).toBe(attempt('anna@example.com', false).hash(F.account));
    expect(outcome(attempt('a', true))).toBe(Outcome.success);
    expect(outcome(attempt('a', false))).toBe(Outcome.failure);
    expect(outcome(attempt('a', undefined))).toBe(Outcome.unknown);
    expect(outcome(attempt('a', undefined, 401))).toBe(Outcome.failure);
    expect((attempt('a', true).word(F.kinds) >>> 8) & 255).toBe(FlowType.LOGIN);
    expect(attempt('a', true).has(Flag.outcomeLearned)).toBe(false);
  });

  test('amount and account from the query; a login path is never unknown', () => {
    const { seen } = setUp([
      {
        ...shop,
        flows: [
          {
            name: 'pay',
            type: FlowType.PAYMENT,
            method: 'POST',
            path: '/pay/{id}',
            amount: { from: { case: 'query', value: 'amount' } },
            counterparty: { from: { case: 'header', value: 'X-To' } },
          },
        ],
      },
    ]);
    const paid = asSeen(seen({ method: 'POST', path: '/pay/7?xamount=1&amount=12.5', status: 401 }, { 'x-to': 'bob' }));
    expect(paid.number(F.amount)).toBe(12.5);
    expect(paid.hash(F.counterparty)).not.toBe('');
    expect(paid.has(Flag.unknownOperation)).toBe(false);
    expect(asSeen(seen({ method: 'POST', path: '/pay/7?amount=%zz' })).number(F.amount)).toBeNaN();
  });

  test('a successful login tells the session and the token that its answer sets', () => {
    const cookieToken = {
      kind: PrincipalKind.TOKEN,
      from: { case: 'cookie' as const, value: 'access' },
    };
    const { seen } = setUp([{ ...shop, flows: [login], principals: [sessionRule, cookieToken] }]);
    const signIn = (status: number) =>
      asSeen(
        seen({
          method: 'POST',
          path: '/login',
          status,
          metadata: fact(flowMetadataKey('login', 'request', '/user/name'), 'anna'),
          responseHeaders: new Map([
            ['set-cookie', 'theme=x; Path=/, sid=new; HttpOnly, access=secret-token-of-anna'],
            ['location', '/home'],
          ]),
        }),
      );
    const failed = signIn(401);
    expect([failed.hash(F.session), failed.hash(F.token), failed.has(Flag.tokenIssued)]).toEqual(['', '', false]);
    const ok = signIn(302);
    expect(ok.has(Flag.tokenIssued)).toBe(true);
    const used = asSeen(seen({}, { cookie: 'sid=new; access=secret-token-of-anna' }));
    expect([ok.hash(F.session), ok.hash(F.token)]).toEqual([used.hash(F.session), used.hash(F.token)]);
    expect(used.has(Flag.tokenIssued)).toBe(false);
  });

  test('what Picket refused has no outcome', () => {
    const { seen } = setUp([{ ...shop, flows: [login] }]);
    const s = asSeen(
      seen({
        method: 'POST',
        path: '/login',
        status: 403,
        responseCodeDetails: 'rbac_access_denied_matched_policy[dec-8431]',
      }),
    );
    expect(s.has(Flag.refusedByPicket)).toBe(true);
    expect((s.word(F.kinds) >>> 16) & 255).toBe(Outcome.unknown);
  });
});

describe('objects', () => {
  test('declared rules name the object and its distance to the one before, per principal', () => {
    const { seen } = setUp([
      { ...shop, objects: [{ path: '/accounts/{accountId}/**', variable: 'accountId', kind: 'Account' }] },
    ]);
    const first = asSeen(seen({ path: '/accounts/100' }));
    expect(first.number(F.objectDelta)).toBeNaN();
    expect(first.has(Flag.objectInferred)).toBe(false);
    const next = asSeen(seen({ path: '/accounts/103/cards/9' }));
    expect(next.hash(F.object)).not.toBe(first.hash(F.object));
    expect(asSeen(seen({ path: '/accounts/100/cards' })).hash(F.object)).toBe(first.hash(F.object));
    expect(asSeen(seen({ path: '/accounts/99', remoteAddress: '198.51.100.1' })).number(F.objectDelta)).toBeNaN();
  });

  test('an identifier in a learned template is an inferred object', () => {
    const { seen } = setUp([shop]);
    const one = asSeen(seen({ path: '/orders/1001' }));
    const two = asSeen(seen({ path: '/orders/1002/items' }));
    expect(one.has(Flag.objectInferred)).toBe(true);
    expect(two.number(F.objectDelta)).toBe(1);
    expect(asSeen(seen({ path: '/orders/1001/items' })).hash(F.object)).toBe(one.hash(F.object));
    expect(asSeen(seen({ path: '/about' })).hash(F.object)).toBe('');
  });
});

describe('standing', () => {
  test('exemptions by address, principal and workload end with event time', () => {
    const { seen } = setUp([
      {
        ...shop,
        principals: [verifiedRule, jwtRule],
        exemptions: [
          {
            name: 'a/a',
            expiresAtMs: 5000n,
            subjects: [
              { subject: { case: 'cidr', value: '198.51.100.0/24' } },
              { subject: { case: 'principal', value: { kind: PrincipalKind.USER, value: 'robot' } } },
              { subject: { case: 'workload', value: 'spiffe://x/y' } },
            ],
          },
        ],
      },
    ]);
    const exempt = (over: Partial<AccessRecord>, headers = {}, at = 1000): boolean =>
      asSeen(seen(over, headers, at)).has(Flag.exempt);
    expect(exempt({ remoteAddress: '198.51.100.9' })).toBe(true);
    expect(exempt({ remoteAddress: '::ffff:198.51.100.9' })).toBe(true);
    expect(exempt({ remoteAddress: '198.51.100.9' }, {}, 5000)).toBe(false);
    expect(exempt({ remoteAddress: '198.51.101.9' })).toBe(false);
    expect(exempt({ metadata: verified('robot') })).toBe(true);
    expect(exempt({}, { authorization: jwt({ sub: 'robot' }) })).toBe(false);
    expect(exempt({ peerCertificate: 'spiffe://x/y' })).toBe(true);
  });

  test('reputation marks and weighs', () => {
    const { seen, identifier } = setUp([
      {
        ...shop,
        reputation: [
          { feed: 'a/r', weight: 0.4, cidrs: ['2001:db8::/32', 'nonsense'], userAgents: ['BadBot/1.0'] },
          { feed: 'a/s', weight: 0.9, cidrs: ['192.0.2.7'] },
        ],
      },
    ]);
    const listed = asSeen(seen({}));
    expect(listed.has(Flag.listed)).toBe(true);
    expect(identifier.reputationOf('shop/shop', 6, listed.word(F.address), listed.word(F.address + 1))).toBe(0.9);
    expect(asSeen(seen({ remoteAddress: '2001:db8::1' })).has(Flag.listed)).toBe(true);
    expect(asSeen(seen({ remoteAddress: '192.0.2.8' })).has(Flag.listed)).toBe(false);
    expect(asSeen(seen({ remoteAddress: '192.0.2.8', userAgent: 'badbot/1.0' })).has(Flag.listed)).toBe(true);
  });
});

describe('key rotation', () => {
  test('both pseudonyms are known during the overlap, one renaming per value, none after', () => {
    const { seen, ring, identifier, renamings } = setUp([{ ...shop, principals: [verifiedRule] }]);
    const before = asSeen(seen({ metadata: verified('anna'), path: '/orders/1' }));
    identifier.setKeyRing(rotateKeyRing(ring, random, 0, 10_000));
    const after = asSeen(seen({ metadata: verified('anna'), path: '/orders/1' }));
    asSeen(seen({ metadata: verified('anna'), path: '/orders/1' }));
    expect(after.hash(F.user)).not.toBe(before.hash(F.user));
    expect(after.hash(F.object)).toBe(before.hash(F.object));
    expect(after.hash(F.path)).toBe(before.hash(F.path));
    const told = renamings.map((m) => [`${m.from.hi}:${m.from.lo}`, `${m.to.hi}:${m.to.lo}`]);
    expect(told).toEqual([F.address, F.network, F.user].map((field) => [before.hash(field), after.hash(field)]));
    const count = renamings.length;
    asSeen(seen({ metadata: verified('bob'), remoteAddress: '203.0.113.9' }, {}, 10_000));
    expect(renamings.length).toBe(count);
  });
});

describe('bad input', () => {
  test('absurd records give an observation or a counted drop, never a throw', () => {
    const { seen, batch } = setUp([
      { api: 'a/any', hosts: ['*'], principals: [jwtRule, tokenRule, sessionRule, appRule] },
    ]);
    const odd = [
      '',
      '\ufffd\ufffd',
      '\u0000',
      '💥'.repeat(500),
      'a'.repeat(70_000),
      '%'.repeat(300),
      '../'.repeat(100),
    ];
    for (const text of odd) {
      for (const path of [text, `/${text}`, `//${text}`, `/a/${text}/../b`, `http://x/${text}`]) {
        asSeen(
          seen(
            { path, authority: text || 'x', method: text.slice(0, 9), userAgent: text, remoteAddress: text, ja4: text },
            { authorization: text, cookie: `sid=${text}`, 'x-api-key': text },
          ),
        );
      }
    }
    expect(batch.length).toBe(odd.length * 5);
  });

  test('a header bomb changes neither shape reading nor memory of names', () => {
    const { seen } = setUp([shop]);
    const bomb = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`x-${i}`, 'y']));
    const s = asSeen(seen({}, { ...bomb, accept: '*/*' }));
    expect(s.word(F.headerShape) & 0xffff).toBe(1);
  });

  test('proxying attempts and CONNECT are signals, the own host in absolute form is none', () => {
    const { seen } = setUp([{ api: 'a/any', hosts: ['*'] }]);
    const proxied = (over: Partial<AccessRecord>): boolean =>
      (asSeen(seen(over)).word(F.signals) & Signal.openProxy) !== 0;
    expect(proxied({ path: 'http://www.other.example/ip.php' })).toBe(true);
    expect(proxied({ method: 'CONNECT', path: 'foo.com:25' })).toBe(true);
    expect(proxied({ path: 'https://shop.example.com:443/index.html' })).toBe(false);
  });

  test('60,000 one-hit addresses leave a bounded escrow behind', () => {
    const { identifier, batch, escrow } = setUp([shop]);
    const r = record({});
    for (let i = 0; i < 60_000; i++) {
      r.remoteAddress = `${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.9`;
      identifier.identify(r, batch, i, 0);
      if (batch.length === 1024) batch.clear();
    }
    // Two generations of addresses and of networks.
    expect(escrow.size()).toBeLessThanOrEqual(4 * 4096);
  });
});

describe('a target that came before', () => {
  const shop: PolicyInit = {
    api: 'shop/shop',
    hosts: ['*'],
    flows: [{ name: 'login', type: FlowType.LOGIN, method: 'POST', path: '/login' }],
  };
  const orders = [{ method: 'GET', path: '/orders/{id}', variable: 'id', kind: 'Order' }];

  test('is what it was, by method', () => {
    const { seen } = setUp([{ ...shop, objects: orders }]);
    const flowOf = (method: string): number => (asSeen(seen({ path: '/login', method })).word(F.kinds) >>> 8) & 255;
    expect(['POST', 'GET', 'POST'].map(flowOf)).toEqual([FlowType.LOGIN, 0, FlowType.LOGIN]);
    const [first, second] = [1, 2].map(() => asSeen(seen({ path: '/orders/17' })).hash(F.object));
    expect(first).not.toBe('');
    expect(second).toBe(first);
    expect(asSeen(seen({ path: '/orders/17', method: 'DELETE' })).hash(F.object)).not.toBe(first);
  });

  test('is what the policy of now says', () => {
    const { seen, identifier } = setUp([shop]);
    const byOperation = [1, 2].map(() => asSeen(seen({ path: '/orders/17' })));
    expect(byOperation.map((o) => o.has(Flag.objectInferred))).toEqual([true, true]);
    identifier.setPolicies([create(CompiledPolicySchema, { ...shop, flows: [], objects: orders })]);
    const byRule = asSeen(seen({ path: '/orders/17' }));
    expect(byRule.has(Flag.objectInferred)).toBe(false);
    expect(byRule.hash(F.object)).not.toBe(byOperation[0]?.hash(F.object));
    expect(asSeen(seen({ path: '/login', method: 'POST' })).word(F.kinds) >>> 8).toBe(0);
  });
});

import { performance } from 'node:perf_hooks';
import { create } from '@bufbuild/protobuf';
import {
  Action,
  ExemptionSchema,
  ExemptPrincipalSchema,
  ExemptSubjectSchema,
  Level,
  Mode,
  PrincipalKind,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addresses, app, decision, shopPolicies, type Stage, startStage, user } from './ecds-fixture.ts';

describe('decisions on a real Envoy', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(() => stage?.stop());

  test('a denied user is refused on an open connection, other users and other APIs are not', async () => {
    expect(await stage.get('/orders/1', { 'x-user': 'mallory' })).toBe(200);
    const denial = decision({ id: 'dec-mallory', match: [user('mallory')] });
    const since = performance.now();
    await stage.decide(denial);
    let status = 0;
    do {
      status = await stage.get('/orders/1', { 'x-user': 'mallory' });
    } while (status !== 403 && performance.now() - since < 20_000);
    process.stdout.write(`decision written → first 403: ${(performance.now() - since).toFixed(1)} ms\n`);
    expect(status).toBe(403);
    expect(await stage.get('/orders/1', { 'x-user': 'alice' })).toBe(200);
    expect(await stage.get('/orders/1')).toBe(200);
    expect(await stage.get('/catalogue', { 'x-user': 'mallory' })).toBe(200);
    await stage.programmed(denial);
    expect(stage.fleet.programmed('dec-mallory')).toMatchObject({
      programmedEnvoys: 1,
      totalEnvoys: 1,
      problem: undefined,
    });
    await stage.lift(denial);
    await expect.poll(() => stage.get('/orders/1', { 'x-user': 'mallory' })).toBe(200);
  });

  test('the host counts without case and port', async () => {
    const denial = decision({ id: 'dec-host', match: [user('hostile')] });
    await stage.decide(denial);
    await stage.programmed(denial);
    expect(await stage.get('/orders/1', { host: 'SHOP.example:8080', 'x-user': 'hostile' })).toBe(403);
    expect(await stage.get('/orders?x=1', { 'x-user': 'hostile' })).toBe(403);
    expect(await stage.get('/ordersx', { 'x-user': 'hostile' })).toBe(200);
    expect(await stage.get('/orders/1', { host: 'other.example', 'x-user': 'hostile' })).toBe(200);
    await stage.lift(denial);
  });

  test('one request carries several identities and any of them may be denied', async () => {
    const denial = decision({ id: 'dec-app', kind: PrincipalKind.APP, match: [app('key12345')] });
    await stage.decide(denial);
    await stage.programmed(denial);
    expect(await stage.get('/orders/1', { 'x-user': 'alice', 'x-api-key': 'key12345-secret' })).toBe(403);
    expect(await stage.get('/orders/1', { 'x-user': 'alice', 'x-api-key': 'key99999-secret' })).toBe(200);
    await stage.lift(denial);
  });

  test('a decision expires by itself', async () => {
    const denial = decision({ id: 'dec-short', match: [user('shorty')], forMs: 1_500 });
    await stage.decide(denial);
    await stage.programmed(denial);
    expect(await stage.get('/orders/1', { 'x-user': 'shorty' })).toBe(403);
    await expect.poll(() => stage.get('/orders/1', { 'x-user': 'shorty' })).toBe(200);
  });

  test('addresses are denied by the longest prefix, on their API only', async () => {
    const denial = decision({
      id: 'dec-net',
      kind: PrincipalKind.ADDRESS,
      match: [addresses('203.0.113.0/24', '2001:db8::/32')],
    });
    const tag = decision({
      id: 'dec-narrow',
      api: 'catalogue',
      kind: PrincipalKind.ADDRESS,
      match: [addresses('203.0.113.7')],
    });
    await stage.decide(denial);
    await stage.decide(tag);
    await stage.programmed(denial);
    await stage.programmed(tag);
    expect(await stage.get('/orders/1', { 'x-forwarded-for': '203.0.113.9' })).toBe(403);
    expect(await stage.get('/orders/1', { 'x-forwarded-for': '2001:db8::9' })).toBe(403);
    expect(await stage.get('/catalogue', { 'x-forwarded-for': '203.0.113.9' })).toBe(200);
    // The narrower range is decided for another API: the wider one still counts here.
    expect(await stage.get('/orders/1', { 'x-forwarded-for': '203.0.113.7' })).toBe(403);
    expect(await stage.get('/catalogue', { 'x-forwarded-for': '203.0.113.7' })).toBe(403);
    expect(await stage.get('/orders/1', { 'x-forwarded-for': '198.51.100.1' })).toBe(200);
    await stage.lift(denial);
    await stage.lift(tag);
  });

  test('a campaign is denied by the conjunction of its traits', async () => {
    const campaign = decision({
      id: 'dec-campaign',
      kind: PrincipalKind.CAMPAIGN,
      match: [
        { case: 'userAgent', value: 'bot/1.0' } as const,
        { case: 'absentHeaders', value: { $typeName: 'picket.decision.v1.HeaderNames', names: ['accept-language'] } },
        { case: 'presentHeaders', value: { $typeName: 'picket.decision.v1.HeaderNames', names: ['accept'] } },
        addresses('192.0.2.0/24', '198.51.100.0/24'),
        {
          case: 'operations',
          value: {
            $typeName: 'picket.decision.v1.OperationSet',
            operations: [{ $typeName: 'picket.decision.v1.Operation', method: 'GET', template: '/orders/{id}' }],
          },
        },
      ],
    });
    await stage.decide(campaign);
    await stage.programmed(campaign);
    const bot = { 'user-agent': 'bot/1.0', accept: '*/*', 'x-forwarded-for': '192.0.2.5' };
    expect(await stage.get('/orders/17', bot)).toBe(403);
    expect(await stage.get('/orders/17?page=2', { ...bot, 'x-forwarded-for': '198.51.100.5' })).toBe(403);
    expect(await stage.get('/orders/17', { ...bot, 'accept-language': 'de' })).toBe(200);
    expect(await stage.get('/orders/17', { ...bot, 'user-agent': 'browser' })).toBe(200);
    expect(await stage.get('/orders/17', { ...bot, 'x-forwarded-for': '100.64.0.1' })).toBe(200);
    expect(await stage.get('/orders/17/lines', bot)).toBe(200);
    await stage.lift(campaign);
  });

  test('a throttled client keeps its empty bucket while other decisions are pushed', async () => {
    const throttle = decision({
      id: 'dec-slow',
      match: [user('slow')],
      pseudonym: 'aaaaaaaaaaaaaaaa',
      action: Action.THROTTLE,
      requestsPerMinute: 5,
    });
    await stage.decide(throttle);
    await stage.programmed(throttle);
    const statuses: number[] = [];
    for (let i = 0; i < 8; i++) statuses.push(await stage.get('/orders/1', { 'x-user': 'slow' }));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
    const other = decision({ id: 'dec-other', match: [user('other')] });
    await stage.decide(other);
    await stage.programmed(other);
    expect(await stage.get('/orders/1', { 'x-user': 'other' })).toBe(403);
    expect(await stage.get('/orders/1', { 'x-user': 'slow' })).toBe(429);
    // Renewed under another id, for the same principal: still the same bucket.
    const renewed = decision({
      id: 'dec-slow-2',
      match: [user('slow')],
      pseudonym: 'aaaaaaaaaaaaaaaa',
      action: Action.THROTTLE,
      requestsPerMinute: 5,
    });
    await stage.decide(renewed);
    await stage.programmed(renewed);
    expect(await stage.get('/orders/1', { 'x-user': 'slow' })).toBe(429);
    expect(await stage.get('/orders/1', { 'x-user': 'alice' })).toBe(200);
    expect(await stage.get('/catalogue', { 'x-user': 'slow' })).toBe(200);
    await stage.lift(renewed);
    await stage.lift(other);
  });

  test('a tag tells the application the level, and nobody can forge it', async () => {
    const tag = decision({ id: 'dec-tag', match: [user('odd')], action: Action.TAG, level: Level.ELEVATED });
    await stage.decide(tag);
    await stage.programmed(tag);
    expect(await stage.get('/orders/1', { 'x-user': 'odd', 'x-picket-risk': 'none' })).toBe(200);
    expect(stage.seen.at(-1)?.['x-picket-risk']).toBe('elevated');
    expect(await stage.get('/orders/1', { 'x-user': 'alice', 'x-picket-risk': 'none' })).toBe(200);
    expect(stage.seen.at(-1)?.['x-picket-risk']).toBeUndefined();
    await stage.lift(tag);
  });

  test('a decision that is tightened under its id takes effect, one that is only prolonged sends nothing', async () => {
    const tag = decision({
      id: 'dec-steps',
      match: [user('climber')],
      pseudonym: 'cccccccccccccccc',
      action: Action.TAG,
    });
    await stage.decide(tag);
    await stage.programmed(tag);
    expect(await stage.get('/orders/1', { 'x-user': 'climber' })).toBe(200);
    const denial = decision({ id: 'dec-steps', match: [user('climber')], pseudonym: 'cccccccccccccccc' });
    await stage.decide(denial);
    await expect.poll(() => stage.get('/orders/1', { 'x-user': 'climber' })).toBe(403);
    const reloads = 'extension_config_discovery.http_filter.picket.decide.hot.config_reload';
    const before = await stage.envoy.stat(reloads);
    const prolonged = decision({
      ...{ id: 'dec-steps', match: [user('climber')] },
      pseudonym: 'cccccccccccccccc',
      forMs: 900_000,
    });
    await stage.decide(prolonged);
    const marker = decision({ id: 'dec-marker', kind: PrincipalKind.ADDRESS, match: [addresses('203.0.113.99')] });
    await stage.decide(marker);
    await stage.programmed(marker);
    expect(before).toBeGreaterThan(0);
    expect(await stage.envoy.stat(reloads)).toBe(before);
    await stage.lift(marker);
    await stage.lift(prolonged);
  });

  test('exempt callers come before every decision, by address and by identity', async () => {
    const subjects = [
      { subject: { case: 'cidr' as const, value: '203.0.113.64/26' } },
      {
        subject: {
          case: 'principal' as const,
          value: create(ExemptPrincipalSchema, { kind: PrincipalKind.USER, value: 'auditor' }),
        },
      },
    ].map((subject) => create(ExemptSubjectSchema, subject));
    const expiresAtMs = BigInt(Date.now() + 600_000);
    const exemption = create(ExemptionSchema, { name: 'shop/audit', expiresAtMs, subjects });
    stage.fleet.setPolicies(
      shopPolicies().map((policy) => ({ ...policy, exemptions: policy.api === 'shop/orders' ? [exemption] : [] })),
    );
    const campaign = decision({
      id: 'dec-all-bots',
      kind: PrincipalKind.CAMPAIGN,
      match: [{ case: 'userAgent', value: 'bot/2.0' } as const],
    });
    const range = decision({
      id: 'dec-range',
      kind: PrincipalKind.ADDRESS,
      match: [addresses('203.0.113.70/32', '203.0.113.9/32')],
    });
    for (const one of [campaign, range]) {
      await stage.decide(one);
      await stage.programmed(one);
    }
    const bot = { 'user-agent': 'bot/2.0' };
    expect(await stage.get('/orders/1', { ...bot, 'x-user': 'mallory' })).toBe(403);
    expect(await stage.get('/orders/1', { ...bot, 'x-user': 'auditor' })).toBe(200);
    expect(await stage.get('/orders/1', { ...bot, 'x-forwarded-for': '203.0.113.80' })).toBe(200);
    expect(await stage.get('/orders/1', { 'x-forwarded-for': '203.0.113.70' })).toBe(200);
    expect(await stage.get('/orders/1', { 'x-forwarded-for': '203.0.113.9' })).toBe(403);
    stage.fleet.setPolicies(shopPolicies());
    await expect.poll(() => stage.get('/orders/1', { ...bot, 'x-user': 'auditor' })).toBe(403);
    for (const one of [campaign, range]) await stage.lift(one);
  });

  test('an exemption that ends leaves the layers without any other push', async () => {
    const subjects = [create(ExemptSubjectSchema, { subject: { case: 'cidr', value: '203.0.113.0/24' } })];
    const denial = decision({ id: 'dec-ends', kind: PrincipalKind.ADDRESS, match: [addresses('203.0.113.200/32')] });
    await stage.decide(denial);
    await stage.programmed(denial);
    const exempt = create(ExemptionSchema, { name: 'shop/test', expiresAtMs: BigInt(Date.now() + 4_000), subjects });
    const client = { 'x-forwarded-for': '203.0.113.200' };
    expect(await stage.get('/orders/1', client)).toBe(403);
    stage.fleet.setPolicies(shopPolicies().map((policy) => ({ ...policy, exemptions: [exempt] })));
    await expect.poll(() => stage.get('/orders/1', client)).toBe(200);
    await expect.poll(() => stage.get('/orders/1', client)).toBe(403);
    expect(Date.now()).toBeGreaterThanOrEqual(Number(exempt.expiresAtMs));
    stage.fleet.setPolicies(shopPolicies());
    await stage.lift(denial);
  });

  test('observing tells Envoy nothing and a dry run changes nothing for anybody', async () => {
    // What earlier tests lifted is gone from Envoy.
    await expect.poll(async () => JSON.stringify(await stage.envoy.configDump())).not.toContain('dec-');
    const before = refusals(await stage.envoy.configDump());
    const observed = decision({ id: 'dec-observe', match: [user('watched')], mode: Mode.OBSERVE });
    const dry = decision({ id: 'dec-dry', match: [user('rehearsed')], mode: Mode.DRY_RUN });
    await stage.decide(observed);
    await stage.decide(dry);
    await stage.programmed(dry);
    const dump = await stage.envoy.configDump();
    expect(refusals(dump)).toEqual(before);
    expect(JSON.stringify(dump)).not.toContain('watched');
    expect(JSON.stringify(dump)).toContain('dry-deny.dec-dry');
    expect(stage.fleet.programmed('dec-observe')).toMatchObject({
      programmedEnvoys: 0,
      problem: { reason: 'Observe' },
    });
    expect(await stage.get('/orders/1', { 'x-user': 'watched' })).toBe(200);
    expect(await stage.get('/orders/1', { 'x-user': 'rehearsed' })).toBe(200);
    expect(stage.seen.at(-1)?.['x-picket-risk']).toBeUndefined();
    await stage.lift(observed);
    await stage.lift(dry);
  });
});

/** Everything in a configuration dump but shadow matchers, versions and times: what could refuse a request. */
function refusals(dump: unknown): unknown {
  return JSON.parse(
    JSON.stringify(dump, (key, value: unknown) =>
      ['shadow_matcher', 'shadow_rules_stat_prefix', 'version_info', 'last_updated'].includes(key) ? undefined : value,
    ),
  );
}

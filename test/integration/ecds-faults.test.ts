import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { startEnvoy } from '../support/envoy.ts';
import { createHttpClient } from '../support/http-client.ts';
import { createPki, missingOpenssl } from '../support/pki.ts';
import {
  addresses,
  bootstrapFor,
  decision,
  portOf,
  shopPolicies,
  type Stage,
  startApplication,
  startStage,
  startTestFleet,
  user,
} from './ecds-fixture.ts';

describe('faults between operator and Envoy', () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  const stage = async (...options: Parameters<typeof startStage>): Promise<Stage> => {
    const started = await startStage(...options);
    cleanups.push(() => started.stop());
    return started;
  };
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  function writeJwks(): string {
    const folder = mkdtempSync(join(tmpdir(), 'picket-jwks-'));
    cleanups.push(async () => rmSync(folder, { recursive: true }));
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const path = join(folder, 'jwks.json');
    const key = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };
    writeFileSync(path, JSON.stringify({ keys: [key] }));
    return path;
  }

  test('with a dead control plane the listener comes up and traffic flows', async () => {
    const application = await startApplication([]);
    // A port that nobody answers on.
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port: deadPort } = silent.address() as { port: number };
    await new Promise((resolve) => silent.close(resolve));
    const envoy = await startEnvoy({ bootstrap: bootstrapFor(shopPolicies(), deadPort, portOf(application)) });
    cleanups.push(
      () => envoy.stop(),
      () => new Promise((resolve) => application.close(resolve)),
    );
    const client = createHttpClient({ port: await envoy.listenerPort('ingress') });
    const reply = await client.send({ method: 'GET', path: '/orders/1', headers: { host: 'shop.example' } });
    client.close();
    expect(reply.status).toBe(200);
  });

  test('when the operator dies traffic goes on and enforcement fades with its time to live', async () => {
    const running = await stage({ fleet: { ttlMs: 3_000 } });
    const denial = decision({ id: 'dec-fade', match: [user('mallory')] });
    await running.decide(denial);
    await running.programmed(denial);
    // Longer than the time to live: heartbeats keep the denial alive while the operator lives.
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    expect(await running.get('/orders/1', { 'x-user': 'mallory' })).toBe(403);
    await running.fleet.close();
    expect(await running.get('/orders/1', { 'x-user': 'alice' })).toBe(200);
    await expect.poll(() => running.get('/orders/1', { 'x-user': 'mallory' })).toBe(200);
  });

  test('an operator that comes back takes over without a gap and lifts what expired meanwhile', async () => {
    const running = await stage({ fleet: { ttlMs: 60_000 } });
    const lasting = decision({ id: 'dec-lasting', match: [user('mallory')] });
    const short = decision({ id: 'dec-ending', match: [user('eve')], forMs: 2_000 });
    for (const one of [lasting, short]) await running.decide(one);
    for (const one of [lasting, short]) await running.programmed(one);
    const { port } = running.fleet;
    await running.fleet.close();
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    expect(await running.get('/orders/1', { 'x-user': 'eve' })).toBe(403);
    const next = await startTestFleet(running.bus, { ttlMs: 60_000, listen: { host: '127.0.0.1', port } });
    next.setPolicies(shopPolicies());
    cleanups.push(() => next.close());
    await expect.poll(() => running.get('/orders/1', { 'x-user': 'eve' })).toBe(200);
    expect(await running.get('/orders/1', { 'x-user': 'mallory' })).toBe(403);
    await expect.poll(() => next.programmed('dec-lasting').programmedEnvoys).toBe(1);
  });

  test('a key that Envoy refuses is found and left out, the others are enforced', async () => {
    const running = await stage();
    const good = Array.from({ length: 9 }, (_, i) => decision({ id: `dec-good-${i}`, match: [user(`user-${i}`)] }));
    const bad = decision({
      id: 'dec-bad',
      kind: PrincipalKind.CAMPAIGN,
      // A header name with a line break passes our renderer and no Envoy.
      match: [
        { case: 'presentHeaders', value: { $typeName: 'picket.decision.v1.HeaderNames', names: ['x-bad\r\nname'] } },
      ],
    });
    await Promise.all([...good.slice(0, 5), bad, ...good.slice(5)].map((one) => running.decide(one)));
    for (const one of good) await running.programmed(one);
    expect(running.fleet.programmed('dec-bad')).toMatchObject({
      programmedEnvoys: 0,
      problem: { reason: 'RefusedByEnvoy' },
    });
    for (let i = 0; i < 9; i++) expect(await running.get('/orders/1', { 'x-user': `user-${i}` })).toBe(403);
    expect(await running.get('/orders/1', { 'x-user': 'alice' })).toBe(200);
    const after = decision({ id: 'dec-after', match: [user('late')] });
    await running.decide(after);
    await running.programmed(after);
    expect(await running.get('/orders/1', { 'x-user': 'late' })).toBe(403);
  });

  test('beyond the capacity the lowest scores stay out and say so', async () => {
    const limits = { maxKeys: 2, maxConjunctions: 1, maxPrefixes: 1, maxHotKeys: 500, maxWarmKeys: 2_000 };
    const running = await stage({ fleet: { limits } });
    const scores = [70, 95, 80];
    const all = scores.map((score) => decision({ id: `dec-${score}`, match: [user(`u${score}`)], score }));
    for (const one of all) await running.decide(one);
    await expect.poll(() => running.get('/orders/1', { 'x-user': 'u95' })).toBe(403);
    await expect.poll(() => running.get('/orders/1', { 'x-user': 'u80' })).toBe(403);
    await expect.poll(() => running.get('/orders/1', { 'x-user': 'u70' })).toBe(200);
    expect(running.fleet.programmed('dec-70').problem?.reason).toBe('Capacity');
  });

  test('a fingerprint that the fleet does not compute is no match, and says so', async () => {
    const running = await stage();
    const denial = decision({
      id: 'dec-ja4',
      kind: PrincipalKind.CAMPAIGN,
      match: [{ case: 'ja4', value: 't13d1516h2' }],
    });
    await running.decide(denial);
    await expect.poll(() => running.fleet.programmed('dec-ja4').problem?.message).toContain('--ja4');
    expect(await running.get('/orders/1')).toBe(200);
  });

  test('old keys move to larger layers and stay enforced on the way', async () => {
    const limits = { maxKeys: 100, maxConjunctions: 10, maxPrefixes: 10, maxHotKeys: 4, maxWarmKeys: 100 };
    const running = await stage({ fleet: { limits } });
    const all = Array.from({ length: 8 }, (_, i) => decision({ id: `dec-${i}`, match: [user(`u${i}`)] }));
    for (const one of all) {
      await running.decide(one);
      await running.programmed(one);
      expect(await running.get('/orders/1', { 'x-user': 'u0' })).toBe(403);
    }
    for (let i = 0; i < 8; i++) expect(await running.get('/orders/1', { 'x-user': `u${i}` })).toBe(403);
  });

  test('only routes of declared flows buffer bodies and refuse those beyond the bound', async () => {
    const running = await stage({ listener: { maxFlowBodyBytes: 16_384 } });
    const send = (path: string, length: number, type = 'application/json') =>
      running.client.send({
        method: 'POST',
        path,
        headers: { host: 'shop.example', 'content-type': type },
        body: { user: { name: 'alice' }, padding: 'x'.repeat(length) },
      });
    expect((await send('/orders/login', 100)).status).toBe(200);
    expect((await send('/orders/login', 100_000)).status).toBe(413);
    for (const path of ['/orders/1', '/catalogue', '/orders/login/other']) {
      const reply = await send(path, 1_000_000);
      expect(reply.status).toBe(200);
      expect(JSON.parse(reply.body).bytes).toBeGreaterThan(1_000_000);
    }
  });

  test('addresses are refused before authentication', async () => {
    const running = await stage({ listener: { jwt: { issuer: 'https://issuer.example', jwksFile: writeJwks() } } });
    const withBadToken = { authorization: 'Bearer not.a.token', 'x-forwarded-for': '203.0.113.9' };
    expect(await running.get('/orders/1', withBadToken)).toBe(401);
    const denial = decision({ id: 'dec-early', kind: PrincipalKind.ADDRESS, match: [addresses('203.0.113.0/24')] });
    await running.decide(denial);
    await running.programmed(denial);
    expect(await running.get('/orders/1', withBadToken)).toBe(403);
    expect(await running.get('/orders/1', { ...withBadToken, 'x-forwarded-for': '198.51.100.9' })).toBe(401);
  });

  test.skipIf(missingOpenssl !== undefined)(
    'beyond loopback filters are served with mutual TLS only, to the names that may connect',
    async () => {
      const bus = createMemoryBus();
      await expect(startTestFleet(bus, { listen: { host: '0.0.0.0', port: 0 } })).rejects.toThrow('mutual TLS');
      const folder = mkdtempSync(join(tmpdir(), 'picket-tls-'));
      cleanups.push(async () => rmSync(folder, { recursive: true }));
      const pki = createPki(folder);
      const server = pki.issue('picket.shop', 'DNS:picket.shop');
      const client = pki.issue('envoy.shop', 'DNS:envoy.shop');
      const tls = { certificateFile: server.certificate, privateKeyFile: server.key, clientCaFile: pki.ca };
      const [friend, stranger] = await Promise.all(
        [['envoy.shop'], ['somebody.else']].map((allowedNames) =>
          startTestFleet(bus, { tls: { ...tls, allowedNames } }),
        ),
      );
      if (!friend || !stranger) throw new Error('two fleets were started');
      const application = await startApplication([]);
      cleanups.push(() => new Promise((resolve) => application.close(resolve)));
      const picketTls = {
        caFile: pki.ca,
        certificateFile: client.certificate,
        keyFile: client.key,
        serverName: 'picket.shop',
      };
      for (const fleet of [friend, stranger]) {
        cleanups.push(() => fleet.close());
        fleet.setPolicies(shopPolicies());
        const bootstrap = bootstrapFor(shopPolicies(), fleet.port, portOf(application), { bootstrap: { picketTls } });
        const envoy = await startEnvoy({ bootstrap });
        cleanups.push(() => envoy.stop());
      }
      await expect.poll(() => friend.policyProgramming('shop/orders').programmedEnvoys).toBe(1);
      expect(stranger.envoys()).toEqual([]);
    },
  );

  test('an Envoy of another fleet is turned away', async () => {
    const bus = createMemoryBus();
    const fleet = await startTestFleet(bus, { fleet: 'other' });
    cleanups.push(() => fleet.close());
    fleet.setPolicies(shopPolicies());
    const application = await startApplication([]);
    const envoy = await startEnvoy({ bootstrap: bootstrapFor(shopPolicies(), fleet.port, portOf(application)) });
    cleanups.push(
      () => envoy.stop(),
      () => new Promise((resolve) => application.close(resolve)),
    );
    const client = createHttpClient({ port: await envoy.listenerPort('ingress') });
    const reply = await client.send({ method: 'GET', path: '/orders/1', headers: { host: 'shop.example' } });
    client.close();
    expect(reply.status).toBe(200);
    expect(fleet.envoys()).toEqual([]);
  });
});

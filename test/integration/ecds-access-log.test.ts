import { generateKeyPairSync, sign } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServerReadableStream } from '@grpc/grpc-js';
import { createAlsDecoder } from '@picket/analyzer/ingest/als-decoder.ts';
import { renderRoutesFile } from '@picket/operator/envoy/render/bootstrap.ts';
import { renderSnippet } from '@picket/operator/envoy/render/snippet.ts';
import { toYaml } from '@picket/operator/envoy/render/yaml.ts';
import type { HTTPAccessLogEntry } from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { Action, PrincipalKind, PrincipalRuleSchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { create } from '@bufbuild/protobuf';
import { JA4_CUSTOM_TAG } from '@picket/proto/access-log.ts';
import { accessLogService } from '@picket/proto/services/access-log.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createPki, type KeyPair, missingOpenssl } from '../support/pki.ts';
import { requireTool } from '../support/tools.ts';
import {
  app,
  bootstrapFor,
  decision,
  fleetName,
  portOf,
  shopPolicies,
  startApplication,
  startStage,
  user,
} from './ecds-fixture.ts';

describe('what Envoy reports, and configuration that people use', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function startCollector(): Promise<{ port: number; entries: HTTPAccessLogEntry[] }> {
    const entries: HTTPAccessLogEntry[] = [];
    const server = new Server();
    server.addService(accessLogService, {
      streamAccessLogs(call: ServerReadableStream<Buffer, unknown>) {
        call.on('data', (bytes: Buffer) => {
          const { logEntries } = fromBinary(StreamAccessLogsMessageSchema, bytes);
          if (logEntries.case === 'httpLogs') entries.push(...logEntries.value.logEntry);
        });
        call.on('error', () => {});
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    cleanups.push(() => server.forceShutdown());
    return { port, entries };
  }

  function temporary(): string {
    const folder = mkdtempSync(join(tmpdir(), 'picket-render-'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  test('flow facts, classes, decisions and verified claims come with the access log', async () => {
    const collector = await startCollector();
    const folder = temporary();
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwksFile = join(folder, 'jwks.json');
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };
    writeFileSync(jwksFile, JSON.stringify({ keys: [jwk] }));
    const token = (sub: string) => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const body = `${part({ alg: 'RS256', kid: 'k1' })}.${part({ iss: 'https://issuer.example', sub, exp: 4_000_000_000 })}`;
      return `Bearer ${body}.${sign('RSA-SHA256', Buffer.from(body), privateKey).toString('base64url')}`;
    };
    const [orders, catalogue] = shopPolicies();
    if (!orders || !catalogue) throw new Error('the shop has two APIs');
    orders.principals = [
      create(PrincipalRuleSchema, {
        kind: PrincipalKind.USER,
        from: { case: 'dynamicMetadata', value: { namespace: 'envoy.filters.http.jwt_authn', path: 'payload/sub' } },
        enforceAs: { case: 'value', value: true },
      }),
    ];
    const stage = await startStage({
      policies: [orders, catalogue],
      bootstrap: { als: { host: '127.0.0.1', port: collector.port } },
      listener: { jwt: { issuer: 'https://issuer.example', jwksFile } },
    });
    cleanups.push(() => stage.stop());
    const denial = decision({ id: 'dec-1', match: [user('mallory')] });
    const throttle = decision({
      id: 'dec-2',
      match: [user('slow')],
      pseudonym: 'bbbbbbbbbbbbbbbb',
      action: Action.THROTTLE,
      requestsPerMinute: 1,
    });
    for (const one of [denial, throttle]) await stage.decide(one);
    for (const one of [denial, throttle]) await stage.programmed(one);

    const host = 'shop.example';
    await stage.client.send({
      method: 'POST',
      path: '/orders/login',
      headers: { host, 'accept-language': 'de' },
      body: { user: { name: 'alice' } },
    });
    expect(await stage.get('/orders/1', { authorization: token('mallory') })).toBe(403);
    expect(await stage.get('/orders/1', { authorization: token('slow') })).toBe(200);
    expect(await stage.get('/orders/1', { authorization: token('slow') })).toBe(429);
    await expect.poll(() => collector.entries.length).toBe(4);

    const [login, denied, , throttled] = collector.entries.toSorted(
      (a, b) =>
        Number((a.commonProperties?.startTime?.seconds ?? 0n) - (b.commonProperties?.startTime?.seconds ?? 0n)) ||
        (a.commonProperties?.startTime?.nanos ?? 0) - (b.commonProperties?.startTime?.nanos ?? 0),
    );
    const metadata = (entry: HTTPAccessLogEntry | undefined, namespace: string): JsonObject =>
      entry?.commonProperties?.metadata?.filterMetadata[namespace] ?? {};
    expect(metadata(login, 'dev.picket.flow')).toEqual({
      'login:request.user.name': 'alice',
      'login:response.ok': true,
    });
    expect(login?.request?.requestHeaders).toMatchObject({ ':method': 'POST', 'accept-language': 'de' });
    expect(denied?.response?.responseCodeDetails).toContain('dec-1');
    expect(metadata(denied, 'envoy.filters.http.jwt_authn')).toMatchObject({ payload: { sub: 'mallory' } });
    expect(metadata(throttled, 'envoy.filters.http.rbac')).toMatchObject({
      picket_decide_hot_shadow_effective_policy_id: 'throttle-1.user.bbbbbbbbbbbbbbbb.uid-orders',
    });
    expect(throttled?.response?.responseCode).toBe(429);
  });

  test('flow routes in a file change without touching the listener', async () => {
    const folder = temporary();
    const routesFile = join(folder, 'routes.yaml');
    const policies = shopPolicies();
    writeFileSync(routesFile, toYaml(renderRoutesFile(policies)));
    const stage = await startStage({ listener: { routesFile, maxFlowBodyBytes: 16_384 } });
    cleanups.push(() => stage.stop());
    const login = () =>
      stage.client.send({
        method: 'POST',
        path: '/orders/login',
        headers: { host: 'shop.example' },
        body: { padding: 'x'.repeat(100_000) },
      });
    expect((await login()).status).toBe(413);
    for (const policy of policies) policy.flows = [];
    writeFileSync(`${routesFile}.next`, toYaml(renderRoutesFile(policies)));
    renameSync(`${routesFile}.next`, routesFile);
    await expect.poll(async () => (await login()).status).toBe(200);
    expect(await stage.envoy.stat('listener_manager.listener_modified')).toBe(0);
  });

  test('Envoy accepts the bootstrap as printed', () => {
    const folder = temporary();
    const path = join(folder, 'envoy.yaml');
    writeFileSync(path, toYaml(bootstrapFor(shopPolicies(), 18_000, 8_081) as Parameters<typeof toYaml>[0]));
    expect(validate(path)).toContain('OK');
  });

  test('Envoy accepts a bootstrap of its own with the parts of the snippet', async () => {
    const folder = temporary();
    const application = await startApplication([]);
    cleanups.push(() => application.close());
    const endpoint = { host: '127.0.0.1', port: portOf(application) };
    const snippet = renderSnippet(shopPolicies(), {
      node: 'own-1',
      statPrefix: 'own',
      fleet: fleetName,
      xds: endpoint,
      als: endpoint,
      shapeHeaders: ['accept'],
      ja4: true,
    });
    const parts = parse(snippet.replaceAll('your-cluster', 'upstream')) as Record<string, unknown[]> & { node: object };
    const router = {
      name: 'envoy.filters.http.router',
      typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
    };
    const own = {
      node: parts.node,
      static_resources: {
        clusters: [
          ...(parts['clusters'] ?? []),
          { name: 'upstream', load_assignment: { cluster_name: 'upstream', endpoints: [] } },
        ],
        listeners: [
          {
            name: 'own',
            address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
            listener_filters: parts['listener_filters'],
            filter_chains: [
              {
                filters: [
                  {
                    name: 'envoy.filters.network.http_connection_manager',
                    typed_config: {
                      '@type':
                        'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
                      stat_prefix: 'own',
                      use_remote_address: true,
                      access_log: parts['access_log'],
                      access_log_options: parts['access_log_options'],
                      http_filters: [...(parts['http_filters'] ?? []), router],
                      route_config: {
                        virtual_hosts: [{ name: 'all', domains: ['*'], routes: parts['routes'] }],
                      },
                    },
                  },
                ],
              },
            ],
          },
        ],
      },
    };
    const path = join(folder, 'own.yaml');
    writeFileSync(path, JSON.stringify(own));
    expect(validate(path)).toContain('OK');
  });

  function validate(path: string): string {
    return execFileSync(requireTool('envoy'), ['--mode', 'validate', '-c', path, '-l', 'error'], { encoding: 'utf8' });
  }

  test.skipIf(missingOpenssl !== undefined)(
    'a listener with TLS computes fingerprints, reports them, and refuses by them',
    async () => {
      const collector = await startCollector();
      const site = createPki(temporary()).issue('site', 'DNS:shop.example');
      const stage = await startStage({
        fleet: { ja4: true },
        bootstrap: { als: { host: '127.0.0.1', port: collector.port } },
        listener: { tls: { certificateFile: site.certificate, keyFile: site.key } },
      });
      cleanups.push(() => stage.stop());
      const port = await stage.envoy.listenerPort('ingress');
      /** Whoever offers other ciphers has another fingerprint. */
      const get = (ciphers: string): Promise<number> =>
        new Promise((resolve, reject) => {
          const headers = { host: 'shop.example' };
          const call = request(
            { host: '127.0.0.1', port, path: '/orders/1', headers, ciphers, rejectUnauthorized: false, agent: false },
            (reply) => {
              reply.resume();
              reply.on('end', () => resolve(reply.statusCode ?? 0));
            },
          );
          call.on('error', reject);
          call.end();
        });
      const person = 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256';
      const bot = 'TLS_AES_256_GCM_SHA384:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305';
      expect([await get(person), await get(bot)]).toEqual([200, 200]);
      await expect.poll(() => collector.entries.length).toBe(2);
      const fingerprints = collector.entries.map((entry) => entry.commonProperties?.customTags[JA4_CUSTOM_TAG] ?? '');
      for (const fingerprint of fingerprints) expect(fingerprint).toMatch(/^t13d\d{4}\w\w_[0-9a-f]{12}_[0-9a-f]{12}$/);
      expect(new Set(fingerprints).size).toBe(2);
      for (const { commonProperties } of collector.entries)
        expect(commonProperties?.tlsProperties?.ja3Fingerprint).toMatch(/^[0-9a-f]{32}$/);

      const denial = decision({
        id: 'dec-ja4',
        kind: PrincipalKind.CAMPAIGN,
        match: [{ case: 'ja4', value: fingerprints[1] ?? '' }],
      });
      await stage.decide(denial);
      await stage.programmed(denial);
      expect([await get(person), await get(bot)]).toEqual([200, 403]);
    },
  );

  test.skipIf(missingOpenssl !== undefined)(
    'a caller known by its certificate is refused under the name that the access log gives it',
    async () => {
      const collector = await startCollector();
      const pki = createPki(temporary());
      const site = pki.issue('site', 'DNS:shop.example');
      const principals = [
        create(PrincipalRuleSchema, {
          kind: PrincipalKind.APP,
          from: { case: 'clientCertificate', value: true },
          enforceAs: { case: 'value', value: true },
        }),
      ];
      const stage = await startStage({
        policies: shopPolicies().map((policy) => ({ ...policy, principals })),
        fleet: { ja4: true },
        bootstrap: { als: { host: '127.0.0.1', port: collector.port } },
        listener: { tls: { certificateFile: site.certificate, keyFile: site.key, clientCaFile: pki.ca } },
      });
      cleanups.push(() => stage.stop());
      const port = await stage.envoy.listenerPort('ingress');
      const get = (pair?: KeyPair): Promise<number> =>
        new Promise((resolve, reject) => {
          const own = pair ? { cert: readFileSync(pair.certificate), key: readFileSync(pair.key) } : {};
          const headers = { host: 'shop.example' };
          const where = { host: '127.0.0.1', port, path: '/orders/1', headers };
          const call = request({ ...where, ...own, rejectUnauthorized: false, agent: false }, (reply) => {
            reply.resume();
            reply.on('end', () => resolve(reply.statusCode ?? 0));
          });
          call.on('error', reject);
          call.end();
        });
      await expect(get()).rejects.toThrow();
      const partners = [
        pki.issue('mesh', 'DNS:partner.example', 'URI:spiffe://mesh/partner'),
        pki.issue('named', 'DNS:one.example', 'DNS:two.example'),
        pki.issue('bystander', 'URI:urn:other'),
      ] as const;
      for (const pair of partners) expect(await get(pair)).toBe(200);
      await expect.poll(() => collector.entries.length).toBe(3);
      const message = create(StreamAccessLogsMessageSchema, {
        logEntries: { case: 'httpLogs', value: { logEntry: collector.entries } },
      });
      const names: string[] = [];
      createAlsDecoder().decode(toBinary(StreamAccessLogsMessageSchema, message), { source: 'envoy-1' }, Date.now(), {
        finished: (record) => names.push(record.peerCertificate),
      });
      expect(names).toEqual(['spiffe://mesh/partner', 'CN=named', 'urn:other']);
      for (const name of names.slice(0, 2)) {
        const denial = decision({ id: `dec-${name.length}`, kind: PrincipalKind.APP, match: [app(name)] });
        await stage.decide(denial);
        await stage.programmed(denial);
      }
      expect(await Promise.all(partners.map(get))).toEqual([403, 403, 200]);
    },
  );
});

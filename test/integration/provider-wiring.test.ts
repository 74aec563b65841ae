/** What Istio is given, merged into a listener of a real Envoy by the operations that it asks for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { renderIstio } from '@picket/operator/envoy/providers/istio.ts';
import type { Wiring } from '@picket/operator/envoy/providers/wiring.ts';
import { renderMatchedFlowFilter } from '@picket/operator/envoy/render/flow-facts.ts';
import { JA4_CUSTOM_TAG } from '@picket/proto/access-log.ts';
import { FLOW_METADATA_NAMESPACE } from '@picket/proto/flow-metadata.ts';
import { CompiledPolicySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { afterEach, expect, test } from 'vitest';
import { startAlsSink } from '../support/als-sink.ts';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { createHttpClient, type HttpClient } from '../support/http-client.ts';
import { createPki, type KeyPair, missingOpenssl } from '../support/pki.ts';
import { freePort } from '../support/ports.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';

const { missing } = findTool('envoy');

type Value = Record<string, unknown>;

interface Patch {
  applyTo: string;
  patch: { operation: string; value: Value };
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const wiring: Wiring = {
  sensor: { namespace: 'shop', name: 'edge', uid: 'uid-edge' },
  fleet: 'edge',
  xds: { host: '127.0.0.1', port: 1 },
  als: { host: '127.0.0.1', port: 2 },
  report: { headers: { request: [':method'], response: [] }, flowFilter: undefined, ja4: false },
};

const bufferBytes = 8 * 1024;

/** An Envoy whose listener speaks both in the clear and by TLS, where a certificate is given. */
async function startMerged(
  from: Wiring,
  site?: KeyPair,
): Promise<{ envoy: Envoy; client: HttpClient; port: number; filters: string[] }> {
  const folder = temporary();
  const port = await freePort();
  const { configPatches } = renderIstio(from, { gateways: ['web'] }).spec as { configPatches: Patch[] };
  const patches = (applyTo: string) => configPatches.filter((p) => p.applyTo === applyTo).map(({ patch }) => patch);
  const [manager] = patches('NETWORK_FILTER');
  const [inspector] = patches('LISTENER_FILTER');
  const resources = (type: string, list: object[]): string => {
    const path = join(folder, `${type}.json`);
    const typeUrl = `type.googleapis.com/envoy.config.${type}.v3.${type === 'cluster' ? 'Cluster' : 'Listener'}`;
    writeFileSync(path, JSON.stringify({ resources: list.map((one) => ({ '@type': typeUrl, ...one })) }));
    return path;
  };
  const empty = (name: string, type: string): Value => ({
    name,
    typed_config: { '@type': `type.googleapis.com/envoy.extensions.filters.http.${type}` },
  });
  const filters = [empty('theirs', 'cors.v3.Cors'), empty('envoy.filters.http.router', 'router.v3.Router')];
  for (const { operation, value } of patches('HTTP_FILTER')) {
    expect(['INSERT_FIRST', 'INSERT_BEFORE']).toContain(operation);
    // The router is the last, and what is put in front of it comes after what was put there before.
    filters.splice(operation === 'INSERT_FIRST' ? 0 : filters.length - 1, 0, value);
  }
  const own = { name: 'own', type: 'STATIC', load_assignment: { cluster_name: 'own' } };
  const json = { header: { key: 'content-type', value: 'application/json' } };
  const typedConfig = {
    ...(manager?.value['typed_config'] as object),
    stat_prefix: 'web',
    route_config: {
      response_headers_to_add: [{ ...json, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: '{"ok":false}' } } },
          ],
        },
      ],
    },
    http_filters: filters,
  };
  const chain = { filters: [{ name: manager?.value['name'], typed_config: typedConfig }] };
  const tls = site && {
    name: 'tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      common_tls_context: {
        tls_certificates: [{ certificate_chain: { filename: site.certificate }, private_key: { filename: site.key } }],
      },
    },
  };
  const listener = {
    name: 'web',
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    per_connection_buffer_limit_bytes: bufferBytes,
    ...(inspector ? { listener_filters: [inspector.value] } : {}),
    filter_chains: [
      ...(tls ? [{ filter_chain_match: { transport_protocol: 'tls' }, transport_socket: tls, ...chain }] : []),
      { ...(tls ? { filter_chain_match: { transport_protocol: 'raw_buffer' } } : {}), ...chain },
    ],
  };
  const clusters = patches('CLUSTER').map(({ value }) => value);
  const envoy = await startEnvoy({
    bootstrap: {
      node: { id: 'web-0', cluster: 'shop/web' },
      dynamic_resources: {
        cds_config: { path_config_source: { path: resources('cluster', [...clusters, own]) } },
        lds_config: { path_config_source: { path: resources('listener', [listener]) } },
      },
    },
  });
  cleanups.push(() => envoy.stop());
  const client = createHttpClient({ port, localAddress: '127.0.0.1' });
  cleanups.push(() => client.close());
  await waitFor('an answer', async () => {
    const answer = await client.send({ method: 'GET', path: '/ready' });
    return answer.status === 200 || undefined;
  });
  return { envoy, client, port, filters: filters.map(({ name }) => name as string) };
}

test.skipIf(missing)(
  `Envoy without the certificate refuses our clusters and nothing else ${missing ?? ''}`,
  async () => {
    const { envoy, filters } = await startMerged({ ...wiring, tlsSecret: 'picket-envoy-tls' });
    expect(filters).toEqual([
      ...['picket.address.hot', 'picket.address', 'theirs', 'picket.identify'],
      ...['picket.decide.hot', 'picket.decide.warm', 'picket.decide.cold', 'picket.limit', 'picket.tag'],
      'envoy.filters.http.router',
    ]);
    expect(envoy.log()).toMatch(/cluster 'picket-xds' config rejected/);
    expect(JSON.stringify(await envoy.configDump())).toContain('"name":"own"');
  },
);

const policies = [
  create(CompiledPolicySchema, {
    apiUid: 'uid-shop',
    hosts: ['*'],
    pathPrefix: '/v1',
    flows: [
      {
        ...{ name: 'login', method: 'POST', path: '/v1/login' },
        account: { from: { case: 'requestField', value: '/user/name' } },
        success: [{ all: [{ test: { case: 'responseField', value: { pointer: '/ok', equalsJson: 'true' } } }] }],
      },
      {
        ...{ name: 'pay', path: '/v1/orders/{id}/pay' },
        amount: { from: { case: 'requestField', value: '/amount' } },
      },
    ],
  }),
  // Of the requests that the flows above would match, these belong to somebody else.
  create(CompiledPolicySchema, { apiUid: 'uid-own', hosts: ['own.example'], pathPrefix: '/v1' }),
];

test.skipIf(missing ?? missingOpenssl)(
  `bodies are read on requests of declared flows and on no others, and fingerprints are told ${missing ?? missingOpenssl ?? ''}`,
  async () => {
    const sink = await startAlsSink();
    cleanups.push(() => sink.close());
    const site = createPki(temporary()).issue('site', 'DNS:shop.example');
    const { client, port, filters } = await startMerged(
      {
        ...wiring,
        als: { host: '127.0.0.1', port: sink.port },
        report: {
          headers: { request: [':method'], response: [] },
          flowFilter: renderMatchedFlowFilter(policies),
          ja4: true,
        },
      },
      site,
    );
    expect(filters.indexOf('picket.flow')).toBe(filters.indexOf('picket.identify') - 1);
    const login = { user: { name: 'alice' }, amount: 7 };
    const large = { ...login, padding: 'x'.repeat(2 * bufferBytes) };
    const post = async (path: string, body: unknown, host = 'shop.example') =>
      (await client.send({ method: 'POST', path, headers: { host, 'x-request-id': path }, body })).status;
    expect(await post('/v1/login?from=app', login)).toBe(200);
    expect(await post('/v1/orders/7/pay', login)).toBe(200);
    expect(await post('/v1/other', large)).toBe(200);
    expect(await post('/v1/login', large, 'own.example')).toBe(200);
    expect(await post('/v1/login', large)).toBe(413);
    await new Promise<void>((resolve, reject) => {
      const headers = { host: 'shop.example' };
      const call = request({ host: '127.0.0.1', port, path: '/tls', headers, rejectUnauthorized: false, agent: false });
      call.on('response', (reply) => reply.resume().on('end', resolve));
      call.on('error', reject);
      call.end();
    });
    const logged = (path: string, code = 200) =>
      waitFor(`the entry of ${path}`, () =>
        sink.entries.find(
          ({ request: asked, response }) => asked?.path === path && response?.responseCode?.valueOf() === code,
        ),
      );
    const facts = async (path: string) =>
      (await logged(path)).commonProperties?.metadata?.filterMetadata[FLOW_METADATA_NAMESPACE];
    expect(await facts('/v1/login?from=app')).toEqual({
      'login:request.user.name': 'alice',
      'login:response.ok': false,
    });
    expect(await facts('/v1/orders/7/pay')).toEqual({ 'pay:request.amount': 7 });
    expect(await facts('/v1/other')).toBeUndefined();
    expect(await facts('/v1/login')).toBeUndefined();
    expect((await logged('/tls')).commonProperties?.customTags[JA4_CUSTOM_TAG]).toMatch(/^t13d/);
    // Most listeners carry both.
    expect((await logged('/v1/other')).commonProperties?.customTags[JA4_CUSTOM_TAG] ?? '-').toBe('-');
  },
);

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'picket-wiring-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * What Istio is given, merged into a listener by the operations that it asks for, in a real Envoy whose pod lacks the
 * certificate for Picket.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderIstio } from '@picket/operator/envoy/providers/istio.ts';
import { expect, test } from 'vitest';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { createHttpClient } from '../support/http-client.ts';
import { freePort } from '../support/ports.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';

const { missing } = findTool('envoy');

interface Patch {
  applyTo: string;
  patch: { operation: string; value: Record<string, unknown> };
}

test.skipIf(missing)(
  `Envoy without the certificate refuses our clusters and nothing else ${missing ?? ''}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'picket-wiring-'));
    const port = await freePort();
    const object = renderIstio(
      {
        sensor: { namespace: 'shop', name: 'edge', uid: 'uid-edge' },
        fleet: 'edge',
        xds: { host: '127.0.0.1', port: 1 },
        als: { host: '127.0.0.1', port: 2 },
        tlsSecret: 'picket-envoy-tls',
        headers: { request: [':method'], response: [] },
      },
      { gateways: ['web'] },
    );
    const { configPatches } = object.spec as { configPatches: Patch[] };
    const values = (applyTo: string) =>
      configPatches.filter((p) => p.applyTo === applyTo).map(({ patch }) => patch.value);
    const [manager] = values('NETWORK_FILTER');
    const resources = (type: string, list: object[]): string => {
      const path = join(folder, `${type}.json`);
      const typeUrl = `type.googleapis.com/envoy.config.${type}.v3.${type === 'cluster' ? 'Cluster' : 'Listener'}`;
      writeFileSync(path, JSON.stringify({ resources: list.map((one) => ({ '@type': typeUrl, ...one })) }));
      return path;
    };
    const empty = (name: string, type: string): Record<string, unknown> => ({
      name,
      typed_config: { '@type': `type.googleapis.com/envoy.extensions.filters.http.${type}` },
    });
    const filters = [empty('theirs', 'cors.v3.Cors'), empty('envoy.filters.http.router', 'router.v3.Router')];
    for (const { applyTo, patch } of configPatches) {
      if (applyTo !== 'HTTP_FILTER') continue;
      expect(['INSERT_FIRST', 'INSERT_BEFORE']).toContain(patch.operation);
      // The router is the last, and what is put in front of it comes after what was put there before.
      filters.splice(patch.operation === 'INSERT_FIRST' ? 0 : filters.length - 1, 0, patch.value);
    }
    expect(filters.map(({ name }) => name)).toEqual([
      ...['picket.address.hot', 'picket.address', 'theirs', 'picket.flow', 'picket.identify'],
      ...['picket.decide.hot', 'picket.decide.warm', 'picket.decide.cold', 'picket.limit', 'picket.tag'],
      'envoy.filters.http.router',
    ]);
    const own = { name: 'own', type: 'STATIC', load_assignment: { cluster_name: 'own' } };
    const typedConfig = {
      ...(manager?.['typed_config'] as object),
      stat_prefix: 'web',
      route_config: {
        virtual_hosts: [
          { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }] },
        ],
      },
      http_filters: filters,
    };
    const listener = {
      name: 'web',
      address: { socket_address: { address: '127.0.0.1', port_value: port } },
      filter_chains: [{ filters: [{ name: manager?.['name'], typed_config: typedConfig }] }],
    };
    let envoy: Envoy | undefined;
    try {
      envoy = await startEnvoy({
        bootstrap: {
          node: { id: 'web-0', cluster: 'shop/web' },
          dynamic_resources: {
            cds_config: { path_config_source: { path: resources('cluster', [...values('CLUSTER'), own]) } },
            lds_config: { path_config_source: { path: resources('listener', [listener]) } },
          },
        },
      });
      const client = createHttpClient({ port, localAddress: '127.0.0.1' });
      await waitFor('an answer', async () => {
        const answer = await client.send({ method: 'GET', path: '/' }).catch(() => undefined);
        return answer?.status === 200 || undefined;
      });
      client.close();
      expect(envoy.log()).toMatch(/cluster 'picket-xds' config rejected/);
      expect(JSON.stringify(await envoy.configDump())).toContain('"name":"own"');
    } finally {
      await envoy?.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

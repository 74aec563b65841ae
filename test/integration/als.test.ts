import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AccessRecord } from '@picket/analyzer/ingest/access-record.ts';
import { type AlsServer, startAlsServer } from '@picket/analyzer/ingest/als-server.ts';
import { createCompleteness } from '@picket/analyzer/ingest/completeness.ts';
import { type EnvoyCounters, fetchEnvoyCounters } from '@picket/analyzer/ingest/envoy-counters.ts';
import { renderStatsSink } from '@picket/operator/envoy/render/access-log.ts';
import { alsCluster } from '@picket/operator/envoy/render/names.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { freePort } from '../support/ports.ts';

const PREFIX = 'edge';
const NODE = 'envoy-under-test';

describe('access logs of a real Envoy', () => {
  let upstream: Server;
  let envoy: Envoy;
  let server: AlsServer | undefined;
  let alsPort: number;
  let listener: string;
  let records: Record<string, unknown>[] = [];
  let ledger = createLedger();
  /** Answers that have begun. */
  const held: ServerResponse[] = [];
  /** Of our clock, to see what a long silence leads to. */
  let ahead = 0;
  const completeness = createCompleteness({ lagMs: 500 });
  /** What the Envoy said by itself. */
  let told: { node: string; counters: EnvoyCounters }[] = [];

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      request.resume();
      request.on('end', () => {
        response.statusCode = request.url?.startsWith('/missing') ? 404 : 200;
        response.setHeader('content-type', 'application/json');
        if (request.url?.startsWith('/slow')) {
          response.write('{"ok":');
          held.push(response);
        } else response.end('{"ok":true}');
      });
    });
    upstream.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n');
      socket.on('end', () => socket.end());
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    alsPort = await freePort();
    server = await serve();
    envoy = await startEnvoy({
      bootstrap: bootstrap((upstream.address() as AddressInfo).port, alsPort),
      concurrency: 2,
      nodeId: NODE,
      cluster: 'fleet',
    });
    listener = `http://127.0.0.1:${await envoy.listenerPort('edge')}`;
  });
  afterAll(async () => {
    await envoy?.stop();
    await server?.close();
    upstream?.close();
  });

  async function serve(): Promise<AlsServer> {
    ledger = createLedger();
    return startAlsServer({
      listen: `127.0.0.1:${alsPort}`,
      onRecord(record, stream) {
        ledger.stored();
        completeness.seen({ node: record.source, prefix: stream.logName }, record.startedAtMs + record.durationMs, '');
        records.push(copyOf(record));
      },
      onCounters(node, counters) {
        told.push({ node, counters });
      },
      apiOf: () => 'shop/edge',
      ledger,
      clock: { ...systemClock, now: () => systemClock.now() + ahead },
      random: () => 0.5,
      trustOriginalPath: true,
    });
  }

  async function send(count: number, init: RequestInit = {}, path = '/orders') {
    for (let sent = 0; sent < count; sent += 50) {
      await Promise.all(
        Array.from({ length: Math.min(50, count - sent) }, async (_, i) => {
          const response = await fetch(`${listener}${path}/${sent + i}?q=1`, init);
          await response.arrayBuffer();
        }),
      );
    }
  }

  /** Waits for that many records, then a little longer for surplus ones. */
  async function arrived(count: number) {
    const deadline = systemClock.elapsed() + 30_000;
    while (records.length < count && systemClock.elapsed() < deadline) await sleep(20);
    await sleep(500);
  }

  async function sample() {
    const counters = await fetchEnvoyCounters(envoy.adminUrl, fetch, AbortSignal.timeout(5_000));
    const completed = counters.completed.get(PREFIX);
    if (completed === undefined) throw new Error(`Envoy has no counter for ${PREFIX}`);
    completeness.sample({ node: NODE, prefix: PREFIX }, { completed, uptimeS: counters.uptimeS, atMs: Date.now() });
    await sleep(1_500);
    return completeness.report(Date.now()).find(({ node }) => node === NODE);
  }

  it('give exactly one record for each of 2,000 requests', async () => {
    await sample();
    await send(2_000);
    await arrived(2_000);
    const report = await sample();
    expect(records).toHaveLength(2_000);
    expect(new Set(records.map(({ path }) => path)).size).toBe(2_000);
    expect(report).toMatchObject({ status: 'Known', seen: 2_000, expected: 2_000, ratio: 1 });
    const streams = server?.streams() ?? [];
    expect(streams.length).toBeGreaterThan(0);
    for (const stream of streams) expect(stream).toMatchObject({ nodeId: NODE, cluster: 'fleet', logName: PREFIX });
    // This Envoy reports on each request when it begins, too, and on a slow one while it runs.
    const { received, stored, dropped, held, byReason } = ledger.snapshot();
    expect({ stored, held, of: received - dropped }).toEqual({ stored: 2_000, held: 0, of: 2_000 });
    expect(dropped).toBeGreaterThanOrEqual(2_000);
    expect(byReason).toEqual([{ stage: 'decode', reason: 'unfinished', count: dropped }]);
  });

  it('tell of a long request while it runs, and count it once', async () => {
    records = [];
    const before = ledger.snapshot();
    const answer = fetch(`${listener}/slow/1`, { headers: { 'x-api-key': 'key-1' } });
    await expect.poll(() => held.length).toBe(1);
    const inFlight = () => server?.inFlight.longest(10) ?? [];
    await expect
      .poll(inFlight)
      .toEqual([
        expect.objectContaining({ api: 'shop/edge', source: NODE, method: 'GET', status: 200, responseBytes: 6 }),
      ]);
    const [first] = inFlight();
    held[0]?.write('  ');
    await expect.poll(() => inFlight()[0]?.responseBytes).toBe(8);
    const [later] = inFlight();
    expect(later?.startedAtMs).toBe(first?.startedAtMs);
    expect(later?.heardAtMs).toBeGreaterThan(first?.heardAtMs ?? 0);
    expect(ledger.snapshot().held).toBe(1);
    expect(records).toEqual([]);
    held.pop()?.end('true}');
    await (await answer).text();
    await arrived(1);
    expect(records).toMatchObject([{ path: '/slow/1', finished: true, responseBytes: 13 }]);
    expect(inFlight()).toEqual([]);
    const { received, stored, dropped, held: left } = ledger.snapshot();
    expect([stored - before.stored, left]).toEqual([1, 0]);
    expect(received).toBe(stored + dropped);
    expect(dropped - before.dropped).toBeGreaterThanOrEqual(3);
  });

  it('tell of a WebSocket when it opens, and count it when it has closed', async () => {
    records = [];
    const socket = connect(Number(new URL(listener).port), '127.0.0.1');
    socket.write('GET /socket HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n');
    await once(socket, 'data');
    await expect.poll(() => server?.inFlight.longest(1)[0]?.status).toBe(101);
    expect(records).toEqual([]);
    socket.end();
    await arrived(1);
    expect(records).toMatchObject([{ path: '/socket', status: 101 }]);
    expect(server?.inFlight.size()).toBe(0);
  });

  it('carry what AccessRecord names', async () => {
    records = [];
    await fetch(`${listener}/missing/7?token=a`, {
      method: 'POST',
      body: 'x'.repeat(1_000),
      headers: {
        'user-agent': 'test/1.0',
        'x-api-key': 'key-1',
        referer: 'https://example.com/',
        // Rewriting is Envoy's to say: a client that claims an original path must not be believed.
        'x-envoy-original-path': '/harmless',
      },
    }).then((response) => response.text());
    await arrived(1);
    expect(records).toHaveLength(1);
    const [record] = records;
    expect(record).toMatchObject({
      feed: 'als',
      source: NODE,
      finished: true,
      method: 'POST',
      authority: listener.slice('http://'.length),
      path: '/missing/7?token=a',
      status: 404,
      responseCodeDetails: 'via_upstream',
      requestBytes: 1_000,
      responseBytes: 11,
      remoteAddress: '127.0.0.1',
      directAddress: '127.0.0.1',
      userAgent: 'test/1.0',
      referer: 'https://example.com/',
      routeName: 'all',
      upstreamCluster: 'upstream',
      requestHeaders: { 'x-api-key': 'key-1', ':method': 'POST' },
      responseHeaders: { 'content-type': 'application/json' },
    });
    expect(String(record?.['requestId'])).toMatch(/^[0-9a-f-]{36}$/);
    expect(Math.abs(Number(record?.['startedAtMs']) - Date.now())).toBeLessThan(60_000);
    expect(Number(record?.['durationMs'])).toBeGreaterThan(0);
    expect(Number(record?.['upstreamMs'])).toBeLessThanOrEqual(Number(record?.['durationMs']));
  });

  it('name the path that the client sent where a route rewrites it, and unknown methods by name', async () => {
    records = [];
    await send(1, { method: 'PROPFIND' }, '/old');
    await arrived(1);
    expect(records).toMatchObject([{ method: 'PROPFIND', path: '/old/0?q=1' }]);
  });

  it('can be counted against the statistics that it sends by itself', async () => {
    told = [];
    records = [];
    await send(1);
    await arrived(1);
    const asked = await fetchEnvoyCounters(envoy.adminUrl, fetch, AbortSignal.timeout(5_000));
    await expect.poll(() => told.at(-1)?.counters.completed, { timeout: 10_000 }).toEqual(asked.completed);
    expect(told.at(-1)?.node).toBe(NODE);
    expect(told.at(-1)?.counters.uptimeS).toBeGreaterThanOrEqual(asked.uptimeS);
  });

  it('that were lost while the collector was away show in completeness', async () => {
    records = [];
    await server?.close();
    server = undefined;
    await send(300);
    await sleep(1_000);
    server = await serve();
    // Envoy tries the collector again only when it has something to send, and backs off between attempts.
    await send(100);
    await sleep(3_000);
    await send(100);
    const report = await sample();
    expect(report?.status).toBe('Known');
    expect(report?.expected).toBe(2_505);
    expect(report?.seen).toBe(2_005 + records.length);
    expect(report?.seen).toBeLessThan(2_505);
    expect(report?.seen).toBeGreaterThanOrEqual(2_105);
  });

  it('of requests whose Envoy dies are counted as never finished', async () => {
    records = [];
    const answer = fetch(`${listener}/slow/2`).catch(() => undefined);
    await expect.poll(() => server?.inFlight.size()).toBe(1);
    envoy.process.signal('SIGKILL');
    await answer;
    // Envoy told of its begin only, so it might have gone on for an hour.
    ahead = 4_000_000;
    await expect
      .poll(() => ledger.snapshot().byReason)
      .toContainEqual({ stage: 'decode', reason: 'never_finished', count: 1 });
    expect(server?.inFlight.size()).toBe(0);
    expect(ledger.snapshot().held).toBe(0);
    expect(records).toEqual([]);
  });
});

function copyOf(record: AccessRecord): Record<string, unknown> {
  return {
    ...record,
    requestHeaders: Object.fromEntries(record.requestHeaders),
    responseHeaders: Object.fromEntries(record.responseHeaders),
  };
}

function bootstrap(upstreamPort: number, alsPort: number): object {
  const cluster = (name: string, port: number, extra: object = {}) => ({
    ...{ name, type: 'STATIC', connect_timeout: '1s', ...extra },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } }] },
      ],
    },
  });
  const accessLog = {
    name: 'envoy.access_loggers.http_grpc',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig',
      common_config: {
        ...{ log_name: PREFIX, transport_api_version: 'V3' },
        grpc_service: { envoy_grpc: { cluster_name: alsCluster } },
        ...{ buffer_flush_interval: '0.2s', buffer_size_bytes: 262_144 },
      },
      additional_request_headers_to_log: [':method', 'x-api-key'],
      additional_response_headers_to_log: ['content-type'],
    },
  };
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: PREFIX,
    access_log_options: {
      access_log_flush_interval: '0.5s',
      flush_access_log_on_new_request: true,
      flush_log_on_tunnel_successfully_established: true,
    },
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    use_remote_address: true,
    access_log: [accessLog],
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          ...{ name: 'all', domains: ['*'] },
          routes: [
            { name: 'old', match: { prefix: '/old' }, route: { cluster: 'upstream', prefix_rewrite: '/new' } },
            { name: 'all', match: { prefix: '/' }, route: { cluster: 'upstream' } },
          ],
        },
      ],
    },
  };
  return {
    stats_flush_interval: '0.5s',
    stats_sinks: [renderStatsSink()],
    static_resources: {
      listeners: [
        {
          name: 'edge',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [{ filters: [{ name: 'hcm', typed_config: manager }] }],
        },
      ],
      clusters: [
        cluster('upstream', upstreamPort),
        cluster(alsCluster, alsPort, {
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        }),
      ],
    },
  };
}

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { HTTPAccessLogEntry } from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { seedShop } from '../../examples/shop/seed-data.ts';
import { type ShopServer, serveShop } from '../../examples/shop/server.ts';
import { createShop, type Shop } from '../../examples/shop/shop.ts';
import { createTokenSigner } from '../../examples/shop/tokens.ts';
import { createAddressPlan } from '../scenarios/address-plan.ts';
import { drawReleases } from '../scenarios/devices.ts';
import { writeAlsCapture } from '../scenarios/drivers/als-capture.ts';
import { type ApiManifest, flowFieldsOf } from '../scenarios/drivers/flow-fields.ts';
import { createLiveDriver } from '../scenarios/drivers/live.ts';
import { buildPopulation } from '../scenarios/population.ts';
import { createRandom } from '../scenarios/random.ts';
import type { RequestEvent } from '../scenarios/request-event.ts';
import { shoppingSession } from '../scenarios/shopping.ts';
import { type AlsSink, startAlsSink } from '../support/als-sink.ts';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { waitFor } from '../support/processes.ts';
import { loggedHeaders, shopBootstrap } from '../support/shop-envoy.ts';
import { findTool, repositoryRoot } from '../support/tools.ts';

const { missing } = findTool('envoy');
const startAt = Date.UTC(2026, 4, 4, 10);

/** The first visit of the same person, with pauses taken out so that it plays quickly. */
function visit(now: () => number): RequestEvent[] {
  const random = createRandom('one visit');
  const data = seedShop(3);
  const plan = createAddressPlan(random.fork('plan'));
  const releases = drawReleases(random);
  const reserved = new Set<string>();
  const [person] = buildPopulation({ random, data, plan, releases, people: 1, reserved });
  if (person === undefined) throw new Error('nobody came');
  const session = shoppingSession({ random, person, data, startAt: 0, until: 3_600_000 });
  return [...session].slice(0, 30).map((event, i) => ({ ...event, at: now() + i * 5 }));
}

function openShop(now: () => number): { shop: Shop; jwks: string } {
  const tokens = createTokenSigner();
  let ids = 0;
  const newId = () => `id-${ids++}`;
  return { shop: createShop({ data: seedShop(3), tokens, now, newId, orderAccess: 'anyone' }), jwks: tokens.jwks() };
}

describe.skipIf(missing !== undefined)(`the shop behind a real Envoy${missing ? ` (${missing})` : ''}`, () => {
  let envoy: Envoy;
  let server: ShopServer;
  let sink: AlsSink;
  let jwks: string;
  const folder = mkdtempSync(join(tmpdir(), 'picket-shop-'));

  beforeAll(async () => {
    const opened = openShop(() => Date.now());
    jwks = opened.jwks;
    server = await serveShop(opened.shop, 0);
    sink = await startAlsSink();
    envoy = await startEnvoy({ bootstrap: shopBootstrap(server.port, sink.port, jwks) });
  });
  afterAll(async () => {
    await envoy?.stop();
    sink?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('requests come from the addresses of the model, and the capture says what Envoy says', async () => {
    const events = visit(() => Date.now());
    const driver = createLiveDriver({
      port: await envoy.listenerPort('traffic'),
      now: () => Date.now(),
      signal: new AbortController().signal,
      onReply: () => undefined,
    });
    await driver.run(events.values());
    driver.close();
    const logged = await waitFor('entries', () => (sink.entries.length >= events.length ? sink.entries : undefined));

    const path = join(folder, 'visit.als');
    const clock = { now: startAt };
    const manifest = readFileSync(join(repositoryRoot, 'examples/shop/manifests/api.yaml'), 'utf8');
    await writeAlsCapture({
      path,
      events: visit(() => startAt),
      shop: openShop(() => clock.now).shop,
      clock,
      flows: flowFieldsOf(parse(manifest) as ApiManifest),
      random: createRandom('capture'),
      loggedHeaders: new Set(loggedHeaders),
    });
    const captured = readCapture(path);

    expect(captured.length).toBe(events.length);
    expect(captured.filter((entry) => facts(entry).subject !== undefined).length).toBeGreaterThan(0);
    expect(captured.filter((entry) => facts(entry).flow !== undefined).length).toBeGreaterThan(0);
    const inOrder = [...logged].sort((a, b) => startOf(a) - startOf(b));
    expect(captured.map(facts)).toEqual(inOrder.map(facts));
  });
});

/** What must be the same in both; times, ports, ids and token values differ by nature. */
function facts(entry: HTTPAccessLogEntry) {
  const { request, response, commonProperties } = entry;
  const jwt = commonProperties?.metadata?.filterMetadata['envoy.filters.http.jwt_authn'];
  const payload = jwt?.payload as Record<string, unknown> | undefined;
  return {
    method: request?.requestMethod,
    authority: request?.authority,
    path: request?.path,
    userAgent: request?.userAgent,
    referer: request?.referer,
    headers: Object.keys(request?.requestHeaders ?? {})
      .filter((name) => loggedHeaders.includes(name))
      .sort(),
    requestBytes: request?.requestBodyBytes,
    code: response?.responseCode,
    details: response?.responseCodeDetails,
    address: addressOf(entry),
    type: commonProperties?.accessLogType,
    subject: payload?.sub,
    claims: Object.keys(payload ?? {}).sort(),
    flow: commonProperties?.metadata?.filterMetadata['dev.picket.flow'],
  };
}

function addressOf({ commonProperties }: HTTPAccessLogEntry): string {
  const address = commonProperties?.downstreamRemoteAddress?.address;
  return address?.case === 'socketAddress' ? address.value.address : '';
}

function startOf({ commonProperties }: HTTPAccessLogEntry): number {
  const { seconds = 0n, nanos = 0 } = commonProperties?.startTime ?? {};
  return Number(seconds) * 1e3 + nanos / 1e6;
}

function readCapture(path: string): HTTPAccessLogEntry[] {
  const reader = new BinaryReader(readFileSync(path));
  const entries: HTTPAccessLogEntry[] = [];
  while (reader.pos < reader.len) {
    const { logEntries } = fromBinary(StreamAccessLogsMessageSchema, reader.bytes());
    if (logEntries.case === 'httpLogs') entries.push(...logEntries.value.logEntry);
  }
  return entries;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type ClientWritableStream, credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { AccessLogType } from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { accessLogService } from '@picket/proto/services/access-log.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { createLedger, type LedgerSnapshot } from '@picket/runtime/ledger.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { type AlsServer, type AlsServerOptions, startAlsServer } from './als-server.ts';

const Client = makeGenericClientConstructor(accessLogService, 'AccessLogService');
const running: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});

async function start(options: Partial<AlsServerOptions> = {}) {
  const ledger = createLedger();
  const paths: string[] = [];
  const ends: string[] = [];
  const server = await startAlsServer({
    listen: '127.0.0.1:0',
    onRecord: (record) => {
      paths.push(`${record.source}${record.path}`);
      ledger.stored();
    },
    events: { streamClosed: (_, reason) => ends.push(reason) },
    ledger,
    clock: systemClock,
    apiOf: () => '',
    random: () => 0.5,
    ...options,
  });
  let closed: Promise<void> | undefined;
  const close: AlsServer['close'] = (how) => (closed ??= server.close(how));
  running.push(() => close({ drainMs: 0 }));
  return { server: { ...server, close }, ledger, paths, ends };
}

/** A stream as Envoy opens it; `outcome` resolves with "ok" or the error's details. */
function openStream(port: number) {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  running.push(() => client.close());
  let resolve: (text: string) => void;
  const outcome = new Promise<string>((r) => {
    resolve = r;
  });
  const call = (
    client['streamAccessLogs'] as (cb: (error: ServiceError | null) => void) => ClientWritableStream<Buffer>
  )((error) => resolve(error ? `${error.code} ${error.details}` : 'ok'));
  call.on('error', () => {});
  return { call, outcome };
}

function message(init: MessageInitShape<typeof StreamAccessLogsMessageSchema>): Buffer {
  return Buffer.from(toBinary(StreamAccessLogsMessageSchema, create(StreamAccessLogsMessageSchema, init)));
}

function logs(...paths: string[]) {
  const logEntry = paths.map((path) => ({
    commonProperties: { startTime: { seconds: 1n }, accessLogType: AccessLogType.DownstreamEnd },
    request: { path, requestId: path },
  }));
  return { logEntries: { case: 'httpLogs' as const, value: { logEntry } } };
}

const identifier = { logName: 'edge', node: { id: 'envoy-1', cluster: 'c' } };

async function until(condition: () => boolean): Promise<void> {
  const deadline = systemClock.elapsed() + 10_000;
  while (!condition()) {
    if (systemClock.elapsed() > deadline) throw new Error('waited 10 s in vain');
    await sleep(5);
  }
}

function adds({ received, stored, dropped, held }: LedgerSnapshot): boolean {
  return received === stored + dropped + held;
}

describe('als server', () => {
  it('hands on every finished request under the node id of its stream', async () => {
    const { server, ledger, paths } = await start();
    const { call, outcome } = openStream(server.port);
    call.write(message({ identifier, ...logs('/a', '/b') }));
    call.write(message(logs('/c')));
    await until(() => paths.length === 3);
    expect(paths).toEqual(['envoy-1/a', 'envoy-1/b', 'envoy-1/c']);
    expect(server.streams()).toMatchObject([{ nodeId: 'envoy-1', cluster: 'c', logName: 'edge', entries: 3 }]);
    call.end();
    expect(await outcome).toBe('ok');
    expect(server.streams()).toEqual([]);
    expect(ledger.snapshot()).toMatchObject({ received: 3, stored: 3, dropped: 0, held: 0 });
  });

  it('counts what it cannot use, by reason', async () => {
    const { server, ledger, paths } = await start();
    const { call } = openStream(server.port);
    const tcp = { logEntries: { case: 'tcpLogs' as const, value: { logEntry: [{}, {}] } } };
    const inFlight = logs('/long');
    for (const entry of inFlight.logEntries.value.logEntry) {
      entry.commonProperties.accessLogType = AccessLogType.DownstreamPeriodic;
    }
    call.write(message({ identifier, ...tcp }));
    call.write(message(inFlight));
    call.write(Buffer.from([0x12, 0x7f, 1, 2, 3]));
    call.write(message(logs('/ok')));
    await until(() => paths.length === 1);
    expect(server.inFlight.size()).toBe(1);
    expect(ledger.snapshot().byReason).toEqual([
      { stage: 'decode', reason: 'not_http', count: 2 },
      { stage: 'decode', reason: 'truncated', count: 1 },
    ]);
    expect(adds(ledger.snapshot())).toBe(true);
    await server.close();
    expect(ledger.snapshot().byReason).toContainEqual({ stage: 'decode', reason: 'shutting_down', count: 1 });
    expect(ledger.snapshot().held).toBe(0);
  });

  it('drops messages that are too large, entry by entry, and keeps the stream', async () => {
    const { server, ledger, paths } = await start({ maxMessageBytes: 1_000 });
    const { call } = openStream(server.port);
    call.write(message(logs('x'.repeat(600), 'y'.repeat(600))));
    call.write(message(logs('/small')));
    await until(() => paths.length === 1);
    expect(ledger.snapshot().byReason).toEqual([{ stage: 'receive', reason: 'too_large', count: 2 }]);
  });

  it('never holds more than its bound, and counts the rest', async () => {
    const { server, ledger } = await start({ maxQueuedBytes: 100, maxMessageBytes: 10_000 });
    const { call, outcome } = openStream(server.port);
    call.write(message(logs(...Array.from({ length: 20 }, (_, i) => `/${i}`))));
    call.end();
    await outcome;
    expect(ledger.snapshot()).toMatchObject({ received: 20, stored: 0, dropped: 20 });
    expect(ledger.snapshot().byReason).toEqual([{ stage: 'receive', reason: 'buffer_full', count: 20 }]);
  });

  it('ends a stream once it is old, after a message', async () => {
    const { server, paths, ends } = await start({ maxStreamAgeMs: 0 });
    const { call, outcome } = openStream(server.port);
    call.write(message({ identifier, ...logs('/a') }));
    expect(await outcome).toBe('ok');
    await until(() => paths.length === 1);
    expect(ends).toEqual(['age']);
  });

  it('hands on what it has read before it closes, and accounts for all of it', async () => {
    const { server, ledger, paths, ends } = await start();
    const { call, outcome } = openStream(server.port);
    for (let i = 0; i < 50; i++) call.write(message(logs(...Array.from({ length: 200 }, () => '/x'))));
    await until(() => paths.length > 0);
    await server.close();
    await outcome;
    expect(ends).toEqual(['shutdown']);
    const snapshot = ledger.snapshot();
    expect(adds(snapshot)).toBe(true);
    expect(snapshot.held).toBe(0);
    expect(snapshot.stored).toBe(paths.length);
  });

  it('closes though a client holds its stream open', async () => {
    const { server } = await start();
    const { call } = openStream(server.port);
    call.write(message({ identifier }));
    await until(() => server.streams().length === 1);
    await server.close();
  });

  it('refuses to listen beyond loopback without certificates, naming the fix', async () => {
    await expect(start({ listen: '0.0.0.0:0' })).rejects.toMatchObject({
      code: 'InvalidConfig',
      reason: 'TlsRequired',
      message: expect.stringMatching(/--als-listen: 0\.0\.0\.0:0 is not loopback.*or listen on 127\.0\.0\.1/),
    });
    await expect(start({ listen: 'nowhere' })).rejects.toThrow('--als-listen: "nowhere" is not an address');
  });

  it('says which address is taken', async () => {
    const { server } = await start();
    await expect(start({ listen: `127.0.0.1:${server.port}` })).rejects.toMatchObject({ code: 'AddressInUse' });
  });

  it('fails clearly when certificate files cannot be used', async () => {
    const missing = {
      certificateFile: '/nowhere/tls.crt',
      privateKeyFile: '/nowhere/tls.key',
      clientCaFile: '/nowhere/ca.crt',
    };
    await expect(start({ tls: { ...missing, fleets: {} } })).rejects.toMatchObject({ reason: 'TlsFiles' });
  });
});

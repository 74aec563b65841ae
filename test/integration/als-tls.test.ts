import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { create, toBinary } from '@bufbuild/protobuf';
import { type ClientWritableStream, credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { type AlsServer, startAlsServer } from '@picket/analyzer/ingest/als-server.ts';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { accessLogService } from '@picket/proto/services/access-log.ts';
import { metricsService } from '@picket/proto/services/metrics.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPki, missingOpenssl } from '../support/pki.ts';
import { statsMessage } from '../support/stats-message.ts';

const services = {
  streamAccessLogs: makeGenericClientConstructor(accessLogService, 'AccessLogService'),
  streamMetrics: makeGenericClientConstructor(metricsService, 'MetricsService'),
};
type OpenStream = (done: (error: ServiceError | null) => void) => ClientWritableStream<Buffer>;

describe.skipIf(missingOpenssl !== undefined)('the access log listener beyond loopback (needs openssl)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-tls-'));
  const file = (name: string) => join(folder, name);
  const ledger = createLedger();
  const fleets: (string | undefined)[] = [];
  const problems: string[] = [];
  const counted: [string, number | undefined][] = [];
  let reloads = 0;
  let server: AlsServer;

  beforeAll(async () => {
    const pki = createPki(folder);
    pki.issue('server-1', 'DNS:localhost');
    pki.issue('server-2', 'DNS:localhost');
    pki.issue('edge', 'URI:spiffe://example.com/ns/edge/sa/envoy');
    // One name that holds another: must not be read as two.
    pki.issue('sly', 'URI:urn:x, URI:spiffe://example.com/ns/edge/sa/envoy, y');
    pki.issue('stranger', 'DNS:stranger.example.com');
    present('server-1');
    server = await startAlsServer({
      listen: '0.0.0.0:0',
      tls: {
        certificateFile: file('tls.crt'),
        privateKeyFile: file('tls.key'),
        clientCaFile: file('ca.crt'),
        refreshMs: 50,
        fleets: { edge: ['spiffe://example.com/ns/edge/sa/envoy'] },
      },
      onRecord(_, stream) {
        fleets.push(stream.fleet);
        ledger.stored();
      },
      events: {
        certificatesReloaded: () => reloads++,
        certificateProblem: (error) => problems.push(error.message),
      },
      onCounters: (node, { completed }) => counted.push([node, completed.get('ingress')]),
      apiOf: () => '',
      ledger,
      clock: systemClock,
      random: () => 0.5,
    });
  });
  afterAll(async () => {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Puts a pair where the server looks for its own. */
  function present(name: string) {
    copyFileSync(file(`${name}.key`), file('tls.key'));
    copyFileSync(file(`${name}.crt`), file('tls.crt'));
  }

  const entry = { commonProperties: { startTime: {} }, request: { path: '/' } };
  const logEntries = { case: 'httpLogs' as const, value: { logEntry: [entry] } };
  const messages = {
    streamAccessLogs: Buffer.from(
      toBinary(StreamAccessLogsMessageSchema, create(StreamAccessLogsMessageSchema, { logEntries })),
    ),
    streamMetrics: statsMessage(
      [
        ['http.ingress.downstream_rq_completed', 'counter', 7],
        ['server.uptime', 'gauge', 60],
      ],
      'envoy-0',
    ),
  };

  /** Sends one message; answers the outcome of the stream. */
  async function send(
    identity: string | undefined,
    method: keyof typeof messages = 'streamAccessLogs',
  ): Promise<string> {
    const pair = identity
      ? [readFileSync(file(`${identity}.key`)), readFileSync(file(`${identity}.crt`))]
      : [null, null];
    const client = new services[method](
      `localhost:${server.port}`,
      credentials.createSsl(readFileSync(file('ca.crt')), pair[0] ?? null, pair[1] ?? null),
    );
    try {
      return await new Promise<string>((resolve) => {
        const open = client[method]?.bind(client) as OpenStream;
        const call = open((error) => resolve(error ? `${error.code} ${error.details}` : 'ok'));
        call.on('error', () => {});
        call.write(messages[method]);
        call.end();
      });
    } finally {
      client.close();
    }
  }

  async function serverName(): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(
        {
          ...{ host: 'localhost', port: server.port, ca: readFileSync(file('ca.crt')), ALPNProtocols: ['h2'] },
          ...{ key: readFileSync(file('edge.key')), cert: readFileSync(file('edge.crt')) },
        },
        () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        },
      );
      socket.on('error', reject);
    });
  }

  it('takes entries of a known certificate under its fleet', async () => {
    expect(await send('edge')).toBe('ok');
    expect(fleets).toEqual(['edge']);
  });

  it('refuses clients without a certificate', async () => {
    expect(await send(undefined)).toMatch(/^14 /);
    expect(ledger.snapshot().received).toBe(1);
  });

  it('drops entries of certificates that belong to no fleet, and says so to the sender', async () => {
    expect(await send('stranger')).toBe('7 the certificate belongs to no fleet of this server');
    expect(await send('sly')).toBe('7 the certificate belongs to no fleet of this server');
    expect(ledger.snapshot().byReason).toEqual([{ stage: 'receive', reason: 'foreign_fleet', count: 2 }]);
  });

  it('takes statistics of the same clients only', async () => {
    expect(await send('edge', 'streamMetrics')).toBe('ok');
    expect(await send('stranger', 'streamMetrics')).toBe('7 the certificate belongs to no fleet of this server');
    expect(counted).toEqual([['envoy-0', 7]]);
  });

  it('keeps the last good certificate, and takes a new one without a restart', async () => {
    expect(await serverName()).toBe('server-1');
    copyFileSync(file('server-2.crt'), file('tls.crt'));
    while (problems.length === 0) await sleep(20);
    expect(problems[0]).toContain('key values mismatch');
    expect(await serverName()).toBe('server-1');
    expect(reloads).toBe(0);
    present('server-2');
    while (reloads === 0) await sleep(20);
    expect(await serverName()).toBe('server-2');
    expect(await send('edge')).toBe('ok');
  });
});

import { Server, type ServerReadableStream, status, type sendUnaryData } from '@grpc/grpc-js';
import { create } from '@bufbuild/protobuf';
import { StreamAccessLogsResponseSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { accessLogService } from '@picket/proto/services/access-log.ts';
import { metricsService } from '@picket/proto/services/metrics.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import { parseListenAddress } from '@picket/runtime/grpc/listen-address.ts';
import { createServerCredentials, type TlsFiles } from '@picket/runtime/grpc/server-credentials.ts';
import type { Ledger } from '@picket/runtime/ledger.ts';
import { type AccessRecord, Feed } from './access-record.ts';
import { createAlsDecoder } from './als-decoder.ts';
import { readAlsEnvelope } from './als-envelope.ts';
import { createInFlight, type InFlight } from './in-flight.ts';
import { createAlsQueue } from './als-queue.ts';
import { countDrops } from './als-drops.ts';
import type { EnvoyCounters } from './envoy-counters.ts';
import { createFleetOf } from './fleet-of.ts';
import { createStatsStreams } from './stats-streams.ts';
import { createWireReader } from './wire-reader.ts';

export interface AlsServerOptions {
  /** `host:port` or `[v6]:port`; beyond loopback `tls` is a must. */
  listen: string;
  tls?: AlsTls | undefined;
  /** Finished requests, one at a time; the record is valid during the call only. From here on the caller counts. */
  onRecord(record: AccessRecord, stream: AlsStreamInfo): void;
  /** What an Envoy that sends its statistics has counted. */
  onCounters?(nodeId: string, counters: EnvoyCounters): void;
  /** Which API a request in flight belongs to, "" for none. */
  apiOf(record: AccessRecord): string;
  events?: AlsServerEvents;
  ledger: Ledger;
  clock: Clock;
  /** All Envoys of this listener are edges (`use_remote_address: true`), see `AlsDecoderOptions`. */
  trustOriginalPath?: boolean;
  /** In [0, 1): spreads the closing of streams. */
  random(): number;
  /** A stream is closed after this long, ±20 %, so that streams spread over replicas; 5 min unless told. */
  maxStreamAgeMs?: number;
  /** Larger messages are dropped and counted; 4 MiB unless told (Envoy flushes at `buffer_size_bytes`). */
  maxMessageBytes?: number;
  /** Messages read and not decoded yet; 64 MiB unless told. */
  maxQueuedBytes?: number;
}

export interface AlsTls extends TlsFiles {
  refreshMs?: number;
  /** Fleet → names (SPIFFE id, DNS or URI SAN, common name) whose certificates belong to it. Others are refused. */
  fleets: Readonly<Record<string, readonly string[]>>;
}

/** For metrics and logs. */
export interface AlsServerEvents {
  streamOpened?(stream: AlsStreamInfo): void;
  streamClosed?(stream: AlsStreamInfo, reason: StreamEnd): void;
  message?(bytes: number, entries: number): void;
  certificatesReloaded?(): void;
  certificateProblem?(error: PicketError): void;
}

/** `client`: Envoy ended it. `age`: closed to spread. `failed`: the connection broke. */
export type StreamEnd = 'client' | 'age' | 'failed' | 'shutdown' | 'foreign_fleet';

export interface AlsStreamInfo {
  /** From the identifier; the peer's address while (or if) there is none. */
  nodeId: string;
  cluster: string;
  logName: string;
  /** Of the client's certificate; undefined on a listener without TLS, which only this machine reaches. */
  fleet: string | undefined;
  peer: string;
  openedAtMs: number;
  lastSeenAtMs: number;
  entries: number;
}

export interface AlsServer {
  port: number;
  /** Open streams. */
  streams(): AlsStreamInfo[];
  readonly inFlight: Pick<InFlight, 'size' | 'longest' | 'byApi'>;
  /** Ends all streams, hands on what was read (up to `drainMs`, 5 s unless told) and stops listening. */
  close(options?: { drainMs?: number }): Promise<void>;
}

interface OpenStream {
  info: AlsStreamInfo;
  source: string;
  /** By the monotonic clock: a step of the other one must not end all streams at once. */
  closeAtElapsedMs: number;
  end(reason: StreamEnd): void;
}

interface Message {
  bytes: Uint8Array;
  entries: number;
  arrivedAtMs: number;
  stream: OpenStream;
}

/** Messages up to four times what is taken are read whole, so that the loss can be counted in entries. */
const READ_FACTOR = 4;
/** How often requests in flight of which nothing was heard are looked for. */
const SWEEP_MS = 10_000;

/**
 * Serves `envoy.service.accesslog.v3.AccessLogService` and, for completeness, `envoy.service.metrics.v3.MetricsService`.
 *
 * @throws PicketError InvalidConfig (address, TLS), AddressInUse, PermissionDenied
 */
export async function startAlsServer(options: AlsServerOptions): Promise<AlsServer> {
  const { ledger, clock, events = {}, onRecord } = options;
  const { maxStreamAgeMs = 300_000, maxMessageBytes = 4 << 20, maxQueuedBytes = 64 << 20 } = options;
  const address = parseListenAddress(options.listen, '--als-listen');
  const { credentials, stop: stopCredentials } = await createServerCredentials({
    flag: '--als-listen',
    address,
    tls: options.tls,
    ...(options.tls?.refreshMs === undefined ? {} : { refreshMs: options.tls.refreshMs }),
    onReload: () => events.certificatesReloaded?.(),
    onProblem: (error) => events.certificateProblem?.(error),
  });
  const fleetOf = createFleetOf(options.tls?.fleets ?? {});
  const stats = createStatsStreams({
    ...(options.tls ? { fleetOf } : {}),
    onCounters: (node, counters) => options.onCounters?.(node, counters),
  });

  const open = new Set<OpenStream>();
  let closed = false;
  const envelopeReader = createWireReader();
  const decoder = createAlsDecoder({ trustOriginalPath: options.trustOriginalPath ?? false });
  let current: AlsStreamInfo;
  const inFlight = createInFlight({ ledger, apiOf: (record) => options.apiOf(record) });
  const sink = {
    finished(record: AccessRecord) {
      inFlight.finished(record);
      onRecord(record, current);
    },
    periodic: (record: AccessRecord) => inFlight.progress(record),
  };
  const sweeping = setInterval(() => inFlight.sweep(clock.now()), SWEEP_MS);
  sweeping.unref();
  const queue = createAlsQueue<Message>({
    maxBytes: maxQueuedBytes,
    clock,
    handle({ bytes, stream, arrivedAtMs }) {
      current = stream.info;
      countDrops(ledger, decoder.decode(bytes, stream, arrivedAtMs, sink));
    },
  });
  ledger.holds('receive', queue.entries);

  const server = new Server({ 'grpc.max_receive_message_length': maxMessageBytes * READ_FACTOR });
  server.addService(accessLogService, { streamAccessLogs: serveStream });
  server.addService(metricsService, { streamMetrics: stats.serve });
  const port = await bind(server, address.target, credentials).catch((error: unknown) => {
    stopCredentials();
    clearInterval(sweeping);
    throw error;
  });

  return {
    port,
    streams: () => [...open].map(({ info }) => ({ ...info })),
    inFlight,
    async close({ drainMs = 5_000 } = {}) {
      stopCredentials();
      for (const stream of open) stream.end('shutdown');
      stats.close();
      const stopped = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      const lost = await queue.drain(drainMs);
      closed = true;
      clearInterval(sweeping);
      inFlight.close();
      if (lost > 0) ledger.dropped('receive', 'shutting_down', lost);
      const force = setTimeout(() => server.forceShutdown(), 1_000);
      await stopped;
      clearTimeout(force);
    },
  };

  function serveStream(call: ServerReadableStream<Buffer, unknown>, callback: sendUnaryData<unknown>): void {
    const now = clock.now();
    const fleet = options.tls ? fleetOf(call.getAuthContext().sslPeerCertificate) : undefined;
    const peer = call.getPeer();
    const info: AlsStreamInfo = {
      ...{ nodeId: peer, cluster: '', logName: '', fleet, peer },
      ...{ openedAtMs: now, lastSeenAtMs: now, entries: 0 },
    };
    let ended = false;
    const stream: OpenStream = {
      info,
      source: peer,
      closeAtElapsedMs: clock.elapsed() + maxStreamAgeMs * (0.8 + 0.4 * options.random()),
      end(reason) {
        if (ended) return;
        ended = true;
        open.delete(stream);
        events.streamClosed?.(info, reason);
        if (reason === 'foreign_fleet') {
          callback({ code: status.PERMISSION_DENIED, details: 'the certificate belongs to no fleet of this server' });
        } else if (reason !== 'failed') callback(null, create(StreamAccessLogsResponseSchema));
      },
    };
    open.add(stream);
    events.streamOpened?.(info);
    call.on('data', (bytes: Buffer) => receive(stream, bytes));
    call.on('end', () => stream.end('client'));
    call.on('error', () => stream.end('failed'));
    call.on('cancelled', () => stream.end('failed'));
  }

  function receive(stream: OpenStream, bytes: Buffer): void {
    const now = clock.now();
    const { info } = stream;
    const { identifier, entries } = readAlsEnvelope(envelopeReader, bytes);
    if (identifier) {
      Object.assign(info, identifier);
      stream.source = identifier.nodeId || info.peer;
    }
    info.lastSeenAtMs = now;
    info.entries += entries;
    events.message?.(bytes.byteLength, entries);
    ledger.received(Feed.als, entries);
    if (options.tls && info.fleet === undefined) {
      ledger.dropped('receive', 'foreign_fleet', entries);
      stream.end('foreign_fleet');
      return;
    }
    if (closed) ledger.dropped('receive', 'shutting_down', entries);
    else if (bytes.byteLength > maxMessageBytes) ledger.dropped('receive', 'too_large', entries);
    else if (!queue.push({ bytes, entries, arrivedAtMs: now, stream })) {
      ledger.dropped('receive', 'buffer_full', entries);
    }
    // Right after a message the least is in flight: Envoy has just emptied its buffer.
    if (clock.elapsed() >= stream.closeAtElapsedMs) stream.end('age');
  }
}

async function bind(server: Server, target: string, credentials: Parameters<Server['bindAsync']>[1]): Promise<number> {
  try {
    return await new Promise<number>((resolve, reject) => {
      server.bindAsync(target, credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
  } catch (error) {
    const message = (error as Error).message;
    const code = message.includes('EADDRINUSE')
      ? 'AddressInUse'
      : message.includes('EACCES')
        ? 'PermissionDenied'
        : 'InvalidConfig';
    throw new PicketError(code, `--als-listen: cannot listen on ${target}: ${message}`, { cause: error });
  }
}

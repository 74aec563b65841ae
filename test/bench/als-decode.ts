import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { createAlsDecoder } from '@picket/analyzer/ingest/als-decoder.ts';
import { AccessLogType } from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { systemClock } from '@picket/runtime/clock.ts';

/** Figures of `runAlsDecodeBench`: entries per second on one core. */
export interface AlsDecodeFigures {
  entryBytes: number;
  entries: number;
  selectivePerSecond: number;
  fullPerSecond: number;
  ratio: number;
}

const ENTRIES_PER_MESSAGE = 300;

/**
 * Decodes the same messages selectively and with protobuf-es, in turns, and takes the best round of each: what else
 * runs on the machine only ever makes a round slower.
 *
 * @param roundMs how long each of the ten rounds takes
 */
export function runAlsDecodeBench(roundMs = 500): AlsDecodeFigures {
  const messages = Array.from({ length: 8 }, (_, seed) => buildMessage(seed));
  const decoder = createAlsDecoder();
  const stream = { source: 'bench' };
  let paths = 0;
  const sink = { finished: (record: { path: string }) => void (paths += record.path.length) };
  const selective = (bytes: Uint8Array) => void decoder.decode(bytes, stream, 0, sink);
  const full = (bytes: Uint8Array) => {
    const { logEntries } = fromBinary(StreamAccessLogsMessageSchema, bytes);
    if (logEntries.case === 'httpLogs') paths += logEntries.value.logEntry.length;
  };
  let selectivePerSecond = 0;
  let fullPerSecond = 0;
  for (let round = 0; round < 5; round++) {
    selectivePerSecond = Math.max(selectivePerSecond, measure(messages, selective, roundMs));
    fullPerSecond = Math.max(fullPerSecond, measure(messages, full, roundMs));
  }
  if (paths === 0) throw new Error('nothing was decoded');
  const bytes = messages.reduce((sum, message) => sum + message.length, 0);
  const entries = messages.length * ENTRIES_PER_MESSAGE;
  return {
    entryBytes: Math.round(bytes / entries),
    entries,
    selectivePerSecond: Math.round(selectivePerSecond),
    fullPerSecond: Math.round(fullPerSecond),
    ratio: Number((selectivePerSecond / fullPerSecond).toFixed(2)),
  };
}

function measure(messages: Uint8Array[], decode: (bytes: Uint8Array) => void, durationMs: number): number {
  const startedAt = systemClock.elapsed();
  let entries = 0;
  let elapsedMs = 0;
  while (elapsedMs < durationMs) {
    for (const message of messages) decode(message);
    entries += messages.length * ENTRIES_PER_MESSAGE;
    elapsedMs = systemClock.elapsed() - startedAt;
  }
  return (entries / elapsedMs) * 1000;
}

/** Entries as an Envoy with the bootstrap of `picket envoy bootstrap` writes them: many users, few hosts and routes. */
function buildMessage(seed: number): Uint8Array {
  const logEntry = Array.from({ length: ENTRIES_PER_MESSAGE }, (_, i) => {
    const n = seed * ENTRIES_PER_MESSAGE + i;
    const address = (port: number, host: string) => ({
      address: {
        case: 'socketAddress' as const,
        value: { address: host, portSpecifier: { case: 'portValue' as const, value: port } },
      },
    });
    return {
      commonProperties: {
        downstreamRemoteAddress: address(40_000 + (n % 20_000), `198.51.${n % 100}.${n % 250}`),
        downstreamLocalAddress: address(8443, '10.0.0.7'),
        downstreamDirectRemoteAddress: address(40_000 + (n % 20_000), `198.51.${n % 100}.${n % 250}`),
        upstreamRemoteAddress: address(8080, '10.1.2.3'),
        startTime: { seconds: 1_790_000_000n + BigInt(n), nanos: 123_456_789 },
        timeToLastRxByte: { nanos: 120_000 },
        timeToLastUpstreamRxByte: { nanos: 23_456_000 },
        timeToLastDownstreamTxByte: { nanos: 24_000_000 },
        duration: { nanos: 24_100_000 },
        upstreamCluster: 'shop',
        routeName: 'orders',
        streamId: `7f3c9a52-5b1e-4c49-9d4e-${String(n).padStart(12, '0')}`,
        metadata: {
          filterMetadata: {
            'envoy.filters.http.jwt_authn': {
              payload: {
                sub: `user-${n % 5000}`,
                iss: 'https://id.example.com/realms/shop',
                aud: 'shop',
                exp: 1_790_003_600,
                azp: 'web',
              },
            },
          },
        },
        downstreamWireBytesSent: 1834n,
        downstreamWireBytesReceived: 612n,
        accessLogType: AccessLogType.DownstreamEnd,
      },
      protocolVersion: 2,
      request: {
        requestMethod: 1,
        scheme: 'https',
        authority: 'shop.example.com',
        path: `/v1/orders/${n}?expand=items`,
        userAgent: `Mozilla/5.0 (X11; Linux x86_64; rv:${100 + (n % 40)}.0) Gecko/20100101 Firefox/${100 + (n % 40)}.0`,
        forwardedFor: `198.51.${n % 100}.${n % 250}`,
        requestId: `1cdd61b4-5a0c-4b0f-8f63-${String(n).padStart(12, '0')}`,
        requestHeadersBytes: 512n,
        requestHeaders: { 'x-api-key': `key-${n % 3000}`, 'accept-language': 'en-GB,en;q=0.8', accept: '*/*' },
      },
      response: {
        responseCode: 200,
        responseHeadersBytes: 181n,
        responseBodyBytes: 1653n,
        responseHeaders: { 'content-type': 'application/json' },
        responseCodeDetails: 'via_upstream',
      },
    };
  });
  return toBinary(
    StreamAccessLogsMessageSchema,
    create(StreamAccessLogsMessageSchema, { logEntries: { case: 'httpLogs', value: { logEntry } } }),
  );
}

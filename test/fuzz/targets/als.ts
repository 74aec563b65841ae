/** `StreamAccessLogsMessage`: whatever the bytes, every entry is counted once and nothing is thrown. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { AccessRecord } from '@picket/analyzer/ingest/access-record.ts';
import { createAlsDecoder } from '@picket/analyzer/ingest/als-decoder.ts';
import { readAlsEnvelope } from '@picket/analyzer/ingest/als-envelope.ts';
import { createWireReader } from '@picket/analyzer/ingest/wire-reader.ts';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { entry, type EntryInit } from '../../support/als-client.ts';
import { type FuzzTarget, must } from '../fuzz.ts';

export function alsTarget(): FuzzTarget {
  const decoder = createAlsDecoder({ trustOriginalPath: true });
  const reader = createWireReader();
  const stream = { source: 'fuzz' };
  return {
    seeds: alsMessages(),
    dictionary: wirePieces,
    check(input) {
      const { entries } = readAlsEnvelope(reader, input);
      let told = 0;
      const take = (record: AccessRecord): void => {
        told++;
        checkRecord(record);
      };
      const counts = decoder.decode(input, stream, 0, { finished: take, periodic: take });
      const counted = Object.values(counts).reduce((sum, n) => sum + n, 0);
      must(counted === entries, `the envelope counts ${entries} entries, the decoder ${counted}`);
      must(told === counts.finished + counts.periodic, `${told} records were told of ${counts.finished} finished`);
    },
  };
}

/** Tags and lengths of the fields that are read, and such as no encoder writes. */
export const wirePieces: readonly string[] = [
  '\x0a',
  '\x12',
  '\x1a',
  '\x22',
  '\x2a',
  '\x52',
  '\x62',
  '\x7a',
  '\x0b',
  '\x0c',
  '\x13',
  '\x00',
  '\x07',
  '\x0a\x00',
  '\x12\x00',
  '\x12\x02\x0a\x00',
  '\x18\x06',
  '\x0a\x04\x08\x01\x10\x01',
  '\x8a\x01',
  '\x9a\x01',
];

const paths = ['payload/sub', 'payload/realm/roles', '', '/', 'login:request.username', 'a/b/c/d'];

function checkRecord(record: AccessRecord): void {
  must(Number.isFinite(record.startedAtMs), `startedAtMs is ${record.startedAtMs}`);
  must(!(record.durationMs < 0), `durationMs is ${record.durationMs}`);
  must(Number.isInteger(record.status) && record.status >= 0, `status is ${record.status}`);
  must(record.requestHeaders.size <= 256 && record.responseHeaders.size <= 256, 'more headers than are taken');
  for (const text of [record.path, record.authority, record.method, record.userAgent, record.remoteAddress])
    must(typeof text === 'string', 'a field is no text');
  for (const path of paths) {
    const value = record.metadata('envoy.filters.http.jwt_authn', path);
    must(['undefined', 'string', 'number', 'boolean'].includes(typeof value), `metadata answers a ${typeof value}`);
  }
}

/** Messages as Envoys send them: one entry, many, none, with and without identifier. */
export function alsMessages(): Buffer[] {
  const at = 1_790_000_000_123;
  const entries: EntryInit[] = [
    entry({
      at,
      address: '203.0.113.9',
      path: '/v1/products/17?sort=asc',
      headers: { cookie: 'sid=abc', 'x-api-key': 'k' },
    }),
    entry({ at, address: '2001:db8::1', path: '', login: { account: 'ann', ok: false }, status: 401 }),
    entry({
      at,
      address: '203.0.113.10',
      path: '/v1/orders/81',
      method: 'POST',
      headers: { authorization: 'Bearer e30.e30.x' },
    }),
    {
      commonProperties: {
        startTime: { seconds: 1_790_000_000n, nanos: 5 },
        duration: { nanos: 24_100_000 },
        timeToLastUpstreamRxByte: { nanos: 9_000_000 },
        accessLogType: 6,
        tlsProperties: {
          ja3FingerPrint: 'abc',
          peerCertificateProperties: { subjectAltName: [{ san: { case: 'uri', value: 'spiffe://td/ns/a/sa/b' } }] },
        },
        customTags: { ja4: 't13d1516h2_8daaf6152771_b0da82dd0001' },
        metadata: {
          filterMetadata: {
            'envoy.filters.http.jwt_authn': {
              payload: { sub: 'user-1', exp: 1_790_003_600, realm: { roles: ['a', 'b'], deep: { er: true } } },
            },
            'envoy.filters.http.rbac': { picket_shadow_effective_policy_id: 'tag-elevated' },
          },
        },
        routeName: 'orders',
        upstreamCluster: 'shop',
      },
      request: { requestMethod: 1, authority: 'shop.example', path: '/v1/x', originalPath: '/y', requestId: 'id-1' },
      response: { responseCode: 200, responseHeaders: { 'content-type': 'application/json' } },
    } as EntryInit,
    { commonProperties: { accessLogType: 5, startTime: { seconds: 1n } }, request: { path: '/stream' } },
  ];
  const message = (logEntry: EntryInit[], nodeId?: string): Buffer =>
    Buffer.from(
      toBinary(
        StreamAccessLogsMessageSchema,
        create(StreamAccessLogsMessageSchema, {
          ...(nodeId === undefined ? {} : { identifier: { node: { id: nodeId, cluster: 'shop' }, logName: 'picket' } }),
          logEntries: { case: 'httpLogs', value: { logEntry } },
        }),
      ),
    );
  const tcp = create(StreamAccessLogsMessageSchema, {
    logEntries: { case: 'tcpLogs', value: { logEntry: [{ commonProperties: {} }, {}] } },
  });
  return [
    message(entries, 'envoy-1'),
    ...entries.map((one) => message([one])),
    message([]),
    message(Array.from({ length: 12 }, (_, i) => entries[i % entries.length] as EntryInit)),
    Buffer.from(toBinary(StreamAccessLogsMessageSchema, tcp)),
  ];
}

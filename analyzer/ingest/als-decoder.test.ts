import { existsSync, readFileSync } from 'node:fs';
import { create, fromBinary, fromJson, type JsonValue, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { StructSchema, ValueSchema } from '@bufbuild/protobuf/wkt';
import type { Address } from '@picket/proto/gen/envoy/config/core/v3/address_pb.js';
import { JA4_CUSTOM_TAG } from '@picket/proto/access-log.ts';
import {
  AccessLogType,
  type HTTPAccessLogEntry,
  HTTPAccessLogEntrySchema,
} from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessRecord } from './access-record.ts';
import { type AlsCounts, createAlsDecoder, MAX_ENTRY_BYTES, MAX_HEADERS } from './als-decoder.ts';
import { readAlsEnvelope } from './als-envelope.ts';
import { createWireReader } from './wire-reader.ts';

type EntryInit = MessageInitShape<typeof HTTPAccessLogEntrySchema>;

const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'grapheme', maxLength: 12 })).filter(
  // A byte order mark at the start is dropped by TextDecoder, which protobuf-es reads with, and kept by us.
  (s) => !s.startsWith('\ufeff'),
);
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 53n });
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const time = fc.record({ seconds: fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n }), nanos: int32 });
const address = fc.oneof(
  fc.record({ case: fc.constant('socketAddress' as const), value: fc.record({ address: text }) }),
  fc.record({ case: fc.constant('pipe' as const), value: fc.record({ path: text }) }),
  fc.record({
    case: fc.constant('envoyInternalAddress' as const),
    value: fc.record({ endpointId: text }),
  }),
);
const optionalAddress = fc.option(fc.record({ address }), { nil: undefined });
const san = fc.oneof(
  fc.record({ case: fc.constant('uri' as const), value: fc.oneof(text, fc.constant('spiffe://td/ns/a/sa/b')) }),
  fc.record({ case: fc.constant('dns' as const), value: text }),
);
const json: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    text,
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'payload', ''), tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;
const struct = fc.dictionary(fc.constantFrom('a', 'b', 'payload', 'sub'), json, { noNullPrototype: true });
const headers = fc.dictionary(fc.oneof(text, fc.constantFrom(':method', 'X-Api-Key', 'cookie')), text, {
  maxKeys: 4,
  noNullPrototype: true,
});

const entryInit = fc.record(
  {
    protocolVersion: fc.constantFrom(0, 2),
    commonProperties: fc.record(
      {
        sampleRate: fc.double({ noNaN: true }),
        downstreamRemoteAddress: optionalAddress,
        downstreamLocalAddress: optionalAddress,
        downstreamDirectRemoteAddress: optionalAddress,
        tlsProperties: fc.record(
          {
            tlsSniHostname: text,
            ja3Fingerprint: text,
            peerCertificateProperties: fc.record({
              subject: text,
              subjectAltName: fc.array(fc.record({ san }), { maxLength: 3 }),
            }),
          },
          { requiredKeys: [] },
        ),
        startTime: time,
        timeToLastRxByte: time,
        timeToLastUpstreamRxByte: time,
        timeToLastDownstreamTxByte: time,
        duration: time,
        upstreamCluster: text,
        routeName: text,
        streamId: text,
        metadata: fc.record({
          filterMetadata: fc.dictionary(fc.constantFrom('ns', 'jwt', ''), struct, { noNullPrototype: true }),
        }),
        customTags: fc.dictionary(fc.constantFrom(JA4_CUSTOM_TAG, 'other'), fc.oneof(text, fc.constant('-')), {
          noNullPrototype: true,
        }),
        intermediateLogEntry: fc.boolean(),
        downstreamWireBytesSent: uint64,
        accessLogType: fc.integer({ min: 0, max: 13 }),
      },
      { requiredKeys: [] },
    ),
    request: fc.record(
      {
        requestMethod: fc.integer({ min: 0, max: 9 }),
        scheme: text,
        authority: text,
        path: text,
        userAgent: text,
        referer: text,
        forwardedFor: text,
        requestId: text,
        originalPath: text,
        requestHeadersBytes: uint64,
        requestBodyBytes: uint64,
        requestHeaders: headers,
      },
      { requiredKeys: [] },
    ),
    response: fc.record(
      {
        responseCode: fc.nat({ max: 2 ** 32 - 1 }),
        responseBodyBytes: uint64,
        responseHeaders: headers,
        responseTrailers: headers,
        responseCodeDetails: text,
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<EntryInit>;

/** Fields no schema knows: a varint, a fixed64, bytes and a group that holds a group. */
const unknownFields = fc
  .array(
    fc.constantFrom(
      [0xc0, 0x3e, 0xff, 0x01],
      [0xc1, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8],
      [0xc2, 0x3e, 2, 9, 9],
      [0xc5, 0x3e, 1, 2, 3, 4],
      [0xc3, 0x3e, 0xcb, 0x3e, 0x08, 0x01, 0xcc, 0x3e, 0xc4, 0x3e],
    ),
    { maxLength: 3 },
  )
  .map((fields) => Uint8Array.from(fields.flat()));

const lookups = ['ns', 'jwt', ''].flatMap((namespace) =>
  ['a', 'b', 'payload/a', 'payload/b', 'payload/sub', 'a/b', 'a/payload/b', '', 'none'].map(
    (path) => [namespace, path] as const,
  ),
);

/** What the record must say of an entry, from the whole message. Undefined: no record. */
function expectedRecord(entry: HTTPAccessLogEntry) {
  const common = entry.commonProperties;
  const request = entry.request;
  const type = common?.accessLogType ?? 0;
  if (![0, 4, 5, 6, 10].includes(type) || !common?.startTime || !request) return undefined;
  const ms = (t: { seconds: bigint; nanos: number } | undefined) => {
    const value = t ? Number(t.seconds) * 1000 + t.nanos / 1e6 : Number.NaN;
    return value >= 0 ? value : Number.NaN;
  };
  const sent = ms(common.timeToLastDownstreamTxByte);
  const sans = common.tlsProperties?.peerCertificateProperties?.subjectAltName ?? [];
  const names = (kind: string) => sans.flatMap(({ san }) => (san.case === kind && san.value ? [san.value] : []));
  const requestHeaders = lowerCaseKeys(request.requestHeaders);
  const ja4 = common.customTags[JA4_CUSTOM_TAG] ?? '';
  return {
    finished: type === 6 || (type === 0 && !common.intermediateLogEntry),
    startedAtMs: Number(common.startTime.seconds) * 1000 + common.startTime.nanos / 1e6,
    durationMs: Number.isNaN(sent) ? ms(common.duration) : sent,
    upstreamMs: ms(common.timeToLastUpstreamRxByte),
    method:
      ['', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'][request.requestMethod] ||
      (requestHeaders.get(':method') ?? '').toUpperCase(),
    authority: request.authority,
    path: request.originalPath || request.path,
    status: entry.response?.responseCode ?? 0,
    responseCodeDetails: entry.response?.responseCodeDetails ?? '',
    requestBytes: Number(request.requestBodyBytes),
    responseBytes: entry.response ? Number(entry.response.responseBodyBytes) : Number.NaN,
    remoteAddress: addressText(common.downstreamRemoteAddress),
    directAddress: addressText(common.downstreamDirectRemoteAddress),
    userAgent: request.userAgent,
    referer: request.referer,
    requestId: request.requestId,
    requestHeaders,
    responseHeaders: lowerCaseKeys(entry.response?.responseHeaders ?? {}),
    ja3: common.tlsProperties?.ja3Fingerprint ?? '',
    ja4: ja4 === '-' ? '' : ja4,
    peerCertificate:
      names('uri').join() || common.tlsProperties?.peerCertificateProperties?.subject || names('dns').join(),
    routeName: common.routeName,
    upstreamCluster: common.upstreamCluster,
    logUser: '',
    metadata: lookups.map(([namespace, path]) => {
      let value: JsonValue | undefined = common.metadata?.filterMetadata[namespace];
      for (const key of path.split('/')) {
        value =
          typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, key)
            ? value[key]
            : undefined;
      }
      return typeof value === 'object' ? undefined : value;
    }),
  };
}

function lowerCaseKeys(headers: Record<string, string>): Map<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function addressText(message: Address | undefined): string {
  const address = message?.address;
  if (address?.case === 'socketAddress') return address.value.address;
  return address?.case === 'pipe' && address.value.path ? `unix:${address.value.path}` : '';
}

function snapshot(record: AccessRecord): Record<string, unknown> {
  const { feed: _feed, source: _source, arrivedAtMs: _at, loggedRequestHeaders: _names, ...fields } = record;
  return {
    ...fields,
    requestHeaders: new Map(record.requestHeaders),
    responseHeaders: new Map(record.responseHeaders),
    metadata: lookups.map(([namespace, path]) => record.metadata(namespace, path)),
  };
}

function decode(bytes: Uint8Array) {
  const stream = { source: 'node-1' };
  const records: Record<string, unknown>[] = [];
  const keep = (record: AccessRecord) => void records.push(snapshot(record));
  const counts = createAlsDecoder({ trustOriginalPath: true }).decode(bytes, stream, 5, {
    finished: keep,
    periodic: keep,
  });
  return { counts, records, stream };
}

/** A message that holds the given bytes of HTTP entries. */
function messageOf(...entries: Uint8Array[]): Uint8Array {
  return lengthDelimited(0x12, concat(entries.map((entry) => lengthDelimited(0x0a, entry))));
}

function lengthDelimited(tag: number, payload: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = payload.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return concat([Uint8Array.from([tag, ...length, rest]), payload]);
}

function concat(parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function entryBytes(init: EntryInit): Uint8Array {
  return toBinary(HTTPAccessLogEntrySchema, create(HTTPAccessLogEntrySchema, init));
}

const ordinary: EntryInit = {
  commonProperties: { startTime: { seconds: 1_700_000_000n }, accessLogType: AccessLogType.DownstreamEnd },
  request: { path: '/a' },
};

function total(counts: AlsCounts): number {
  return Object.values(counts).reduce((sum: number, count: number) => sum + count, 0);
}

/** `FUZZ_FACTOR=100` runs a hundred times as many cases; making an entry takes far longer than decoding it. */
const factor = Number(process.env['FUZZ_FACTOR'] ?? 1);
const comparing = { numRuns: 100 * factor };
/** Shrinking damaged messages takes minutes and tells little: the seed repeats the case. */
const fuzzing = { numRuns: 250 * factor, endOnFailure: true };
const fuzzingTimeoutMs = 60_000 * factor;

describe('als decoder, against the full protobuf decode', () => {
  it(
    'reads every field of an entry as protobuf-es does',
    () => {
      fc.assert(
        fc.property(fc.array(entryInit, { maxLength: 4 }), (inits) => {
          const bytes = toBinary(
            StreamAccessLogsMessageSchema,
            create(StreamAccessLogsMessageSchema, {
              identifier: { logName: 'log', node: { id: 'node' } },
              logEntries: { case: 'httpLogs', value: { logEntry: inits } },
            }),
          );
          const full = fromBinary(StreamAccessLogsMessageSchema, bytes);
          const entries = full.logEntries.case === 'httpLogs' ? full.logEntries.value.logEntry : [];
          const { records, counts } = decode(bytes);
          expect(records).toEqual(entries.map(expectedRecord).filter((record) => record !== undefined));
          expect(total(counts)).toBe(inits.length);
        }),
        comparing,
      );
    },
    fuzzingTimeoutMs,
  );

  it(
    'merges what comes in pieces and skips what nobody knows, as protobuf-es does',
    () => {
      fc.assert(
        fc.property(entryInit, entryInit, unknownFields, unknownFields, (first, second, between, after) => {
          const bytes = concat([entryBytes(first), between, entryBytes(second), after]);
          const expected = expectedRecord(fromBinary(HTTPAccessLogEntrySchema, bytes));
          expect(decode(messageOf(bytes)).records).toEqual(expected ? [expected] : []);
        }),
        comparing,
      );
    },
    fuzzingTimeoutMs,
  );

  it(
    'merges metadata values as protobuf-es does, repeated structs and changed kinds included',
    () => {
      // Value messages put together by hand: encoders write each field once.
      const value = fc.oneof(
        json.map((v) => toBinary(ValueSchema, fromJson(ValueSchema, v))),
        fc.tuple(json, json).map((pair) => concat(pair.map((v) => toBinary(ValueSchema, fromJson(ValueSchema, v))))),
      );
      const structBytes = fc
        .array(fc.tuple(fc.constantFrom('a', 'b', 'payload'), value), { maxLength: 4 })
        .map((fields) =>
          concat(
            fields.map(([key, v]) =>
              lengthDelimited(0x0a, concat([lengthDelimited(0x0a, Buffer.from(key)), lengthDelimited(0x12, v)])),
            ),
          ),
        );
      fc.assert(
        fc.property(fc.array(structBytes, { minLength: 1, maxLength: 3 }), (structs) => {
          for (const bytes of structs) fromBinary(StructSchema, bytes);
          const metadata = concat(
            structs.map((bytes) =>
              lengthDelimited(0x0a, concat([lengthDelimited(0x0a, Buffer.from('ns')), lengthDelimited(0x12, bytes)])),
            ),
          );
          const bytes = concat([
            entryBytes(ordinary),
            lengthDelimited(0x0a, concat([Uint8Array.from([0x8a, 0x01]), lengthDelimited(0, metadata).subarray(1)])),
          ]);
          const expected = expectedRecord(fromBinary(HTTPAccessLogEntrySchema, bytes));
          expect(decode(messageOf(bytes)).records).toEqual([expected]);
        }),
        comparing,
      );
    },
    fuzzingTimeoutMs,
  );

  const recorded = new URL('../../../shared/data/als/', import.meta.url);
  it.skipIf(!existsSync(recorded))('reads the recorded Istio entries', () => {
    const { cases } = JSON.parse(readFileSync(new URL('expected.json', recorded), 'utf8')) as {
      cases: { file: string; node_id_prefix: string; request: Record<string, string | number> }[];
    };
    for (const { file, node_id_prefix, request } of cases) {
      const message = fromJson(
        StreamAccessLogsMessageSchema,
        JSON.parse(readFileSync(new URL(file, recorded), 'utf8')) as JsonValue,
      );
      const bytes = toBinary(StreamAccessLogsMessageSchema, message);
      const entries = message.logEntries.case === 'httpLogs' ? message.logEntries.value.logEntry : [];
      const { records, counts } = decode(bytes);
      expect(counts.finished).toBe(1);
      expect(records).toEqual(entries.map(expectedRecord));
      expect(records[0]).toMatchObject({
        method: request['method'],
        authority: request['authority'],
        path: request['path'],
        status: request['status'],
        requestId: request['request_id'],
        upstreamCluster: request['upstream_cluster'],
        responseBytes: request['response_body_bytes'],
      });
      expect(readAlsEnvelope(createWireReader(), bytes)).toEqual({
        identifier: {
          nodeId: message.identifier?.node?.id,
          cluster: message.identifier?.node?.cluster,
          logName: 'als',
        },
        entries: 1,
      });
      expect(message.identifier?.node?.id.startsWith(node_id_prefix)).toBe(true);
    }
  });
});

describe('als decoder, on what an Envoy does not send', () => {
  const identifierBytes = toBinary(
    StreamAccessLogsMessageSchema,
    create(StreamAccessLogsMessageSchema, {
      identifier: { logName: 'log', node: { id: 'node', cluster: 'c', metadata: { a: 'b' } } },
    }),
  );

  it('does not lose entries to a damaged identifier', () => {
    const damaged = Buffer.from(identifierBytes);
    damaged[3] = 0xff;
    const bytes = concat([damaged, messageOf(entryBytes(ordinary))]);
    expect(readAlsEnvelope(createWireReader(), bytes)).toEqual({ entries: 1 });
    expect(decode(bytes).counts).toMatchObject({ finished: 1, malformed: 0, truncated: 0 });
  });

  it(
    'counts an outcome for every entry of damaged bytes, and throws nothing',
    () => {
      const message = fc
        .tuple(fc.array(entryInit, { minLength: 1, maxLength: 3 }), unknownFields)
        .map(([inits, extra]) => concat([identifierBytes, messageOf(...inits.map(entryBytes)), extra]));
      const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom('set', 'cut', 'insert')), {
        minLength: 1,
        maxLength: 6,
      });
      fc.assert(
        fc.property(message, edits, (original, changes) => {
          let bytes = Buffer.from(original);
          for (const [at, byte, what] of changes) {
            const index = bytes.length === 0 ? 0 : at % bytes.length;
            if (what === 'cut') bytes = bytes.subarray(0, index);
            else if (what === 'insert')
              bytes = Buffer.concat([bytes.subarray(0, index), Buffer.from([byte]), bytes.subarray(index)]);
            else if (bytes.length > 0) bytes[index] = byte;
          }
          const { counts } = decode(bytes);
          expect(total(counts)).toBe(readAlsEnvelope(createWireReader(), bytes).entries);
        }),
        fuzzing,
      );
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          expect(total(decode(bytes).counts)).toBe(readAlsEnvelope(createWireReader(), bytes).entries);
        }),
        fuzzing,
      );
    },
    fuzzingTimeoutMs,
  );

  it('drops an unreadable entry alone', () => {
    const good = entryBytes(ordinary);
    const { counts } = decode(messageOf(good, Uint8Array.from([0x0f]), good, good.subarray(0, good.length - 1)));
    expect(counts).toMatchObject({ finished: 2, malformed: 1, truncated: 1 });
  });

  it('counts a message that ends early once more than its whole entries', () => {
    const good = entryBytes(ordinary);
    const bytes = concat([messageOf(good), messageOf(good, good).subarray(0, -3)]);
    expect(decode(bytes).counts).toMatchObject({ finished: 1, truncated: 1 });
  });

  it('stops at unknown groups that nest without end', () => {
    const bytes = concat([entryBytes(ordinary), new Uint8Array(5000).fill(0x0b)]);
    expect(decode(messageOf(bytes)).counts).toMatchObject({ finished: 0, malformed: 1 });
  });

  it('drops header bombs and oversized entries as too large', () => {
    const many = Object.fromEntries(Array.from({ length: MAX_HEADERS + 1 }, (_, i) => [`x-${i}`, 'v']));
    const bomb = entryBytes({ ...ordinary, request: { requestHeaders: many } });
    const huge = entryBytes({ ...ordinary, request: { path: 'x'.repeat(MAX_ENTRY_BYTES) } });
    const { counts } = decode(messageOf(bomb, huge, entryBytes(ordinary)));
    expect(counts).toMatchObject({ finished: 1, tooLarge: 2 });
  });

  it('reads text that is not UTF-8 with replacement characters', () => {
    const bytes = concat([entryBytes(ordinary), Uint8Array.from([0x1a, 5, 0x2a, 3, 0x2f, 0xff, 0xfe])]);
    expect(decode(messageOf(bytes)).records).toMatchObject([{ path: '/\ufffd\ufffd' }]);
  });

  it('tells finished, periodic, upstream and TCP entries apart', () => {
    const types = [0, 4, 5, 6, 7, 8, 9, 10, 99];
    const entries = types.map((accessLogType) =>
      entryBytes({ ...ordinary, commonProperties: { startTime: {}, accessLogType } }),
    );
    const tcp = lengthDelimited(
      0x1a,
      concat([lengthDelimited(0x0a, entryBytes({})), lengthDelimited(0x0a, entryBytes({}))]),
    );
    const { counts, records } = decode(concat([messageOf(...entries), tcp]));
    expect(counts).toMatchObject({ finished: 2, periodic: 3, upstream: 4, tcp: 2 });
    expect(records.map((record) => record['finished'])).toEqual([true, false, false, true, false]);
  });

  it('drops entries without common properties, start time or request', () => {
    const { counts } = decode(
      messageOf(
        entryBytes({ request: { path: '/' } }),
        entryBytes({ commonProperties: { routeName: 'r' }, request: { path: '/' } }),
        entryBytes({ commonProperties: { startTime: {} } }),
      ),
    );
    expect(counts).toMatchObject({ finished: 0, missingProperties: 3 });
  });

  it('leaves nothing of an entry in the next, nor after the call', () => {
    const rich = entryBytes({
      commonProperties: {
        startTime: { seconds: 1n, nanos: 5 },
        duration: { seconds: 2n },
        metadata: { filterMetadata: { ns: { a: 'secret' } } },
        tlsProperties: { ja3Fingerprint: 'j', peerCertificateProperties: { subject: 'CN=x' } },
      },
      request: { requestHeaders: { cookie: 'secret' }, originalPath: '/original', requestBodyBytes: 4n },
      response: { responseCode: 200, responseBodyBytes: 7n },
    });
    let kept: AccessRecord | undefined;
    const seen: Record<string, unknown>[] = [];
    createAlsDecoder().decode(messageOf(rich, entryBytes(ordinary)), { source: 's' }, 0, {
      finished(record) {
        kept = record;
        seen.push(snapshot(record));
      },
    });
    expect(seen[1]).toEqual(decode(messageOf(entryBytes(ordinary))).records[0]);
    expect(kept?.metadata('ns', 'a')).toBeUndefined();
    expect(kept?.requestHeaders.size).toBe(0);
  });

  it('believes an original path only where it is told that clients cannot set it', () => {
    const paths: string[] = [];
    const sink = { finished: (record: AccessRecord) => void paths.push(record.path) };
    const bytes = messageOf(entryBytes({ ...ordinary, request: { path: '/orders/7', originalPath: '/harmless' } }));
    for (const trustOriginalPath of [false, true]) {
      createAlsDecoder({ trustOriginalPath }).decode(bytes, { source: 's' }, 0, sink);
    }
    expect(paths).toEqual(['/orders/7', '/harmless']);
  });
});

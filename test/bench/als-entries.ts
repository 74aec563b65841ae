/**
 * Access log messages of the sample shop, encoded once: sending one copies ready entries and writes over the digits
 * that tell one caller, object and moment from another, so that whoever sends costs less than whoever receives.
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { FLOW_METADATA_NAMESPACE } from '@picket/proto/flow-metadata.ts';
import { RequestMethod } from '@picket/proto/gen/envoy/config/core/v3/base_pb.js';
import { AccessLogType, HTTPAccessLogEntrySchema } from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { random32 } from '../support/observations.ts';

export interface AlsMessages {
  /** One message of `entries` entries that ended about `nowMs`. */
  next(entries: number, nowMs: number): Buffer;
  readonly meanEntryBytes: number;
}

/** Share of requests for paths that do not exist. */
const unknownShare = 0.05;
/** Digits in the templates that stand for what changes. */
const mark = { user: 'user-00000000', address: '100.100.100.100', id: '77777777', request: '000000000000' };
/** Five bytes as a varint, like all seconds until 2038. */
const markSeconds = 1_700_000_001;

interface Template {
  bytes: Buffer;
  /** Offsets of each mark, in the order of `mark`. */
  user: number[];
  address: number[];
  id: number[];
  request: number[];
  seconds: number;
}

/** @param principals people; how often each comes follows Zipf's law with exponent 1 */
export function createAlsMessages(principals: number, seed: number): AlsMessages {
  const next = random32(seed);
  const templates = Array.from({ length: 400 }, (_, i) => templateOf(i));
  const meanEntryBytes = templates.reduce((sum, { bytes }) => sum + bytes.length, 0) / templates.length;
  const node = { id: 'bench-envoy', cluster: 'bench' };
  const identifier = Buffer.from(
    toBinary(
      StreamAccessLogsMessageSchema,
      create(StreamAccessLogsMessageSchema, { identifier: { node, logName: 'bench' } }),
    ),
  );
  let requests = 0;

  const zipf = (): number => Math.min(principals - 1, Math.floor((principals + 1) ** (next() / 2 ** 32)) - 1);

  const fill = (out: Buffer, at: number, template: Template, seconds: number): void => {
    template.bytes.copy(out, at);
    const person = zipf();
    for (const o of template.user) digits(out, at + o + 5, 8, person);
    for (const o of template.address) {
      digits(out, at + o + 4, 3, 100 + (Math.floor(person / 22_500) % 150));
      digits(out, at + o + 8, 3, 100 + (Math.floor(person / 150) % 150));
      digits(out, at + o + 12, 3, 100 + (person % 150));
    }
    // An order belongs to its buyer: each person has twenty.
    for (const o of template.id) digits(out, at + o, 8, person * 20 + (next() % 20));
    for (const o of template.request) digits(out, at + o, 12, ++requests);
    varint5(out, at + template.seconds, seconds);
  };

  return {
    meanEntryBytes,
    next(entries, nowMs) {
      const seconds = Math.floor(nowMs / 1000) - 1;
      const chosen = Array.from({ length: entries }, () => templates[next() % templates.length] as Template);
      const logsBytes = chosen.reduce((sum, { bytes }) => sum + bytes.length + 3, 0);
      const out = Buffer.allocUnsafe(identifier.length + 6 + logsBytes);
      let at = identifier.copy(out);
      out[at++] = 0x12;
      varint5(out, at, logsBytes);
      at += 5;
      for (const template of chosen) {
        const { length } = template.bytes;
        out[at] = 0x0a;
        out[at + 1] = (length & 127) | 128;
        out[at + 2] = length >> 7;
        fill(out, at + 3, template, seconds);
        at += 3 + length;
      }
      return out;
    },
  };
}

function digits(out: Buffer, at: number, count: number, value: number): void {
  let rest = value;
  for (let i = count - 1; i >= 0; i--) {
    out[at + i] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

function varint5(out: Buffer, at: number, value: number): void {
  for (let i = 0; i < 4; i++) out[at + i] = (Math.floor(value / 128 ** i) & 127) | 128;
  out[at + 4] = Math.floor(value / 128 ** 4) & 127;
}

/** One in forty logs in, one in four reads an order, one in twenty asks for what is not there. */
function templateOf(i: number): Template {
  const unknown = i % (1 / unknownShare) === 0;
  const login = i % 40 === 1;
  const path = unknown
    ? `/v1/nothing-${i}/${mark.id}`
    : login
      ? '/v1/login'
      : i % 4 === 2
        ? `/v1/orders/${mark.id}`
        : [`/v1/products/${i % 97}`, `/v1/search?q=shoes+${i % 50}&sort=asc`, '/v1/cart', '/v1/account'][i % 3];
  const entry = create(HTTPAccessLogEntrySchema, entryOf(i, path ?? '/v1/cart', login, unknown));
  const bytes = Buffer.from(toBinary(HTTPAccessLogEntrySchema, entry));
  const seconds = Buffer.alloc(5);
  varint5(seconds, 0, markSeconds);
  const offsets = (text: string): number[] => {
    const found: number[] = [];
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) found.push(at);
    return found;
  };
  return {
    bytes,
    user: offsets(mark.user),
    address: offsets(mark.address),
    id: offsets(mark.id),
    request: offsets(mark.request),
    seconds: bytes.indexOf(seconds),
  };
}

function entryOf(
  i: number,
  path: string,
  login: boolean,
  unknown: boolean,
): MessageInitShape<typeof HTTPAccessLogEntrySchema> {
  const address = (text: string, port: number) => ({
    address: {
      case: 'socketAddress' as const,
      value: { address: text, portSpecifier: { case: 'portValue' as const, value: port } },
    },
  });
  const claims = { sub: mark.user, iss: 'https://id.example.com/realms/shop', jti: `token-${mark.user}`, azp: 'web' };
  return {
    commonProperties: {
      downstreamRemoteAddress: address(mark.address, 40_000 + i),
      downstreamDirectRemoteAddress: address(mark.address, 40_000 + i),
      startTime: { seconds: BigInt(markSeconds), nanos: 123_456_789 },
      timeToLastUpstreamRxByte: { nanos: 23_456_000 },
      timeToLastDownstreamTxByte: { nanos: 24_000_000 + i * 1000 },
      duration: { nanos: 24_100_000 },
      upstreamCluster: 'shop',
      routeName: 'orders',
      metadata: {
        filterMetadata: login
          ? { [FLOW_METADATA_NAMESPACE]: { 'login:request.username': mark.user, 'login:response.ok': i % 10 > 0 } }
          : { 'envoy.filters.http.jwt_authn': { payload: claims } },
      },
      downstreamWireBytesSent: 1834n,
      downstreamWireBytesReceived: 612n,
      accessLogType: AccessLogType.DownstreamEnd,
    },
    protocolVersion: 2,
    request: {
      requestMethod: login ? RequestMethod.POST : RequestMethod.GET,
      scheme: 'https',
      authority: 'shop.example.com',
      path,
      userAgent: `Mozilla/5.0 (X11; Linux x86_64; rv:${100 + (i % 40)}.0) Gecko/20100101 Firefox/${100 + (i % 40)}.0`,
      requestId: `1cdd61b4-5a0c-4b0f-8f63-${mark.request}`,
      requestHeadersBytes: 512n,
      requestHeaders: {
        accept: 'text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8',
        'accept-language': 'en-GB,en;q=0.8',
        'accept-encoding': 'gzip, deflate, br',
        referer: `https://shop.example.com/products/${i % 97}`,
        ...(login ? { 'x-padding': 'x'.repeat(110) } : {}),
      },
    },
    response: {
      responseCode: unknown ? 404 : 200,
      responseHeadersBytes: 181n,
      responseBodyBytes: BigInt(1000 + i),
      responseHeaders: { 'content-type': 'application/json' },
      responseCodeDetails: 'via_upstream',
    },
  };
}

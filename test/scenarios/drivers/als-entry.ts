/** One modelled request as the access log entry an Envoy wired by Picket would have sent; the shop itself answers it. */
import { create, type JsonObject, toBinary } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import { FLOW_METADATA_NAMESPACE } from '@picket/proto/flow-metadata.ts';
import { RequestMethod } from '@picket/proto/gen/envoy/config/core/v3/base_pb.js';
import {
  AccessLogType,
  type HTTPAccessLogEntry,
  HTTPAccessLogEntry_HTTPVersion,
  HTTPAccessLogEntrySchema,
} from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import {
  StreamAccessLogsMessage_IdentifierSchema,
  StreamAccessLogsMessageSchema,
} from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import type { Shop, ShopReply } from '../../../examples/shop/shop.ts';
import type { Random } from '../random.ts';
import type { RequestEvent } from '../request-event.ts';
import { keepReply, requestHeaders } from './exchange.ts';
import type { FlowFields } from './flow-fields.ts';

export interface EntryOptions {
  /** Answers at event time: its clock must be `clock.now`. */
  shop: Shop;
  /** Set to the time of each event before the shop is asked. */
  clock: { now: number };
  flows: readonly FlowFields[];
  random: Random;
  /** Request headers that Envoy is told to log, lower case. */
  loggedHeaders?: ReadonlySet<string>;
  authority?: string;
}

export interface AnsweredEvent {
  entry: HTTPAccessLogEntry;
  reply: ShopReply;
  /** Completion, Unix ms. */
  endedAt: number;
}

const defaultLoggedHeaders: ReadonlySet<string> = new Set([
  ...['accept', 'accept-language', 'accept-encoding', 'origin', 'cookie', 'x-requested-with', 'sec-fetch-site'],
  ...['sec-ch-ua', 'content-type', 'authorization', 'x-forwarded-for', 'cache-control', 'dnt', 'te'],
  ...['upgrade-insecure-requests', 'referer'],
]);

/** @param nodeId of the Envoy, sent with the first message of a stream only */
export function encodeMessage(entries: HTTPAccessLogEntry[], nodeId: string | undefined): Uint8Array {
  const message = create(StreamAccessLogsMessageSchema, {
    logEntries: { case: 'httpLogs', value: { logEntry: entries } },
    ...(nodeId === undefined
      ? {}
      : {
          identifier: create(StreamAccessLogsMessage_IdentifierSchema, {
            node: { id: nodeId, cluster: 'shop' },
            logName: 'picket',
          }),
        }),
  });
  return toBinary(StreamAccessLogsMessageSchema, message);
}

/** Lets the shop answer one event and describes the exchange as Envoy does. */
export function answerEvent(event: RequestEvent, options: EntryOptions): AnsweredEvent {
  const { shop, clock, flows, random } = options;
  const headers = requestHeaders(event);
  const { authorization = '', cookie = '' } = headers;
  clock.now = event.at;
  const claims = claimsOf(authorization);
  const reply = shop.handle({ method: event.method, path: event.path, authorization, cookie, body: event.body });
  const setCookie = reply.headers?.['set-cookie'];
  keepReply(event, reply.body, setCookie === undefined ? [] : [setCookie]);
  const upstreamMs = random.lognormal(2.4, 0.45);
  const durationMs = upstreamMs + random.lognormal(0.5, 0.5);
  const entry = create(HTTPAccessLogEntrySchema, {
    protocolVersion: HTTPAccessLogEntry_HTTPVersion.HTTP11,
    commonProperties: {
      downstreamRemoteAddress: socketAddress(event.client.address, random.whole(20_000, 60_000)),
      downstreamDirectRemoteAddress: socketAddress(event.client.address, random.whole(20_000, 60_000)),
      downstreamLocalAddress: socketAddress('127.0.0.1', 8080),
      startTime: timestamp(event.at),
      timeToLastRxByte: duration(0.2),
      timeToFirstUpstreamTxByte: duration(0.4),
      timeToLastUpstreamTxByte: duration(0.5),
      timeToFirstUpstreamRxByte: duration(upstreamMs - 0.1),
      timeToLastUpstreamRxByte: duration(upstreamMs),
      timeToFirstDownstreamTxByte: duration(durationMs - 0.1),
      timeToLastDownstreamTxByte: duration(durationMs),
      duration: duration(durationMs),
      upstreamCluster: 'upstream',
      routeName: 'default',
      accessLogType: AccessLogType.DownstreamEnd,
      metadata: { filterMetadata: metadataOf(event, reply, claims, flows) },
    },
    request: requestProperties(event, headers, options),
    response: responseProperties(reply),
  });
  return { entry, reply, endedAt: event.at + durationMs };
}

function requestProperties(event: RequestEvent, headers: Record<string, string>, options: EntryOptions) {
  const logged = options.loggedHeaders ?? defaultLoggedHeaders;
  const word = (): string => options.random.whole(0, 0xffff_ffff).toString(16).padStart(8, '0');
  const id = word() + word() + word() + word();
  return {
    requestMethod: RequestMethod[event.method],
    scheme: 'http',
    authority: options.authority ?? 'shop.example',
    path: event.path,
    userAgent: headers['user-agent'] ?? '',
    referer: headers.referer ?? '',
    requestId: `${id.slice(0, 8)}-${id.slice(8, 12)}-4${id.slice(13, 16)}-8${id.slice(17, 20)}-${id.slice(20)}`,
    requestHeaders: {
      ':method': event.method,
      ...Object.fromEntries(Object.entries(headers).filter(([name]) => logged.has(name))),
    },
    requestHeadersBytes: BigInt(Object.entries(headers).reduce((sum, [n, v]) => sum + n.length + v.length + 4, 60)),
    requestBodyBytes: BigInt(event.body === undefined ? 0 : Buffer.byteLength(JSON.stringify(event.body))),
  };
}

function responseProperties(reply: ShopReply) {
  return {
    responseCode: reply.status,
    responseCodeDetails: 'via_upstream',
    responseHeadersBytes: 180n,
    responseBodyBytes: BigInt(reply.body === undefined ? 0 : Buffer.byteLength(JSON.stringify(reply.body))),
    responseHeaders: { ...reply.headers },
  };
}

/** Dynamic metadata: the verified token's payload, and the declared fields of the flow the request belongs to. */
function metadataOf(
  event: RequestEvent,
  reply: ShopReply,
  claims: JsonObject | undefined,
  flows: readonly FlowFields[],
): Record<string, JsonObject> {
  const metadata: Record<string, JsonObject> = {};
  if (claims !== undefined) metadata['envoy.filters.http.jwt_authn'] = { payload: claims };
  const flow = flows.find((f) => f.path === event.path && (f.method === '' || f.method === event.method));
  if (flow === undefined) return metadata;
  const facts: JsonObject = {};
  for (const { key, field } of flow.request) copyFact(facts, key, event.body, field);
  for (const { key, field } of flow.response) copyFact(facts, key, reply.body, field);
  if (Object.keys(facts).length > 0) metadata[FLOW_METADATA_NAMESPACE] = facts;
  return metadata;
}

function copyFact(facts: JsonObject, key: string, body: unknown, field: string): void {
  const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[field] : undefined;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') facts[key] = value;
}

/** Payloads by header: a visit sends the same token with each of its requests. */
const read = new Map<string, JsonObject>();
const maxRead = 20_000;

function claimsOf(authorization: string): JsonObject | undefined {
  const known = read.get(authorization);
  if (known !== undefined) return known;
  const payload = /^Bearer [^.]+\.([^.]+)\./.exec(authorization)?.[1];
  if (payload === undefined) return undefined;
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JsonObject;
  if (read.size >= maxRead) read.clear();
  read.set(authorization, claims);
  return claims;
}

function socketAddress(address: string, portValue: number) {
  return {
    address: {
      case: 'socketAddress' as const,
      value: { address, portSpecifier: { case: 'portValue' as const, value: portValue } },
    },
  };
}

function timestamp(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.floor((ms - seconds * 1000) * 1e6) };
}

function duration(ms: number): Pick<Duration, 'seconds' | 'nanos'> {
  const clamped = Math.max(0, ms);
  const seconds = Math.floor(clamped / 1000);
  return { seconds: BigInt(seconds), nanos: Math.floor((clamped - seconds * 1000) * 1e6) };
}

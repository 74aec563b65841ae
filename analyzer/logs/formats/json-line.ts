/**
 * JSON access logs by the names of their keys: NGINX (any spelling people give it), Envoy and Istio, Traefik, Caddy,
 * Elastic Common Schema, GitLab and other applications. A JSON line may itself be a wrapper (docker, journald,
 * platform log shippers) around another line.
 *
 * Time: `start_time` and its like are arrivals; every other time is the completion.
 */
import type { AccessRecord } from '../../ingest/access-record.ts';
import { addressIn, clientInForwarded, isInternal } from '../client-address.ts';
import {
  completedAtMs,
  knownDuration,
  type ReadOutcome,
  type RecordSink,
  setCompletedAt,
  type UnitReader,
} from '../log-format.ts';
import { parseDurationText, parseTime } from '../log-time.ts';
import { applyRequestLine } from '../request-line.ts';
import { readAlsMessage } from './als-json.ts';
import { splitTarget } from './aws-alb.ts';
import { Column, createRow, fillRow, type Row } from './json-columns.ts';
import { readOtlp } from './otlp.ts';

/** Wrappers in wrappers: docker in a shipper's envelope. */
const maxWrapping = 3;

/** `text` reads wrapped text lines. */
export function createJsonLineReader(text: UnitReader): UnitReader {
  const row = createRow();
  const headerSets = new Map<string, ReadonlySet<string>>();

  function read(line: string, sink: RecordSink, depth: number): ReadOutcome {
    const open = line.indexOf('{');
    if (open < 0) return 'unrecognised';
    const object = parseObject(line, open);
    if (object === undefined) return open === 0 ? 'bad_json' : 'unrecognised';
    const message = readAlsMessage(object, sink) ?? readOtlp(object, sink, readObject);
    if (message !== undefined) return message;
    const wrapped = wrappedText(object);
    if (wrapped !== '' && depth < maxWrapping) {
      const inner = wrapped.trim();
      const outcome = inner.startsWith('{') ? read(inner, sink, depth + 1) : text.read(inner, sink);
      if (outcome === 'pass') return outcome;
    }
    return readObject(object, sink);
  }

  function readObject(object: Record<string, unknown>, sink: RecordSink): ReadOutcome {
    fillRow(row, object);
    if (isThrownOut(object)) row.values[Column.status] = 401;
    return readRow(row, sink, headerSets);
  }

  return { read: (line, sink) => read(line, sink, 0) };
}

/** Rails logs status 0 when its authentication throws before an answer is made; the client gets a refusal. */
function isThrownOut(object: Record<string, unknown>): boolean {
  return object.status === 0 && typeof object.controller === 'string' && typeof object.action === 'string';
}

/** The text that a shipper wrapped; "" when the object has none. */
function wrappedText(object: Record<string, unknown>): string {
  const text = object.log ?? object.message ?? object.MESSAGE ?? object.msg ?? object.textPayload ?? object.line;
  if (typeof text === 'string') return text.length > 20 ? text : '';
  const payload = object.jsonPayload;
  return typeof payload === 'object' && payload !== null ? JSON.stringify(payload) : '';
}

function parseObject(line: string, open: number): Record<string, unknown> | undefined {
  let text = open === 0 ? line : line.slice(open);
  if (text.endsWith(',')) text = text.slice(0, -1);
  return tryParse(text) ?? tryParse(repairJson(text));
}

function tryParse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** What NGINX writes without `escape=json`: `\x22` escapes, and nothing or `-` where an unquoted variable is empty. */
function repairJson(text: string): string {
  return text.replace(/\\x([0-9a-fA-F]{2})/g, '\\u00$1').replace(/: ?-? ?([,}])/g, ':null$1');
}

function readRow(row: Row, sink: RecordSink, headerSets: Map<string, ReadonlySet<string>>): ReadOutcome {
  const v = row.values;
  if (v[Column.status] === undefined) return 'unrecognised';
  const start = parseTime(v[Column.start]);
  const at = Number.isNaN(start) ? parseTime(v[Column.time]) : start;
  if (Number.isNaN(at)) return v[Column.time] === undefined && v[Column.start] === undefined ? 'no_time' : 'bad_time';
  const status = Number(v[Column.status]);
  if (!(status >= 0 && status <= 999)) return 'bad_status';

  const r = sink.blank();
  if (!applyRequest(r, row)) return 'no_request';
  r.status = status;
  const duration = durationOf(row);
  if (Number.isNaN(start)) setCompletedAt(r, at, duration);
  else {
    r.startedAtMs = at;
    r.durationMs = knownDuration(duration);
  }
  r.upstreamMs = firstOf(parseDurationText(listHead(v[Column.upstreamSeconds])), number(v[Column.upstreamMs]));
  r.requestBytes = number(v[Column.requestBytes]);
  r.responseBytes = number(v[Column.responseBytes]);
  applyAddress(r, row);
  r.userAgent = header(row, 'user-agent', Column.userAgent);
  r.referer = header(row, 'referer', Column.referer);
  r.authority = text(v[Column.host]) || r.authority || (row.requestHeaders.get('host') ?? '');
  r.logUser = text(v[Column.user]);
  r.requestId = header(row, 'x-request-id', Column.requestId);
  r.responseCodeDetails = text(v[Column.details]);
  r.routeName = text(v[Column.route]);
  r.upstreamCluster = text(v[Column.cluster]);
  r.ja3 = text(v[Column.ja3]);
  r.ja4 = text(v[Column.ja4]);
  for (const [name, value] of row.requestHeaders) r.requestHeaders.set(name, value);
  for (const [name, value] of row.responseHeaders) r.responseHeaders.set(name, value);
  if (v[Column.cookie] !== undefined) r.requestHeaders.set('cookie', text(v[Column.cookie]));
  if (v[Column.authorization] !== undefined) r.requestHeaders.set('authorization', text(v[Column.authorization]));
  r.loggedRequestHeaders = loggedHeaders(row, headerSets);
  r.arrivedAtMs = completedAtMs(r);
  sink.commit();
  return 'pass';
}

function applyRequest(r: AccessRecord, row: Row): boolean {
  const v = row.values;
  const method = text(v[Column.method]);
  const line = text(v[Column.request]);
  // Logstash's patterns put the path alone into `request`, with the method beside it.
  const path = text(v[Column.path]) || text(v[Column.url]) || (line.startsWith('/') ? line : '');
  if (path === '' || method === '') {
    if (line === '') return false;
    applyRequestLine(r, line);
    return true;
  }
  r.method = method.toUpperCase();
  r.path = path;
  // A whole URL is the format's own only where the key says so; in a request target it is a proxy attempt.
  if (row.values[Column.path] === undefined) splitTarget(r);
  const query = text(v[Column.query]);
  if (query !== '' && !r.path.includes('?')) r.path += query.startsWith('?') ? query : `?${query}`;
  return true;
}

function applyAddress(r: AccessRecord, row: Row): void {
  const v = row.values;
  const direct = addressIn(text(v[Column.direct]));
  const named = clientInForwarded(text(v[Column.address]));
  const forwarded = clientInForwarded(text(v[Column.forwarded]) || (row.requestHeaders.get('x-forwarded-for') ?? ''));
  const own = named || direct;
  // Envoy appends the peer to x-forwarded-for, so there the list is at least as good as the address.
  const behindProxy = forwarded !== '' && (own === '' || isInternal(own) || v[Column.direct] !== undefined);
  r.remoteAddress = behindProxy ? forwarded : own;
  r.directAddress = direct || own;
}

function durationOf(row: Row): number {
  const v = row.values;
  if (v[Column.durationSeconds] !== undefined) return parseDurationText(listHead(v[Column.durationSeconds]));
  if (v[Column.durationMs] !== undefined) return number(v[Column.durationMs]);
  if (v[Column.durationNs] !== undefined) return number(v[Column.durationNs]) / 1e6;
  const any = v[Column.durationAny];
  if (any === undefined) return Number.NaN;
  if (typeof any === 'string' && /[a-zµ]$/.test(any)) return parseDurationText(any);
  const n = number(any);
  // Envoy writes whole milliseconds, Traefik nanoseconds (above a millisecond by size), others seconds with a fraction.
  if (v[Column.grpc] !== undefined || (row.ranks[Column.start] ?? 255) === 0) return n;
  if (row.ranks[Column.status] === 1) return n / 1e6;
  return Number.isInteger(n) ? n : n * 1000;
}

function loggedHeaders(row: Row, sets: Map<string, ReadonlySet<string>>): ReadonlySet<string> {
  const names = [...row.requestHeaders.keys()];
  const v = row.values;
  if (v[Column.userAgent] !== undefined) names.push('user-agent');
  if (v[Column.referer] !== undefined) names.push('referer');
  if (v[Column.cookie] !== undefined) names.push('cookie');
  if (v[Column.authorization] !== undefined) names.push('authorization');
  const key = names.join();
  const known = sets.get(key);
  if (known !== undefined) return known;
  const set: ReadonlySet<string> = new Set(names);
  if (sets.size < 1024) sets.set(key, set);
  return set;
}

function header(row: Row, name: string, column: Column): string {
  return text(row.values[column]) || (row.requestHeaders.get(name) ?? '');
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  return Array.isArray(value) && typeof value[0] === 'string' ? value[0] : '';
}

function number(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.length < 25 && value !== '' ? Number(value) : Number.NaN;
}

/** `0.010, 0.020` and `0.010 : 0.020` list the tries of one request; the last one answered. */
function listHead(value: unknown): string {
  return text(value).split(/[,:]/, 16).at(-1)?.trim() ?? '';
}

function firstOf(a: number, b: number): number {
  return Number.isNaN(a) ? b : a;
}

/** Envoy's `StreamAccessLogsMessage` as proto3 JSON, v2 and v3 names alike. `startTime` is the arrival. */
import type { AccessRecord } from '../../ingest/access-record.ts';
import { certificateName } from '../../ingest/als-parts.ts';
import type { HeaderFields } from '../../ingest/header-fields.ts';
import { shapeHeaderSet } from '../../observation.ts';
import { addressIn } from '../client-address.ts';
import { completedAtMs, knownDuration, type ReadOutcome, type RecordSink } from '../log-format.ts';
import { parseDurationText, parseIsoTime } from '../log-time.ts';

type Json = Record<string, unknown>;

/** Entries that speak of requests still in flight; the end is logged as well. */
const unfinished = new Set([
  'TcpUpstreamConnected',
  'TcpPeriodic',
  'DownstreamStart',
  'DownstreamPeriodic',
  'TcpConnectionEnd',
]);

/** Reads one message; undefined when the object is none. The identifier of a stream's first message is kept by the caller. */
export function readAlsMessage(message: Json, sink: RecordSink): ReadOutcome | undefined {
  const logs = child(message, 'httpLogs', 'http_logs');
  if (logs === undefined) {
    if (child(message, 'tcpLogs', 'tcp_logs') !== undefined) return 'not_http';
    return 'identifier' in message ? 'skip' : undefined;
  }
  const entries = pick(logs, 'logEntry', 'log_entry');
  for (const entry of Array.isArray(entries) ? entries : []) {
    if (!readEntry(entry as Json, sink)) sink.reject('no_time');
  }
  return 'pass';
}

function readEntry(entry: Json, sink: RecordSink): boolean {
  const common = child(entry, 'commonProperties', 'common_properties') ?? {};
  const request = child(entry, 'request', 'request') ?? {};
  const response = child(entry, 'response', 'response') ?? {};
  const startedAtMs = parseIsoTime(text(common, 'startTime', 'start_time'));
  if (Number.isNaN(startedAtMs)) return false;

  const r = sink.blank();
  r.startedAtMs = startedAtMs;
  r.durationMs = knownDuration(parseDurationText(pick(common, 'duration', 'duration')));
  if (Number.isNaN(r.durationMs)) {
    r.durationMs = knownDuration(
      parseDurationText(pick(common, 'timeToLastDownstreamTxByte', 'time_to_last_downstream_tx_byte')),
    );
  }
  r.upstreamMs = parseDurationText(pick(common, 'timeToLastUpstreamRxByte', 'time_to_last_upstream_rx_byte'));
  r.finished = !unfinished.has(text(common, 'accessLogType', 'access_log_type'));
  r.directAddress = socketAddress(child(common, 'downstreamDirectRemoteAddress', 'downstream_direct_remote_address'));
  r.remoteAddress = socketAddress(child(common, 'downstreamRemoteAddress', 'downstream_remote_address'));
  r.upstreamCluster = text(common, 'upstreamCluster', 'upstream_cluster');
  r.routeName = text(common, 'routeName', 'route_name');
  applyTls(r, child(common, 'tlsProperties', 'tls_properties'));
  applyMetadata(r, child(common, 'metadata', 'metadata'));
  applyRequest(r, request);
  r.status = number(pick(response, 'responseCode', 'response_code')) || 0;
  r.responseCodeDetails = text(response, 'responseCodeDetails', 'response_code_details');
  r.responseBytes = number(pick(response, 'responseBodyBytes', 'response_body_bytes'));
  copyHeaders(r.responseHeaders, child(response, 'responseHeaders', 'response_headers'));
  r.arrivedAtMs = completedAtMs(r);
  sink.commit();
  return true;
}

function applyRequest(r: AccessRecord, request: Json): void {
  copyHeaders(r.requestHeaders, child(request, 'requestHeaders', 'request_headers'));
  const method = text(request, 'requestMethod', 'request_method');
  r.method = method === '' || method === 'METHOD_UNSPECIFIED' ? (r.requestHeaders.get(':method') ?? '') : method;
  r.authority = text(request, 'authority', 'authority');
  r.path = text(request, 'originalPath', 'original_path') || text(request, 'path', 'path');
  r.userAgent = text(request, 'userAgent', 'user_agent');
  r.referer = text(request, 'referer', 'referer');
  r.requestId = text(request, 'requestId', 'request_id');
  const bytes = pick(request, 'requestBodyBytes', 'request_body_bytes');
  // proto3 JSON leaves out zeros.
  r.requestBytes = bytes === undefined ? 0 : number(bytes);
  r.loggedRequestHeaders = shapeHeaderSet;
}

function applyTls(r: AccessRecord, tls: Json | undefined): void {
  if (!tls) return;
  r.ja3 = text(tls, 'ja3Fingerprint', 'ja3_fingerprint');
  const peer = child(tls, 'peerCertificateProperties', 'peer_certificate_properties');
  if (!peer) return;
  const names = pick(peer, 'subjectAltName', 'subject_alt_name');
  const all = (sort: 'uri' | 'dns'): string =>
    (Array.isArray(names) ? (names as Json[]) : [])
      .map((name) => text(name, sort, sort))
      .filter(Boolean)
      .join();
  r.peerCertificate = certificateName({ uri: all('uri'), dns: all('dns'), subject: text(peer, 'subject', 'subject') });
}

function applyMetadata(r: AccessRecord, metadata: Json | undefined): void {
  const filters = metadata && child(metadata, 'filterMetadata', 'filter_metadata');
  if (!filters) return;
  r.metadata = (namespace, path) => {
    let value: unknown = filters[namespace];
    for (const key of path.split('/')) {
      if (typeof value !== 'object' || value === null) return undefined;
      value = (value as Json)[key];
    }
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
  };
}

function socketAddress(address: Json | undefined): string {
  const socket = address && child(address, 'socketAddress', 'socket_address');
  return socket ? addressIn(text(socket, 'address', 'address')) : '';
}

function copyHeaders(into: HeaderFields, headers: Json | undefined): void {
  for (const [name, value] of Object.entries(headers ?? {}).slice(0, 256)) {
    if (typeof value === 'string') into.set(name.toLowerCase(), value);
  }
}

function pick(object: Json, camel: string, snake: string): unknown {
  return object[camel] ?? object[snake];
}

function child(object: Json, camel: string, snake: string): Json | undefined {
  const value = pick(object, camel, snake);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function text(object: Json, camel: string, snake: string): string {
  const value = pick(object, camel, snake);
  return typeof value === 'string' ? value : '';
}

/** uint64 fields are strings in proto3 JSON. */
function number(value: unknown): number {
  return typeof value === 'number' ? value : typeof value === 'string' && value !== '' ? Number(value) : Number.NaN;
}

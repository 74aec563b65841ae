/**
 * Entries of an HTTP archive. `startedDateTime` is the arrival, `time` the milliseconds until the end. An archive is
 * what one browser saw: there is no client address. Entries without a response count as unanswered (status 0), entries
 * without a time cannot be placed and are rejected.
 */
import type { HeaderFields } from '../../ingest/header-fields.ts';
import { flowMetadataSide } from '../flow-fields.ts';
import { completedAtMs, knownDuration, type ReadOutcome, type RecordSink, type UnitReader } from '../log-format.ts';
import { parseTime } from '../log-time.ts';
import { splitTarget } from './aws-alb.ts';

type Json = Record<string, unknown>;

export function createHarEntryReader(): UnitReader {
  return {
    read(unit, sink) {
      let entry: unknown;
      try {
        entry = JSON.parse(unit);
      } catch {
        return 'bad_json';
      }
      return isObject(entry) ? readHarEntry(entry, sink) : 'malformed';
    },
  };
}

function readHarEntry(entry: Json, sink: RecordSink): ReadOutcome {
  const request = entry.request;
  if (!isObject(request) || typeof request.url !== 'string') return 'no_request';
  if (entry.startedDateTime === undefined) return 'no_time';
  const startedAtMs = parseTime(entry.startedDateTime);
  if (Number.isNaN(startedAtMs)) return 'bad_time';
  const response = isObject(entry.response) ? entry.response : {};
  const status = positive(response.status) || 0;
  if (status > 999) return 'bad_status';
  const timings = isObject(entry.timings) ? entry.timings : {};

  const r = sink.blank();
  r.startedAtMs = startedAtMs;
  r.durationMs = knownDuration(positive(entry.time));
  r.upstreamMs = positive(timings.wait);
  r.method = typeof request.method === 'string' ? request.method.toUpperCase() : '';
  r.path = request.url;
  copyHeaders(r.requestHeaders, request.headers);
  copyHeaders(r.responseHeaders, response.headers);
  splitTarget(r);
  const hash = r.path.indexOf('#');
  if (hash >= 0) r.path = r.path.slice(0, hash);
  if (r.authority === '') r.authority = r.requestHeaders.get('host') ?? '';
  r.status = status;
  r.requestBytes = positive(request.bodySize);
  const content = isObject(response.content) ? response.content : {};
  r.responseBytes = Number.isNaN(positive(response.bodySize)) ? positive(content.size) : positive(response.bodySize);
  r.userAgent = r.requestHeaders.get('user-agent') ?? '';
  r.referer = r.requestHeaders.get('referer') ?? '';
  r.requestId = r.requestHeaders.get('x-request-id') ?? '';
  r.loggedRequestHeaders = new Set(r.requestHeaders.keys());
  const sides = {
    request: bodyOf(isObject(request.postData) ? request.postData : {}),
    response: bodyOf(content),
  };
  r.metadata = (namespace, path) => flowMetadataSide(namespace, path, (side) => sides[side]());
  r.arrivedAtMs = completedAtMs(r);
  sink.commit();
  return 'pass';
}

/** The body as a value, parsed when first asked for: form parameters, or JSON. */
function bodyOf(content: Json): () => unknown {
  let value: unknown;
  let parsed = false;
  return () => {
    if (parsed) return value;
    parsed = true;
    const params = Array.isArray(content.params) ? content.params.filter(isObject) : [];
    if (params.length > 0) value = Object.fromEntries(params.map((p) => [String(p.name), p.value]));
    else if (typeof content.text === 'string' && content.text.length <= 1 << 20) {
      try {
        value = JSON.parse(content.text);
      } catch {
        value = undefined;
      }
    }
    return value;
  };
}

function copyHeaders(into: HeaderFields, headers: unknown): void {
  if (!Array.isArray(headers)) return;
  for (const header of headers.slice(0, 256)) {
    if (!isObject(header) || typeof header.name !== 'string' || typeof header.value !== 'string') continue;
    const name = header.name.toLowerCase();
    const before = into.get(name);
    into.set(name, before === undefined ? header.value : `${before}, ${header.value}`);
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** HAR writes -1 for unknown. */
function positive(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : Number.NaN;
}

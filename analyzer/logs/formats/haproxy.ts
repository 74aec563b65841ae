/**
 * HAProxy's HTTP log, with or without a syslog prefix and captured headers. The date is when the request began to
 * arrive, without a zone (read as UTC); the last timer is the whole time until the end of the response.
 */
import { addressIn } from '../client-address.ts';
import {
  completedAtMs,
  knownDuration,
  noLoggedHeaders,
  type ReadOutcome,
  type RecordSink,
  type UnitReader,
} from '../log-format.ts';
import { parseClfTime } from '../log-time.ts';
import { applyRequestLine } from '../request-line.ts';
import { numberIn } from '../split-fields.ts';
import { splitTarget } from './aws-alb.ts';

export function createHaproxyReader(): UnitReader {
  return { read: readHaproxyLine };
}

function readHaproxyLine(line: string, sink: RecordSink): ReadOutcome {
  let open = line.indexOf('[');
  let startedAtMs = Number.NaN;
  for (let i = 0; open >= 0 && i < 4; i++) {
    startedAtMs = parseClfTime(line, open + 1);
    if (!Number.isNaN(startedAtMs)) break;
    open = line.indexOf('[', open + 1);
  }
  if (Number.isNaN(startedAtMs)) return 'unrecognised';
  const client = line.slice(line.lastIndexOf(' ', open - 2) + 1, open - 1);
  // Behind IPv6 addresses, too, which HAProxy writes without brackets, stands a port.
  const port = client.lastIndexOf(':');
  const address = addressIn(port < 0 ? client : client.slice(0, port));
  const close = line.indexOf(']', open);
  const f = line.slice(close + 2, close + 2 + 4096).split(' ');
  const [, backend = '', timers = '', status = '', bytes = ''] = f;
  const t = timers.split('/');
  if (address === '' || close < 0 || t.length < 5 || !backend.includes('/')) return 'unrecognised';
  const code = status === '-1' ? 0 : numberIn(status);
  if (!(code >= 0 && code <= 999)) return 'bad_status';
  const quote = line.indexOf(' "', close);
  if (quote < 0) return 'no_request';
  const last = line.lastIndexOf('"');
  const end = last > quote + 2 ? last : line.length;

  const r = sink.blank();
  r.startedAtMs = startedAtMs;
  r.loggedRequestHeaders = noLoggedHeaders;
  r.remoteAddress = address;
  r.status = code;
  r.responseBytes = numberIn(bytes);
  r.upstreamCluster = backend;
  // A leading + marks a log written before the response was complete (`option logasap`).
  const total = t.at(-1) ?? '';
  r.durationMs = knownDuration(numberIn(total.startsWith('+') ? total.slice(1) : total));
  r.upstreamMs = numberIn(t[3]);
  applyRequestLine(r, line, quote + 2, end);
  // From HTTP/2 on the whole URL is what HAProxy makes of :scheme, :authority and :path, and no proxy attempt.
  if (line.startsWith(' HTTP/2', end - 9) || line.startsWith(' HTTP/3', end - 9)) splitTarget(r);
  applyCaptured(r, line.slice(close, quote));
  r.arrivedAtMs = completedAtMs(r);
  sink.commit();
  return 'pass';
}

/** Captured headers have no names; a host and a user agent show by their shape. */
function applyCaptured(r: { authority: string; userAgent: string }, text: string): void {
  const open = text.indexOf('{');
  const close = text.indexOf('}', open);
  if (open < 0 || close < 0) return;
  for (const value of text.slice(open + 1, close).split('|')) {
    if (r.authority === '' && /^[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}(?::\d{1,5})?$/.test(value)) {
      r.authority = value;
    } else if (r.userAgent === '' && /^[A-Za-z][\w.-]{1,40}\/\d/.test(value)) r.userAgent = value;
  }
}

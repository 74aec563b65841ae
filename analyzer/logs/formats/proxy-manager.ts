/**
 * NGINX Proxy Manager and NPMplus, whose lines begin with the time, and application servers that log
 * `[address:port] status reason "request"` after a time. All times are completions.
 */
import { addressIn } from '../client-address.ts';
import {
  combinedHeaders,
  noLoggedHeaders,
  type ReadOutcome,
  type RecordSink,
  setCompletedAt,
  type UnitReader,
} from '../log-format.ts';
import { parseClfTime, parseIsoTime } from '../log-time.ts';
import { applyRequestLine } from '../request-line.ts';
import { numberIn, quoteEnd, splitFields, unquote } from '../split-fields.ts';

export function createProxyManagerReader(): UnitReader {
  return {
    read(line, sink) {
      const open = line.indexOf('[');
      const at = open < 0 || open > 200 ? Number.NaN : parseClfTime(line, open + 1);
      if (Number.isNaN(at)) return 'unrecognised';
      const f = splitFields(line, line.indexOf(']', open) + 1, 80);
      const client = f.indexOf('[Client');
      return client > 0 ? readManager(f, client, at, sink) : readPlus(f, at, sink);
    },
  };
}

/** `[cache upstream] status - METHOD scheme host "uri" [Client a] [Length n] [Gzip r] [Sent-to s] "agent" "referer"` */
function readManager(f: string[], client: number, at: number, sink: RecordSink): ReadOutcome {
  const dash = client - 5;
  const status = numberIn(f[dash - 1]);
  const address = addressIn((f[client + 1] ?? '').replace(']', ''));
  if (f[dash] !== '-' || address === '') return 'unrecognised';
  if (!(status >= 0 && status <= 999)) return 'bad_status';
  const r = sink.blank();
  r.startedAtMs = r.arrivedAtMs = at;
  r.loggedRequestHeaders = combinedHeaders;
  r.status = status;
  r.method = f[dash + 1] ?? '';
  r.authority = f[dash + 3] ?? '';
  r.path = unquote(f[dash + 4]);
  r.remoteAddress = address;
  const length = f.indexOf('[Length', client);
  if (length > 0) r.responseBytes = numberIn((f[length + 1] ?? '').replace(']', ''));
  const quoted = f.slice(client).filter((field) => field.charCodeAt(0) === 34);
  r.userAgent = unquote(quoted[0]);
  r.referer = unquote(quoted[1]);
  sink.commit();
  return 'pass';
}

/** `host address seconds "request" status bytes total referer user agent…` */
function readPlus(f: string[], at: number, sink: RecordSink): ReadOutcome {
  const address = addressIn(f[1] ?? '');
  const seconds = numberIn(f[2]);
  if (address === '' || Number.isNaN(seconds) || f[3]?.charCodeAt(0) !== 34) return 'unrecognised';
  const status = numberIn(f[4]);
  if (!(status >= 0 && status <= 999)) return 'bad_status';
  const r = sink.blank();
  setCompletedAt(r, at, seconds * 1000);
  r.arrivedAtMs = at;
  r.loggedRequestHeaders = combinedHeaders;
  r.authority = f[0] === '_' ? '' : (f[0] ?? '');
  r.remoteAddress = address;
  applyRequestLine(r, unquote(f[3]));
  r.status = status;
  r.responseBytes = numberIn(f[5]);
  r.referer = unquote(f[7]);
  const agent = f.slice(8).join(' ');
  r.userAgent = agent === '-' ? '' : agent;
  sink.commit();
  return 'pass';
}

export function createAppServerReader(): UnitReader {
  return { read: readAppServerLine };
}

/** `INFO     2025-07-16T19:42:45 - [127.0.0.1:32894] 401 Unauthorized "POST /api/auth/token HTTP/1.1"` */
function readAppServerLine(line: string, sink: RecordSink): ReadOutcome {
  const open = line.indexOf(' - [');
  const close = line.indexOf('] ', open);
  if (open < 10 || close < 0) return 'unrecognised';
  const address = addressIn(line.slice(open + 4, close));
  const at = parseIsoTime(line.slice(0, open).split(' ').at(-1) ?? '');
  const quote = line.indexOf('"', close);
  if (address === '' || Number.isNaN(at) || quote < 0) return 'unrecognised';
  const status = numberIn(line.slice(close + 2, close + 5));
  if (!(status >= 100 && status <= 999)) return 'bad_status';
  const end = quoteEnd(line, quote + 1);
  const r = sink.blank();
  r.startedAtMs = r.arrivedAtMs = at;
  r.loggedRequestHeaders = noLoggedHeaders;
  r.remoteAddress = address;
  r.status = status;
  applyRequestLine(r, line, quote + 1, end);
  sink.commit();
  return 'pass';
}

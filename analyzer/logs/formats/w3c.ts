/**
 * W3C extended logs: a `#Fields:` directive names the columns (IIS, CloudFront and others), and the two forms that
 * come without one: CloudFront with its columns stripped and IIS as Windows event XML.
 * Date and time are UTC and the completion; `time-taken` is milliseconds for IIS, seconds for CloudFront.
 */
import type { AccessRecord } from '../../ingest/access-record.ts';
import { addressIn, clientInForwarded, isInternal } from '../client-address.ts';
import { type ReadOutcome, type RecordSink, setCompletedAt, type UnitReader } from '../log-format.ts';
import { parseIsoTime } from '../log-time.ts';
import { numberIn, splitFields } from '../split-fields.ts';

/** CloudFront standard logs, the columns Picket reads; the order is fixed by AWS. */
const cloudFrontFields = [
  ...['date', 'time', 'x-edge-location', 'sc-bytes', 'c-ip', 'cs-method', 'cs(Host)', 'cs-uri-stem', 'sc-status'],
  ...['cs(Referer)', 'cs(User-Agent)', 'cs-uri-query', 'cs(Cookie)', 'x-edge-result-type', 'x-edge-request-id'],
  ...['x-host-header', 'cs-protocol', 'cs-bytes', 'time-taken', 'x-forwarded-for'],
];

const maxFields = 128;

export function createW3cReader(): UnitReader {
  let layout: Layout | undefined;
  /** Of logs whose lines tell only the time. */
  let day = '';
  const cloudFront = layoutOf(cloudFrontFields);
  return {
    read(line, sink) {
      const c = line.charCodeAt(0);
      if (c === 35) {
        day = /^#date: *(\d{4}-\d\d-\d\d)/i.exec(line)?.[1] ?? day;
        if (/^#fields:/i.test(line))
          layout = layoutOf(
            line
              .slice(8)
              .split(/[ \t]+/)
              .filter(Boolean),
          );
        return 'skip';
      }
      if (c === 60) return readEventXml(line, sink);
      const tabs = line.includes('\t');
      if (!layout) {
        if (!tabs) return /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [^ ]/.test(line) ? 'no_fields_directive' : 'unrecognised';
        const f = line.split('\t', maxFields);
        return f.length >= 24 ? readFields(f, cloudFront, sink, day) : 'unrecognised';
      }
      const f = tabs ? line.split('\t', maxFields) : splitFields(line, 0, maxFields);
      if (f.length < layout.count) return 'truncated';
      return readFields(f, layout, sink, day);
    },
  };
}

interface Layout {
  index: ReadonlyMap<string, number>;
  count: number;
  /** Lower-case names of the request headers among the columns. */
  headers: ReadonlySet<string>;
  /** Unit of `time-taken`. */
  seconds: boolean;
}

function layoutOf(names: readonly string[]): Layout {
  const lower = names.slice(0, maxFields).map((name) => name.toLowerCase());
  const headers = lower.map((name) => headerName(name)).filter((name) => name !== '');
  return {
    index: new Map(lower.map((name, i) => [name, i])),
    count: lower.length,
    headers: new Set(headers),
    seconds: lower.includes('x-edge-location'),
  };
}

/** `cs(User-Agent)` and the event log's `csUser-Agent`. */
function headerName(column: string): string {
  if (column.startsWith('cs(')) return column.slice(3, -1);
  return column === 'csuser-agent' || column === 'cscookie' || column === 'csreferer' ? column.slice(2) : '';
}

function readFields(f: readonly string[], layout: Layout, sink: RecordSink, day: string): ReadOutcome {
  function get(name: string): string {
    const value = f[layout.index.get(name) ?? -1] ?? '';
    if (value === '-') return '';
    return value.charCodeAt(0) === 34 ? value.slice(1) : value;
  }
  const at = parseIsoTime(`${get('date') || day}T${get('time')}`);
  if (Number.isNaN(at)) return 'bad_time';
  const method = get('cs-method');
  const stem = get('cs-uri-stem') || get('cs-uri');
  if (method === '' && stem === '') return 'not_http';
  const status = numberIn(get('sc-status') || '0');
  if (!(status >= 0 && status <= 999)) return 'bad_status';

  const r = sink.blank();
  const query = get('cs-uri-query');
  r.method = method.toUpperCase();
  r.path = query === '' ? stem : `${stem}?${query}`;
  r.status = status;
  r.remoteAddress = clientOf(r, get);
  r.authority = get('x-host-header') || get('cs-host') || get('cs(host)');
  r.logUser = get('cs-username');
  r.responseBytes = numberIn(get('sc-bytes'));
  r.requestId = get('x-edge-request-id');
  r.userAgent = headerText(get('cs(user-agent)') || get('csuser-agent'), layout);
  r.referer = headerText(get('cs(referer)') || get('csreferer'), layout);
  const cookie = get('cs(cookie)') || get('cscookie');
  if (cookie !== '') r.requestHeaders.set('cookie', cookie);
  r.loggedRequestHeaders = layout.headers;
  const taken = numberIn(get('time-taken'));
  setCompletedAt(r, at, layout.seconds || get('time-taken').includes('.') ? taken * 1000 : taken);
  r.arrivedAtMs = at;
  sink.commit();
  return 'pass';
}

function clientOf(r: AccessRecord, get: (name: string) => string): string {
  const direct = addressIn(get('c-ip'));
  const forwarded = clientInForwarded(get('x-forwarded-for') || get('cs(x-forwarded-for)'));
  if (forwarded === '' || direct === '') return direct || forwarded;
  r.directAddress = direct;
  // The forwarded list counts only where an own proxy stands in front.
  return isInternal(direct) ? forwarded : direct;
}

/** IIS writes spaces as `+`, CloudFront as `%20` (sometimes twice encoded). */
function headerText(value: string, layout: Layout): string {
  if (!layout.seconds) return value.replaceAll('+', ' ');
  return value.replaceAll('%2520', ' ').replaceAll('%20', ' ');
}

function readEventXml(line: string, sink: RecordSink): ReadOutcome {
  if (!line.includes('<Event')) return 'unrecognised';
  const names: string[] = [];
  const values: string[] = [];
  const marker = '<Data Name="';
  for (let at = line.indexOf(marker); at >= 0 && names.length < maxFields; at = line.indexOf(marker, at)) {
    at += marker.length;
    const nameEnd = line.indexOf('"', at);
    const open = line.indexOf('>', nameEnd);
    if (nameEnd < 0 || open < 0) break;
    names.push(line.slice(at, nameEnd));
    const empty = line.charCodeAt(open - 1) === 47;
    const close = empty ? open : line.indexOf('<', open);
    values.push(empty || close < 0 ? '' : unescapeXml(line.slice(open + 1, close)));
    at = open;
  }
  return names.length === 0 ? 'not_http' : readFields(values, layoutOf(names), sink, '');
}

function unescapeXml(s: string): string {
  if (!s.includes('&')) return s;
  return s.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}

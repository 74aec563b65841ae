/**
 * AWS Application Load Balancer access logs (and Classic ones, which lack the type in front). The time is when the
 * response was sent; the three processing times add up to the duration.
 */
import type { AccessRecord } from '../../ingest/access-record.ts';
import { addressIn } from '../client-address.ts';
import { agentHeaders, type ReadOutcome, type RecordSink, setCompletedAt, type UnitReader } from '../log-format.ts';
import { parseIsoTime } from '../log-time.ts';
import { applyRequestLine } from '../request-line.ts';
import { numberIn, splitFields, unquote } from '../split-fields.ts';

const types = new Set(['http', 'https', 'h2', 'grpcs', 'ws', 'wss']);

export function createAwsAlbReader(): UnitReader {
  return { read: readAlbLine };
}

function readAlbLine(line: string, sink: RecordSink): ReadOutcome {
  const space = line.indexOf(' ');
  const typed = space > 0 && space < 7 && types.has(line.slice(0, space));
  const f = splitFields(line, typed ? space + 1 : 0, 34);
  const at = parseIsoTime(f[0] ?? '');
  if (Number.isNaN(at)) return typed ? 'bad_time' : 'unrecognised';
  const address = addressIn(f[2] ?? '');
  if (address === '' || f[11]?.charCodeAt(0) !== 34) return f.length < 12 && typed ? 'truncated' : 'unrecognised';
  const status = f[7] === '-' ? 0 : numberIn(f[7]);
  if (!(status >= 0 && status <= 999)) return 'bad_status';

  const r = sink.blank();
  r.loggedRequestHeaders = agentHeaders;
  r.remoteAddress = address;
  r.status = status;
  // -1 stands for a target that was not reached.
  const times = [numberIn(f[4]), numberIn(f[5]), numberIn(f[6])];
  const known = times.filter((t) => !Number.isNaN(t));
  setCompletedAt(r, at, known.length === 0 ? Number.NaN : known.reduce((sum, t) => sum + t * 1000, 0));
  r.upstreamMs = (times[1] ?? Number.NaN) * 1000;
  r.requestBytes = numberIn(f[9]);
  r.responseBytes = numberIn(f[10]);
  applyRequestLine(r, unquote(f[11]));
  splitTarget(r);
  r.userAgent = unquote(f[12]);
  if (typed) {
    r.upstreamCluster = unquote(f[15]);
    r.requestId = unquote(f[16]);
  }
  r.arrivedAtMs = at;
  sink.commit();
  return 'pass';
}

/** These logs always write the whole URL: it is the format's, not the client's. */
export function splitTarget(r: AccessRecord): void {
  const scheme = r.path.indexOf('://');
  if (scheme < 2 || scheme > 5) return;
  const slash = r.path.indexOf('/', scheme + 3);
  const authority = slash < 0 ? r.path.slice(scheme + 3) : r.path.slice(scheme + 3, slash);
  r.authority = authority.replace(/:(?:80|443)$/, '');
  r.path = slash < 0 ? '/' : r.path.slice(slash);
}

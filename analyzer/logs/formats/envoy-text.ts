/**
 * Envoy's default text access log and Istio's spelling of it. START_TIME is the arrival, DURATION milliseconds until
 * the last byte went down.
 */
import { addressIn, clientInForwarded } from '../client-address.ts';
import {
  agentHeaders,
  completedAtMs,
  knownDuration,
  type ReadOutcome,
  type RecordSink,
  type UnitReader,
} from '../log-format.ts';
import { parseIsoTime } from '../log-time.ts';
import { applyRequestLine } from '../request-line.ts';
import { numberIn, quoteEnd, splitFields, unquote } from '../split-fields.ts';

export function createEnvoyTextReader(): UnitReader {
  return { read: readEnvoyLine };
}

function readEnvoyLine(line: string, sink: RecordSink): ReadOutcome {
  let open = line.indexOf('[');
  let startedAtMs = Number.NaN;
  for (let i = 0; open >= 0 && i < 4; i++) {
    startedAtMs = parseIsoTime(line, open + 1);
    if (!Number.isNaN(startedAtMs)) break;
    open = line.indexOf('[', open + 1);
  }
  if (Number.isNaN(startedAtMs)) return 'unrecognised';
  const close = line.indexOf(']', open);
  if (close < 0 || line.charCodeAt(close + 1) !== 32 || line.charCodeAt(close + 2) !== 34) return 'unrecognised';
  const end = quoteEnd(line, close + 3);
  const f = splitFields(line, end + 2, 32);
  const status = numberIn(f[0]);
  if (!(status >= 0 && status <= 999)) return f.length === 0 ? 'truncated' : 'bad_status';
  // Istio puts details, termination and transport failure between the flags and the byte counts.
  const istio = Number.isNaN(numberIn(f[2])) || f[2] === undefined;
  const at = istio ? 5 : 2;
  if (f.length < at + 4) return 'truncated';

  const r = sink.blank();
  r.startedAtMs = startedAtMs;
  r.loggedRequestHeaders = agentHeaders;
  applyRequestLine(r, line, close + 3, end);
  r.status = status;
  if (istio) r.responseCodeDetails = unquote(f[2]);
  r.requestBytes = numberIn(f[at]);
  r.responseBytes = numberIn(f[at + 1]);
  r.durationMs = knownDuration(numberIn(f[at + 2]));
  r.upstreamMs = numberIn(f[at + 3]);
  r.remoteAddress = clientInForwarded(unquote(f[at + 4]));
  r.userAgent = unquote(f[at + 5]);
  r.requestId = unquote(f[at + 6]);
  r.authority = unquote(f[at + 7]);
  if (istio) {
    r.upstreamCluster = unquote(f[at + 9]);
    r.directAddress = addressIn(f[at + 12] ?? '');
    r.routeName = unquote(f[at + 14]);
    if (r.remoteAddress === '') r.remoteAddress = r.directAddress;
  }
  r.arrivedAtMs = completedAtMs(r);
  sink.commit();
  return 'pass';
}

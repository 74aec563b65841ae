/** `--format regex:…`: one's own expression with named groups. */
import { clientInForwarded } from '../client-address.ts';
import {
  agentHeaders,
  completedAtMs,
  knownDuration,
  noLoggedHeaders,
  setCompletedAt,
  type UnitReader,
} from '../log-format.ts';
import { parseDurationText, parseTime } from '../log-time.ts';
import { applyRequestLine } from '../request-line.ts';
import { numberIn } from '../split-fields.ts';

/** Group names by what they fill. */
const regexGroups = [
  ...['time', 'start', 'address', 'request', 'method', 'path', 'status', 'bytes', 'referer', 'agent', 'host', 'user'],
  ...['duration', 'durationMs', 'requestId'],
] as const;

/** An expression may backtrack; what it may chew on is bounded. */
const maxLineLength = 8192;

/** @throws Error with a sentence for the command line when the expression is unusable. */
export function createRegexReader(source: string): UnitReader {
  let regex: RegExp;
  try {
    regex = new RegExp(source, 'u');
  } catch (cause) {
    throw new Error(`--format regex: is no regular expression: ${cause instanceof Error ? cause.message : ''}`, {
      cause,
    });
  }
  const names = [...source.matchAll(/\(\?<([A-Za-z]\w*)>/g)].map((m) => m[1] ?? '');
  const unknown = names.filter((name) => !(regexGroups as readonly string[]).includes(name));
  const hasRequest = names.includes('request') || names.includes('path');
  if (
    unknown.length > 0 ||
    !hasRequest ||
    !(names.includes('time') || names.includes('start')) ||
    !names.includes('status')
  ) {
    const what =
      unknown.length > 0
        ? `has the unknown group ${unknown[0]}`
        : 'needs time (or start), status and request (or path)';
    throw new Error(`--format regex: ${what}; groups are ${regexGroups.join(', ')}`);
  }
  return {
    read(line, sink) {
      if (line.length > maxLineLength) return 'too_long';
      const g = regex.exec(line)?.groups;
      if (!g) return 'unrecognised';
      const at = parseTime(g.start ?? g.time);
      if (Number.isNaN(at)) return 'bad_time';
      const status = g.status === '-' ? 0 : numberIn(g.status);
      if (!(status >= 0 && status <= 999)) return 'bad_status';
      const r = sink.blank();
      if (g.request !== undefined) applyRequestLine(r, g.request);
      else {
        r.method = (g.method ?? '').toUpperCase();
        r.path = g.path ?? '';
      }
      r.status = status;
      r.remoteAddress = clientInForwarded(g.address ?? '');
      r.authority = value(g.host);
      r.userAgent = value(g.agent);
      r.referer = value(g.referer);
      r.logUser = value(g.user);
      r.requestId = value(g.requestId);
      r.responseBytes = g.bytes === '-' ? 0 : numberIn(g.bytes);
      r.loggedRequestHeaders = names.includes('agent') ? agentHeaders : noLoggedHeaders;
      const duration = g.durationMs === undefined ? parseDurationText(g.duration) : numberIn(g.durationMs);
      if (g.start === undefined) setCompletedAt(r, at, duration);
      else {
        r.startedAtMs = at;
        r.durationMs = knownDuration(duration);
      }
      r.arrivedAtMs = completedAtMs(r);
      sink.commit();
      return 'pass';
    },
  };
}

function value(text: string | undefined): string {
  return text === undefined || text === '-' ? '' : text;
}

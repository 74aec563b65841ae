/** Captures of `StreamAccessLogsMessage`s, each behind its length as a varint; read by the decoder of the live feed. */
import { type AccessRecord, Feed } from '../../ingest/access-record.ts';
import { type AlsCounts, createAlsDecoder } from '../../ingest/als-decoder.ts';
import type { RecordSink, RejectReason, UnitReader } from '../log-format.ts';
import { completedAtMs } from '../log-format.ts';

/** What the decoder counts, in the words of log readers; requests in flight are logged again when they end. */
const reasons: readonly [keyof AlsCounts, RejectReason][] = [
  ['tcp', 'not_http'],
  ['malformed', 'malformed'],
  ['truncated', 'truncated'],
  ['missingProperties', 'no_time'],
  ['tooLarge', 'too_long'],
];

export function createAlsBinaryReader(): UnitReader {
  const decoder = createAlsDecoder({ feed: Feed.replay, detached: true });
  let sink: RecordSink | undefined;
  const finished = (record: AccessRecord): void => {
    const into = sink?.blank();
    if (!into) return;
    copyRecord(record, into);
    into.arrivedAtMs = completedAtMs(into);
    sink?.commit();
  };
  return {
    read: () => 'unrecognised',
    readMessage(bytes, to) {
      sink = to;
      const counts = decoder.decode(bytes, { source: 'capture' }, 0, { finished });
      sink = undefined;
      let rejected = 0;
      for (const [count, reason] of reasons)
        for (let i = 0; i < counts[count]; i++) {
          to.reject(reason);
          rejected++;
        }
      return counts.finished === 0 && rejected === 0 ? 'skip' : 'pass';
    },
  };
}

/** Everything but feed and source, which the reader of the file knows. */
function copyRecord(from: AccessRecord, to: AccessRecord): void {
  const { feed, source, requestHeaders, responseHeaders } = to;
  Object.assign(to, from);
  to.feed = feed;
  to.source = source;
  to.requestHeaders = requestHeaders;
  to.responseHeaders = responseHeaders;
  for (const [name, value] of from.requestHeaders) requestHeaders.set(name, value);
  for (const [name, value] of from.responseHeaders) responseHeaders.set(name, value);
}

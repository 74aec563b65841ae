/**
 * Requests in flight: what Envoy says of a request before it ends, entry by entry (`DownstreamStart`, `Periodic`,
 * tunnels that opened). The newest entry of each is held, so that long streams, WebSockets and slow bodies are seen while
 * they run; the request itself is counted when it has ended, once.
 *
 * In the ledger a held entry is `held`. It is dropped as `unfinished` when the next one of its request takes its place,
 * and as `never_finished` when Envoy has said nothing for so long that the end was lost, on the way or with its process.
 */
import type { Ledger } from '@picket/runtime/ledger.ts';
import type { AccessRecord } from './access-record.ts';

export interface InFlight {
  /** An entry about a request that goes on; the record is valid during the call only. */
  progress(record: AccessRecord): void;
  /**
   * A request has ended: it is followed no longer. On the hot path: 4 ns while none is in flight, 45 ns with a thousand
   * (CPU time, Node 24).
   */
  finished(record: AccessRecord): void;
  /** Gives up requests of which nothing was heard; called now and then. */
  sweep(nowMs: number): void;
  size(): number;
  /** Those that began first. */
  longest(limit: number): InFlightRequest[];
  /** Requests followed, by API; those of no API under "". */
  byApi(): Map<string, number>;
  /** Counts what is held as dropped. */
  close(): void;
}

/** Without path, address or identity: those stay at the border. */
export interface InFlightRequest {
  /** "<namespace>/<name>", "" when it belongs to none. */
  api: string;
  source: string;
  requestId: string;
  method: string;
  /** 0 before the response began. */
  status: number;
  startedAtMs: number;
  heardAtMs: number;
  /** Of bodies, so far; NaN when unknown. */
  requestBytes: number;
  responseBytes: number;
}

export interface InFlightOptions {
  ledger: Ledger;
  /** Which API a request belongs to, "" for none. */
  apiOf(record: AccessRecord): string;
  /** Beyond this many the newest are not followed: dropped as `buffer_full`, and counted when they end as any other. */
  maxRequests?: number;
}

/** About 12 MB when full. */
const defaultMaxRequests = 65_536;
const maxSources = 4_096;
/** Entries missing in a row that make a request lost, and the least time to wait for them. */
const missedEntries = 3;
const leastSilenceMs = 60_000;
/** Of a source whose interval is unknown: it may tell of the begin of requests only. */
const silenceMs = 3_600_000;

export function createInFlight(options: InFlightOptions): InFlight {
  const { ledger, apiOf, maxRequests = defaultMaxRequests } = options;
  /** By start, which is the same in all entries of a request; two that began in one microsecond share a list. */
  const byStart = new Map<number, InFlightRequest[]>();
  /** Longest time between two entries of one request, by source. */
  const intervals = new Map<string, number>();
  let size = 0;
  ledger.holds('decode', () => size);

  const find = (list: readonly InFlightRequest[], { source, requestId }: AccessRecord): number =>
    list.findIndex((one) => one.requestId === requestId && one.source === source);

  const remove = (startedAtMs: number, list: InFlightRequest[], index: number): void => {
    list.splice(index, 1);
    if (list.length === 0) byStart.delete(startedAtMs);
    size--;
  };

  const learnInterval = (source: string, gapMs: number): void => {
    const known = intervals.get(source);
    if (known === undefined && intervals.size >= maxSources) return;
    // An interval beyond the longest silence is no better known by waiting for it.
    if (gapMs > (known ?? 0) && gapMs < silenceMs) intervals.set(source, gapMs);
  };

  const patienceMs = (source: string): number => {
    const interval = intervals.get(source);
    return interval === undefined ? silenceMs : Math.max(leastSilenceMs, missedEntries * interval);
  };

  return {
    progress(record) {
      const { startedAtMs, source, arrivedAtMs } = record;
      const list = byStart.get(startedAtMs) ?? [];
      const known = list[find(list, record)];
      if (known) {
        ledger.dropped('decode', 'unfinished');
        learnInterval(source, arrivedAtMs - known.heardAtMs);
        known.heardAtMs = arrivedAtMs;
        known.status = record.status;
        known.requestBytes = record.requestBytes;
        known.responseBytes = record.responseBytes;
        return;
      }
      if (size >= maxRequests) {
        ledger.dropped('decode', 'buffer_full');
        return;
      }
      list.push({
        api: apiOf(record),
        source,
        requestId: record.requestId,
        method: record.method,
        status: record.status,
        startedAtMs,
        heardAtMs: arrivedAtMs,
        requestBytes: record.requestBytes,
        responseBytes: record.responseBytes,
      });
      byStart.set(startedAtMs, list);
      size++;
    },
    finished(record) {
      if (size === 0) return;
      const list = byStart.get(record.startedAtMs);
      if (!list) return;
      const index = find(list, record);
      if (index < 0) return;
      ledger.dropped('decode', 'unfinished');
      remove(record.startedAtMs, list, index);
    },
    sweep(nowMs) {
      let lost = 0;
      for (const [startedAtMs, list] of byStart)
        for (let i = list.length - 1; i >= 0; i--) {
          const { source, heardAtMs } = list[i] as InFlightRequest;
          if (nowMs - heardAtMs <= patienceMs(source)) continue;
          remove(startedAtMs, list, i);
          lost++;
        }
      if (lost > 0) ledger.dropped('decode', 'never_finished', lost);
    },
    size: () => size,
    longest: (limit) =>
      [...byStart]
        .sort(([a], [b]) => a - b)
        .slice(0, limit)
        .flatMap(([, list]) => list.map((one) => ({ ...one })))
        .slice(0, limit),
    byApi() {
      const counts = new Map<string, number>();
      for (const list of byStart.values()) for (const { api } of list) counts.set(api, (counts.get(api) ?? 0) + 1);
      return counts;
    },
    close() {
      if (size > 0) ledger.dropped('decode', 'shutting_down', size);
      byStart.clear();
      size = 0;
    },
  };
}

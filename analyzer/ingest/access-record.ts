import type { HeaderFields } from './header-fields.ts';

/**
 * One access log entry as a feed reported it: raw values, nothing hashed. It exists between a feed's decoder and
 * `identify/`, never longer: feeds reuse one record, so whoever keeps a value copies it.
 */
export interface AccessRecord {
  /** Feed the entry came from. */
  feed: Feed;
  /** The Envoy (node id), file or process that reported it; the unit of clock skew. */
  source: string;
  /** False for entries about requests still in flight (`DownstreamStart`, `Periodic`). */
  finished: boolean;
  /** Unix milliseconds with fraction. */
  startedAtMs: number;
  /** Until the last byte of the response left; NaN when the feed does not know. */
  durationMs: number;
  /** Time until the last byte of the upstream's response arrived; NaN when unknown. */
  upstreamMs: number;
  /** When Picket read it, Unix milliseconds; for replayed logs the record's own completion time. */
  arrivedAtMs: number;
  /** Upper case; "" when unknown. */
  method: string;
  /** Host and optional port, as sent. */
  authority: string;
  /** Path with query, as sent. */
  path: string;
  /** 0 when no response was sent. */
  status: number;
  /** Envoy's response code details; "" when unknown. Carries the decision id of a request that Picket refused. */
  responseCodeDetails: string;
  /** Body bytes; NaN when unknown. */
  requestBytes: number;
  responseBytes: number;
  /** Client address after trusted hops, as text; "" when unknown. */
  remoteAddress: string;
  /** Peer address. */
  directAddress: string;
  userAgent: string;
  referer: string;
  /** `x-request-id`, "" when absent. */
  requestId: string;
  /** Lower-case names. Only what the feed logs is here. */
  requestHeaders: HeaderFields;
  responseHeaders: HeaderFields;
  /** Lower-case names of request headers the feed reports on: absence of one of these is a fact, of others is not. */
  loggedRequestHeaders: ReadonlySet<string>;
  ja3: string;
  ja4: string;
  /** SPIFFE or DNS SAN of the downstream certificate, else its subject; "" when none. */
  peerCertificate: string;
  routeName: string;
  upstreamCluster: string;
  /** Identity a log format carries by itself (the `authuser` of a combined log); unverified. "" when none. */
  logUser: string;
  /** Value in the dynamic metadata of a filter: slash separated path, for example `payload/sub`. */
  metadata(namespace: string, path: string): string | number | boolean | undefined;
}

export const Feed = { als: 'als', extProc: 'ext_proc', otlp: 'otlp', ebpf: 'ebpf', replay: 'replay' } as const;
export type Feed = (typeof Feed)[keyof typeof Feed];

const noHeaders: ReadonlySet<string> = new Set();

/** A blank record; feeds that reuse one call `resetAccessRecord` between entries. */
export function createAccessRecord(feed: Feed, source: string): AccessRecord {
  return {
    feed,
    source,
    finished: true,
    startedAtMs: 0,
    durationMs: Number.NaN,
    upstreamMs: Number.NaN,
    arrivedAtMs: 0,
    method: '',
    authority: '',
    path: '',
    status: 0,
    responseCodeDetails: '',
    requestBytes: Number.NaN,
    responseBytes: Number.NaN,
    remoteAddress: '',
    directAddress: '',
    userAgent: '',
    referer: '',
    requestId: '',
    requestHeaders: new Map(),
    responseHeaders: new Map(),
    loggedRequestHeaders: noHeaders,
    ja3: '',
    ja4: '',
    peerCertificate: '',
    routeName: '',
    upstreamCluster: '',
    logUser: '',
    metadata: () => undefined,
  };
}

/** Clears everything but feed, source, arrival time, logged header names and the metadata accessor. */
export function resetAccessRecord(r: AccessRecord): void {
  r.finished = true;
  r.startedAtMs = 0;
  r.durationMs = Number.NaN;
  r.upstreamMs = Number.NaN;
  r.method = r.authority = r.path = r.responseCodeDetails = r.remoteAddress = r.directAddress = '';
  r.userAgent = r.referer = r.requestId = r.ja3 = r.ja4 = r.peerCertificate = r.routeName = r.upstreamCluster = '';
  r.logUser = '';
  r.status = 0;
  r.requestBytes = r.responseBytes = Number.NaN;
  // Clearing a map makes it new tables, empty or not.
  if (r.requestHeaders.size > 0) r.requestHeaders.clear();
  if (r.responseHeaders.size > 0) r.responseHeaders.clear();
}

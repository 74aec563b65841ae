/**
 * Observations: finished requests after `identify/` and `operations/`, hashes and numbers only.
 *
 * They live in batches of fixed-stride binary records, because the same bytes are read by the thread that received
 * them, by worker threads through shared memory, and by replicas through the bus. A record is 256 bytes; `F` names
 * the position of each field in 32-bit words. 64-bit hashes take two words (low, high); 0 means absent.
 */

import { shapeHeaders } from '@picket/proto/access-log.ts';

/** Words per record. */
export const STRIDE = 64;

/** Word offsets. Fields from `seq` to `objectDelta` are float64 (even offsets), read through `f64[offset >> 1]`. */
export const F = {
  /** Position in this analyzer's order of arrival; the order every result depends on. */
  seq: 0,
  /** Completion, Unix ms. */
  eventAt: 2,
  startedAt: 4,
  arrivedAt: 6,
  /** NaN when unknown, like the four below. */
  durationMs: 8,
  upstreamMs: 10,
  requestBytes: 12,
  responseBytes: 14,
  amount: 16,
  /** Numeric distance to the object the same principal touched before on this object rule; NaN when unknown. */
  objectDelta: 18,
  // 64-bit hashes, two words each. Principals are pseudonyms.
  user: 20,
  app: 22,
  token: 24,
  session: 26,
  device: 28,
  address: 30,
  network: 32,
  workload: 34,
  /** Account named in a login, sign-up or reset attempt. */
  account: 36,
  operation: 38,
  userAgent: 40,
  ja4: 42,
  /** Object named by an object rule. */
  object: 44,
  /** Path without query: the resource, for coverage. */
  path: 46,
  counterparty: 48,
  /** Hash of "<namespace>/<name>" of the API. */
  api: 50,
  // 32-bit numbers.
  asn: 52,
  /** `Flag` bits. */
  flags: 53,
  /** `Signal` bits: what the content of the request line gave away. */
  signals: 54,
  /** Bit i: header i of `shapeHeaders` was present. High 16 bits: that header is reported on by the feed. */
  headerShape: 55,
  status: 56,
  /** method | flow << 8 | outcome << 16 | feed << 24 */
  kinds: 57,
  /** Path with query, points in time aside: tells parameter walking from re-reading. Two words. */
  target: 58,
  /** Index of the source in this process; for the clock only, never for detection. */
  source: 60,
} as const;

/** Bits of `F.flags`. Part of stored rows: never renumber. */
export const Flag = {
  /** The user identity was vouched for by Envoy (or by a feed that verifies). */
  userVerified: 1 << 0,
  appVerified: 1 << 1,
  tokenVerified: 1 << 2,
  sessionVerified: 1 << 3,
  /** No operation: a path that only ever answered 404, or unusable. */
  unknownOperation: 1 << 4,
  /** The operation is in the contract. */
  declaredOperation: 1 << 5,
  /** Event time was implausible and arrival time stands in. */
  clockAdjusted: 1 << 6,
  /** Picket itself refused the request: an attempt, but no outcome and nothing to learn. */
  refusedByPicket: 1 << 7,
  /** The user agent says it is a crawler, feed reader or monitor that names itself. */
  declaredBot: 1 << 8,
  /** Path of a picture, style sheet, script or font: fetched by pages, not chosen by callers. */
  staticAsset: 1 << 9,
  /** The outcome of a flow was learned, not declared. */
  outcomeLearned: 1 << 10,
  /** The caller is covered by an exemption. */
  exempt: 1 << 11,
  /** Some principal comes from a reputation list. */
  listed: 1 << 12,
  partial: 1 << 13,
  hasReferer: 1 << 14,
  hasCookie: 1 << 15,
  /** `F.object` follows from the shape of the operation, no object rule named it. */
  objectInferred: 1 << 16,
  /** The token is one that this login handed out. */
  tokenIssued: 1 << 17,
  /** An identifier stands in the path, and it names no file: somebody looks a record up. */
  recordPath: 1 << 18,
  /** The path is one of the names that scanners ask every site for: one alone means nothing. */
  triedName: 1 << 19,
  /** The user agent is an HTTP library's or a script's own: a program that does not hide that it is one. */
  library: 1 << 20,
  /** It comes from an address that no stranger has: a private network's. */
  inside: 1 << 21,
} as const;

/** The eight high bits of `F.flags`: weight of the reputation lists that name a principal of the request, 255 = 1. */
const reputationShift = 24;

/** @param weight 0..1; a listed principal keeps a trace of it, however small */
export function reputationFlags(weight: number): number {
  return weight > 0 ? Flag.listed | (Math.max(1, Math.round(Math.min(1, weight) * 255)) << reputationShift) : 0;
}

/** Weight 0..1 that `reputationFlags` put into the flags. */
export function reputationIn(flags: number): number {
  return (flags >>> reputationShift) / 255;
}

/** Bits of `F.signals`: content that ordinary clients do not send. Part of stored rows: never renumber. */
export const Signal = {
  sensitiveFile: 1 << 0,
  pathTraversal: 1 << 1,
  sqlInjection: 1 << 2,
  scriptInjection: 1 << 3,
  codeInjection: 1 << 4,
  knownTool: 1 << 5,
  adminProbe: 1 << 6,
  openProxy: 1 << 7,
  malformedRequest: 1 << 8,
  /** A known exploit path. */
  exploitPath: 1 << 9,
  userEnumeration: 1 << 10,
} as const;

/**
 * What an access log stream of Envoy reports on: Picket's own configuration logs all of these, and Envoy does not say
 * what another one logs. Where it logs none of them every caller has the same empty shape, which tells nobody apart.
 */
export const shapeHeaderSet: ReadonlySet<string> = new Set(shapeHeaders);

/** Outcome of a flow. */
export const Outcome = { unknown: 0, success: 1, failure: 2 } as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Methods in stored order; index 0 stands for every other one. */
export const methods = [
  'OTHER',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PROPFIND',
] as const;

/** A growable run of records over one buffer, which may be shared between threads. */
export class ObservationBatch {
  length = 0;
  buffer: ArrayBuffer | SharedArrayBuffer;
  u32: Uint32Array;
  f64: Float64Array;
  /** Request id by record index, for evidence; not part of the shared bytes. */
  readonly requestIds: string[] = [];
  readonly #shared: boolean;

  constructor(capacity = 256, shared = false) {
    this.#shared = shared;
    this.buffer = shared ? new SharedArrayBuffer(capacity * STRIDE * 4) : new ArrayBuffer(capacity * STRIDE * 4);
    this.u32 = new Uint32Array(this.buffer);
    this.f64 = new Float64Array(this.buffer);
  }

  /** Adds a zeroed record and returns its base word offset: field `x` is `u32[base + F.x]` or `f64[(base + F.x) >> 1]`. */
  append(): number {
    const base = this.length * STRIDE;
    if (base + STRIDE > this.u32.length) this.#grow();
    this.u32.fill(0, base, base + STRIDE);
    this.requestIds[this.length] = '';
    this.length++;
    return base;
  }

  /** Takes back the last `append`. */
  drop(): void {
    this.length--;
  }

  clear(): void {
    this.length = 0;
    this.requestIds.length = 0;
  }

  #grow(): void {
    const bytes = this.buffer.byteLength * 2;
    const next = this.#shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    const u32 = new Uint32Array(next);
    u32.set(this.u32);
    this.buffer = next;
    this.u32 = u32;
    this.f64 = new Float64Array(next);
  }
}

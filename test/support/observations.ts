/** Observations for tests: every field filled, from a seed. */
import { F, ObservationBatch, STRIDE } from '@picket/analyzer/observation.ts';
import { observationFields } from '@picket/analyzer/store/observation-row.ts';
import type { ObservationRow } from '@picket/analyzer/store/store.ts';

/** A small generator of uniform 32-bit numbers (mulberry32). */
export function random32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

const hashes = [
  F.user,
  F.app,
  F.token,
  F.session,
  F.device,
  F.address,
  F.network,
  F.workload,
  F.account,
  F.operation,
  F.userAgent,
  F.ja4,
  F.object,
  F.path,
  F.counterparty,
  F.api,
  F.target,
];
const words = [F.asn, F.flags, F.signals, F.headerShape, F.status, F.kinds, F.source];
const oddNumbers = [Number.NaN, 0, -0, 5e-324, -1.5, 1.7976931348623157e308, Number.POSITIVE_INFINITY, 0.1 + 0.2];

export interface SampleOptions {
  count: number;
  seed: number;
  firstSeq?: number;
  /** Unix ms of the first; the others follow 10 ms apart. */
  at?: number;
}

/** Principals repeat as in real traffic: some 5,000 users and addresses, 20 operations. */
export function sampleObservations({
  count,
  seed,
  firstSeq = 1,
  at = 1_790_000_000_000,
}: SampleOptions): ObservationBatch {
  const next = random32(seed);
  const batch = new ObservationBatch(count);
  for (let i = 0; i < count; i++) {
    const base = batch.append();
    const { u32, f64 } = batch;
    const eventAt = at + i * 10 + next() / 2 ** 32;
    f64[base >> 1] = firstSeq + i;
    f64[(base + F.eventAt) >> 1] = eventAt;
    f64[(base + F.startedAt) >> 1] = eventAt - next() / 2 ** 26;
    f64[(base + F.arrivedAt) >> 1] = Math.floor(eventAt) + 3;
    for (const field of [F.durationMs, F.upstreamMs, F.amount, F.objectDelta]) {
      f64[(base + field) >> 1] =
        next() % 4 === 0 ? (oddNumbers[next() % oddNumbers.length] as number) : next() / 2 ** 24;
    }
    f64[(base + F.requestBytes) >> 1] = next() % 2000;
    f64[(base + F.responseBytes) >> 1] = next() % 200_000;
    for (const field of hashes) {
      const pick = field === F.operation ? next() % 20 : next() % 5000;
      if (pick % 3 === 0 && field !== F.operation) continue;
      u32[base + field] = Math.imul(pick + field, 0x9e3779b1);
      u32[base + field + 1] = Math.imul(pick + field, 0x85ebca6b);
    }
    for (const field of words) u32[base + field] = next();
    u32[base + F.status] = [200, 201, 404, 500][next() % 4] as number;
    batch.requestIds[i] = i % 50 === 0 ? `é"\\\n${i}` : `${next().toString(16)}-${next().toString(16)}`;
  }
  return batch;
}

export function rowsOf(batch: ObservationBatch, api = 'shop/shop'): ObservationRow[] {
  return Array.from({ length: batch.length }, (_, index) => ({
    batch,
    index,
    api,
    method: 'GET',
    template: `/orders/{id}/${(batch.u32[index * STRIDE + F.operation] ?? 0) % 20}`,
  }));
}

/** Cuts what `encodeObservationRows` wrote into rows: four texts behind their lengths, then numbers, some of them null. */
export function splitObservationRows(bytes: Buffer): Buffer[] {
  const rows: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const from = at;
    for (let i = 0; i < 4; i++) {
      let length = 0;
      let scale = 1;
      for (let byte = 128; byte > 127; scale *= 128) {
        byte = bytes.readUInt8(at++);
        length += (byte & 127) * scale;
      }
      at += length;
    }
    for (const { kind } of observationFields) {
      if (kind === 'optional') at += bytes.readUInt8(at) === 1 ? 1 : 9;
      else at += kind === 'word' ? 4 : 8;
    }
    if (at > bytes.length) throw new RangeError(`a row ends ${at - bytes.length} bytes behind the last`);
    rows.push(bytes.subarray(from, at));
  }
  return rows;
}

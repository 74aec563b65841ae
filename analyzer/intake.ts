/**
 * From access records to the open tick, and from the clocks of the sources to the end of it. Live feeds and the history
 * that a deployment learns from before it goes live come through here.
 */
import type { Ledger } from '@picket/runtime/ledger.ts';
import type { Analysis } from './analysis.ts';
import { TICK_MS } from './engine/engine.ts';
import type { Identifier } from './identify/identifier.ts';
import type { AccessRecord } from './ingest/access-record.ts';
import type { SourceClocks } from './ingest/clock-skew.ts';
import { F, Flag, type ObservationBatch } from './observation.ts';

export interface Intake {
  /** A finished request of a live feed, which counted it as received. The answer is reused by the next call. */
  live(record: AccessRecord): Readonly<Taken>;
  /**
   * A finished request of the past, counted as received here: its own time drives the ticks, so none may lie
   * in the future. Returns true when a tick should be run.
   */
  past(record: AccessRecord, nowMs: number): boolean;
  /** No past is to come any more: from now on time goes on though no source has spoken yet. */
  goLive(): void;
  /** Event time of the latest past record; -Infinity before the first. */
  latestPast(): number;
  /** Event time at which the open tick should end now, or undefined. */
  due(nowMs: number): number | undefined;
  /** Told after a tick was closed. */
  closed(at: number): void;
}

/** What became of a live record. */
export interface Taken {
  /** Low word of the id of its API; 0 when it belongs to none. */
  api: number;
  /** When the request completed, on our clock, Unix ms. */
  completedAtMs: number;
}

/** Out-of-order allowance of past records, as for live ones. */
const pastLagMs = 2_000;

export function createIntake(options: {
  analysis: Analysis;
  identifier: Identifier;
  clocks: SourceClocks;
  ledger: Ledger;
  /** Sees each observation once, for traffic figures. */
  onObservation(batch: ObservationBatch, base: number): void;
}): Intake {
  const { analysis, identifier, clocks, ledger, onObservation } = options;
  let lastTickAt = Number.NEGATIVE_INFINITY;
  let latestPast = Number.NEGATIVE_INFINITY;
  let isLive = false;

  const taken: Taken = { api: 0, completedAtMs: 0 };

  /** Returns the low word of the API's id; 0 = dropped. */
  const take = (record: AccessRecord, eventAt: number, flags: number): number => {
    const { batch } = analysis.engine;
    if (identifier.identify(record, batch, eventAt, flags) !== undefined) return 0;
    const base = (batch.length - 1) * 64;
    analysis.accept(base);
    onObservation(batch, base);
    return batch.u32[base + F.api] as number;
  };

  return {
    live(record) {
      const duration = Number.isNaN(record.durationMs) ? 0 : record.durationMs;
      const placed = clocks.place(record.source, record.startedAtMs + duration, record.arrivedAtMs);
      taken.completedAtMs = placed.eventAtMs;
      taken.api = take(record, placed.eventAtMs, placed.adjusted ? Flag.clockAdjusted : 0);
      return taken;
    },
    past(record, nowMs) {
      ledger.received(record.feed);
      const eventAt = record.startedAtMs + (Number.isNaN(record.durationMs) ? 0 : record.durationMs);
      // One wrong year would end all ticks until then.
      if (!(eventAt <= nowMs) || eventAt < 0) {
        ledger.dropped('order', 'bad_time');
        return false;
      }
      take(record, eventAt, 0);
      latestPast = Math.max(latestPast, eventAt);
      return latestPast - pastLagMs >= lastTickAt + TICK_MS;
    },
    due(nowMs) {
      // Before the first live entry only the past has a clock; a silent start must still not hold up reviews and expiry.
      const heard = clocks.watermark(nowMs);
      const live = isLive && heard === Number.NEGATIVE_INFINITY ? nowMs - pastLagMs : heard;
      const mark = Math.min(nowMs, Math.max(live, latestPast - pastLagMs));
      if (!Number.isFinite(mark)) return undefined;
      const at = Math.floor(mark / TICK_MS) * TICK_MS;
      return at > lastTickAt ? at : undefined;
    },
    closed(at) {
      lastTickAt = at;
    },
    goLive() {
      isLive = true;
    },
    latestPast: () => latestPast,
  };
}

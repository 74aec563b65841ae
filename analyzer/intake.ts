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
import { Flag, type ObservationBatch } from './observation.ts';

export interface Intake {
  /** A finished request of a live feed, which counted it as received. */
  live(record: AccessRecord): void;
  /** A finished request of the past, counted as received here: its own time drives the ticks. Returns true when a tick should be run. */
  past(record: AccessRecord): boolean;
  /** Event time at which the open tick should end now, or undefined. */
  due(nowMs: number): number | undefined;
  /** Told after a tick was closed. */
  closed(at: number): void;
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

  const take = (record: AccessRecord, eventAt: number, flags: number): void => {
    const { batch } = analysis.engine;
    if (identifier.identify(record, batch, eventAt, flags) !== undefined) return;
    const base = (batch.length - 1) * 64;
    analysis.accept(base);
    onObservation(batch, base);
  };

  return {
    live(record) {
      const duration = Number.isNaN(record.durationMs) ? 0 : record.durationMs;
      const placed = clocks.place(record.source, record.startedAtMs + duration, record.arrivedAtMs);
      take(record, placed.eventAtMs, placed.adjusted ? Flag.clockAdjusted : 0);
    },
    past(record) {
      ledger.received(record.feed);
      const eventAt = record.startedAtMs + (Number.isNaN(record.durationMs) ? 0 : record.durationMs);
      if (!Number.isFinite(eventAt)) {
        ledger.dropped('order', 'bad_time');
        return false;
      }
      take(record, eventAt, 0);
      latestPast = Math.max(latestPast, eventAt);
      return latestPast - pastLagMs >= lastTickAt + TICK_MS;
    },
    due(nowMs) {
      // Before the first live entry only the past has a clock.
      const mark = Math.max(clocks.watermark(nowMs), latestPast - pastLagMs);
      if (!Number.isFinite(mark)) return undefined;
      const at = Math.floor(mark / TICK_MS) * TICK_MS;
      return at > lastTickAt ? at : undefined;
    },
    closed(at) {
      lastTickAt = at;
    },
  };
}

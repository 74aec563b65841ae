/**
 * What a restart does before traffic comes: the newest checkpoint, then the rows stored after it, then what was
 * concluded from them but lost. A loss that cannot be made good becomes a gap marker: it must not go unseen.
 */
import type { Clock } from '@picket/runtime/clock.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { Analysis, AnalysisOutcome } from '../analysis.ts';
import type { ObservationBatch } from '../observation.ts';
import type { GapRow, Store, Told } from '../store/store.ts';
import type { Checkpoint, Checkpoints } from './checkpoint.ts';
import { rerun } from './rerun.ts';

export interface Restored {
  observations: number;
  ticks: number;
  fromCheckpoint: boolean;
  /** Stored observations that wait in the open batch for their tick: they must not be stored again. */
  open: number;
  /** Event time reached. */
  at: number;
  /** What happened until then is known already: history up to here is not learned again. */
  knownUpTo: number;
}

/**
 * @param create a fresh analysis: one that took in half of a checkpoint is thrown away
 * @param onCheckpoint what lies outside the analysis is to be restored from it
 * @param onOutcome outcomes of stored ticks, in order, and what the store knows of such outcomes already
 */
export async function restore(options: {
  create(): Analysis;
  checkpoints: Checkpoints;
  store: Store;
  clock: Clock;
  log: Logger;
  onCheckpoint(checkpoint: Checkpoint): void;
  onOutcome(outcome: AnalysisOutcome, told: Told): void;
  /** Sees each observation stored after the checkpoint once. */
  onObservation(batch: ObservationBatch, base: number): void;
}): Promise<{ analysis: Analysis; restored: Restored }> {
  const { checkpoints, store, clock, log } = options;
  let analysis = options.create();
  const { checkpoint, setAside } = await checkpoints.latest(async (found) => {
    try {
      await analysis.load(found.analysis);
      options.onCheckpoint(found);
    } catch (error) {
      await analysis.close();
      analysis = options.create();
      throw error;
    }
  });
  for (const { file, reason } of setAside) log.error('checkpoint set aside', { file, reason });
  let at = 0;
  let knownUpTo = 0;
  if (checkpoint) {
    at = checkpoint.analysis.engine.at;
    knownUpTo = Math.max(at, checkpoint.learnedUpTo);
    for (const gap of await markLost(store, checkpoint.analysis.engine.lastSeq, clock.now()))
      log.error('rows are in the checkpoint but not in the store', { ...gap });
  }
  const told = await store.told();
  const { observations, ticks, open, latestAt } = await rerun(analysis, store, {
    strict: false,
    onObservation: options.onObservation,
    onOutcome(outcome) {
      at = outcome.at;
      options.onOutcome(outcome, told);
    },
  });
  if (observations > 0) log.info('caught up with stored rows', { observations, ticks, open });
  if (at > clock.now())
    log.error('stored time lies in the future; time goes on from now', { at: new Date(at).toISOString() });
  return {
    analysis,
    restored: {
      observations,
      ticks,
      open,
      at: Math.min(at, clock.now()),
      knownUpTo: Math.min(Math.max(knownUpTo, latestAt), clock.now()),
      fromCheckpoint: checkpoint !== undefined,
    },
  };
}

/** Marks rows up to `lastSeq` that the store neither holds nor has a marker for. */
async function markLost(store: Store, lastSeq: number, at: number): Promise<GapRow[]> {
  const stored = await store.extent();
  let from = stored.lastSeq + 1;
  const lost: GapRow[] = [];
  const mark = (toSeq: number): void => {
    if (toSeq >= from) lost.push({ at, fromSeq: from, toSeq, reason: 'lost_in_crash' });
  };
  for (const gap of await store.readGaps(stored.lastSeq)) {
    mark(Math.min(gap.fromSeq - 1, lastSeq));
    from = Math.max(from, gap.toSeq + 1);
  }
  mark(lastSeq);
  if (lost.length > 0) await store.insertGaps(lost, `lost-${from}-${lastSeq}-${at}`);
  return lost;
}

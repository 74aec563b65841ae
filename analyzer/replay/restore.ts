/**
 * What a restart does before traffic comes: the newest checkpoint, then the rows stored after it, then what was
 * concluded from them but lost. A loss that cannot be made good becomes a gap marker: it must not go unseen.
 *
 * A store that does not answer is no reason to wait: rows after the checkpoint stay unread, which is a gap, too.
 */
import type { Clock } from '@picket/runtime/clock.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { Analysis, AnalysisOutcome } from '../analysis.ts';
import type { KeyRing } from '../identify/key-ring.ts';
import type { ObservationBatch } from '../observation.ts';
import { type GapRow, type Store, StoreError, type Told } from '../store/store.ts';
import type { Checkpoint, Checkpoints } from './checkpoint.ts';
import { rerun, type RerunResult } from './rerun.ts';

export interface Restored {
  observations: number;
  ticks: number;
  fromCheckpoint: boolean;
  /** The store did not answer: what it holds after the checkpoint was not read, and is marked as a gap. */
  unread: boolean;
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
  keys?: KeyRing | undefined;
  clock: Clock;
  log: Logger;
  onCheckpoint(checkpoint: Checkpoint): void;
  onOutcome(outcome: AnalysisOutcome, told: Told): void;
  /** Sees each observation stored after the checkpoint once. */
  onObservation(batch: ObservationBatch, base: number): void;
  /** The store did not answer: rows of this range, if there are any, are not part of the state. */
  onUnread(fromSeq: number, toSeq: number): void;
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
  let at = checkpoint?.analysis.engine.at ?? 0;
  const knownUpTo = Math.max(at, checkpoint?.learnedUpTo ?? 0);
  const catchUp = async (): Promise<RerunResult> => {
    if (checkpoint)
      for (const gap of await markLost(store, checkpoint.analysis.engine.lastSeq, clock.now()))
        log.error('rows are in the checkpoint but not in the store', { ...gap });
    const told = await store.told();
    return rerun(analysis, store, {
      strict: false,
      keys: options.keys,
      onObservation: options.onObservation,
      onOutcome(outcome) {
        at = outcome.at;
        options.onOutcome(outcome, told);
      },
    });
  };
  let unread = false;
  const { observations, ticks, open, latestAt, lostKeys } = await catchUp().catch((error: unknown) => {
    if (!(error instanceof StoreError && error.retriable)) throw error;
    unread = true;
    const { lastSeq } = analysis.engine;
    analysis.recalling(false);
    goOnWithout(analysis, clock.now());
    options.onUnread(lastSeq + 1, analysis.engine.lastSeq);
    log.error('the store does not answer: what it holds after the last checkpoint is left out', {
      error,
      fromCheckpoint: checkpoint !== undefined,
    });
    return { observations: 0, ticks: 0, open: analysis.engine.batch.length, latestAt: 0, lostKeys: [] };
  });
  if (observations > 0) log.info('caught up with stored rows', { observations, ticks, open });
  for (const key of lostKeys)
    log.error('who was renamed under a key that is no longer in the ring is a stranger', { key });
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
      unread,
    },
  };
}

/**
 * Numbers that nothing the store may hold has: time since 1970 outruns what any run counts up to, and the margin what
 * came after the checkpoint. Both stay exact in a double beyond the year 2200.
 */
function goOnWithout(analysis: Analysis, now: number): void {
  const { engine } = analysis;
  const seconds = Math.floor(now / 1000);
  engine.resumeAfter(Math.max(engine.lastSeq, seconds * 2 ** 20) + 2 ** 30);
  engine.resumeAfterTick(Math.max(engine.tick, seconds) + 2 ** 22);
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

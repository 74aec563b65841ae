/** What the ledger counted as dropped, minute by minute, as rows of the store: a report on last month can say what it missed. */
import type { LossRow } from '../store/store.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Ledger, LedgerSnapshot } from '@picket/runtime/ledger.ts';

const minuteMs = 60_000;

/** One row for each reason whose count rose since the last call; `minute` is the start of the minute, Unix ms. */
export function createLossReader(ledger: Ledger): (nowMs: number) => LossRow[] {
  let told: LedgerSnapshot['byReason'] = [];
  return (nowMs) => {
    const counts = ledger.snapshot().byReason;
    const before = new Map(told.map(({ stage, reason, count }) => [`${stage}/${reason}`, count]));
    told = counts;
    const minute = Math.floor(nowMs / minuteMs) * minuteMs;
    return counts.flatMap(({ stage, reason, count }) => {
      const lost = count - (before.get(`${stage}/${reason}`) ?? 0);
      return lost > 0 ? [{ minute, stage, reason, count: lost }] : [];
    });
  };
}

/** Hands rows to the store every minute, and once more when stopped. Returns how to stop. */
export function recordLoss(ledger: Ledger, clock: Clock, write: (row: LossRow) => void): () => void {
  const read = createLossReader(ledger);
  const tell = (): void => read(clock.now()).forEach(write);
  const timer = setInterval(tell, minuteMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    tell();
  };
}

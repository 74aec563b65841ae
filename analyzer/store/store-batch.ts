/** Moves one pending batch into the store: in order, resuming where the attempt before failed, bisecting what is refused. */
import { F, STRIDE } from '../observation.ts';
import type { PendingBatch, Piece, PieceKind } from './pending-batch.ts';
import { type ObservationRow, type Store, StoreError } from './store.ts';

export interface BatchAttempt {
  /** Rows settled by this attempt, by kind. */
  stored: Partial<Record<PieceKind, number>>;
  /** The store will never take them. */
  refused: Partial<Record<PieceKind, number>>;
  /** Given up because the store is not usable at all. */
  failed: Partial<Record<PieceKind, number>>;
  /** False: try again, everything stored so far stays stored. */
  finished: boolean;
  /** The last failure, if any. */
  error?: StoreError;
}

/** Beyond this many refused inserts the batch is not worth the search for its last good row. */
const maxRefusals = 64;

/** `at` stamps the gap markers of rows that are given up. */
export async function storeBatch(store: Store, batch: PendingBatch, at: number): Promise<BatchAttempt> {
  const attempt: BatchAttempt = { stored: {}, refused: {}, failed: {}, finished: false };
  const count = (counts: Partial<Record<PieceKind, number>>, piece: Piece): void => {
    counts[piece.kind] = (counts[piece.kind] ?? 0) + piece.rows.length;
    if (piece.kind !== 'observations' || counts === attempt.stored) return;
    const reason = counts === attempt.refused ? 'store_refused' : 'store_failed';
    const [first, last] = [piece.rows[0], piece.rows.at(-1)];
    if (first && last) batch.addLostRows(seqOf(first), seqOf(last), reason, at);
  };
  for (let piece = batch.pieces[0]; piece; piece = batch.pieces[0]) {
    if (piece.rows.length > 0) {
      try {
        await insert(store, piece);
        count(attempt.stored, piece);
      } catch (error) {
        const failure =
          error instanceof StoreError
            ? error
            : new StoreError('refused', `unusable row: ${String(error)}`, false, error);
        attempt.error = failure;
        if (failure.retriable) return attempt;
        if (failure.code === 'refused') {
          batch.refusals++;
          if (piece.rows.length > 1 && batch.refusals <= maxRefusals) {
            batch.pieces.splice(0, 1, ...halves(piece));
            continue;
          }
          count(attempt.refused, piece);
        } else {
          count(attempt.failed, piece);
        }
      }
    }
    batch.pieces.shift();
  }
  attempt.finished = true;
  return attempt;
}

const seqOf = (row: ObservationRow): number => row.batch.f64[(row.index * STRIDE + F.seq) >> 1] as number;

function halves(piece: Piece): [Piece, Piece] {
  const middle = piece.rows.length >> 1;
  const half = (rows: unknown[], suffix: string): Piece => ({ ...piece, rows, token: piece.token + suffix }) as Piece;
  return [half(piece.rows.slice(0, middle), '.0'), half(piece.rows.slice(middle), '.1')];
}

function insert(store: Store, piece: Piece): Promise<void> {
  switch (piece.kind) {
    case 'observations':
      return store.insertObservations(piece.rows, piece.token);
    case 'gaps':
      return store.insertGaps(piece.rows, piece.token);
    case 'inputs':
      return store.insertInputs(piece.rows, piece.token);
    case 'findings':
      return store.insertFindings(piece.rows, piece.token);
    case 'verdicts':
      return store.insertVerdicts(piece.rows, piece.token);
    case 'decisions':
      return store.insertDecisions(piece.rows, piece.token);
    case 'loss':
      return store.insertLoss(piece.rows, piece.token);
    case 'ticks':
      return store.insertTicks(piece.rows, piece.token);
  }
}

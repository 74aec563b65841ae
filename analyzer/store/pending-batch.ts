/** Rows of one stretch of the analyzer's work on their way to the store. */
import { ObservationBatch, STRIDE } from '../observation.ts';
import type { Finding, Verdict } from '../verdict.ts';
import type { DecisionRow, GapRow, InputRow, LossRow, ObservationRow, TickRow } from './store.ts';

export interface PendingRecords {
  inputs: InputRow[];
  findings: Finding[];
  verdicts: Verdict[];
  decisions: DecisionRow[];
  loss: LossRow[];
  ticks: TickRow[];
}
export type RecordKind = keyof PendingRecords;
export const recordKinds: readonly RecordKind[] = ['inputs', 'findings', 'verdicts', 'decisions', 'loss', 'ticks'];

export type PieceKind = 'observations' | 'gaps' | RecordKind;

/** What goes to one table in one insert. */
export type Piece =
  | { kind: 'observations'; rows: ObservationRow[]; token: string }
  | { kind: 'gaps'; rows: GapRow[]; token: string }
  | { [K in RecordKind]: { kind: K; rows: PendingRecords[K]; token: string } }[RecordKind];

export interface PendingBatch {
  readonly records: PendingRecords;
  /** The newest observation that was processed before this batch was closed. */
  lastSeq: number;
  rowCount(): number;
  isEmpty(): boolean;
  addRow(batch: ObservationBatch, index: number, api: string, method: string, template: string): void;
  /** Marks `seq` as missing; what is missing for the same reason since the last `addRow` makes one marker. */
  addGap(seq: number, reason: string, at: number): void;
  /** Marks a run of rows of this batch that is given up. */
  addLostRows(fromSeq: number, toSeq: number, reason: string, at: number): void;
  /** What is still to be stored, in order; the one that stores takes from the front. */
  readonly pieces: Piece[];
  /** Inserts that were refused so far. */
  refusals: number;
  /** Settles when the batch is stored or given up. */
  readonly done: Promise<void>;
  finish(): void;
}

/**
 * A stored tick says that all it was run on is stored too, or marked as missing. What was concluded from it goes after
 * it: after a crash between the two, running the tick again tells what is missing; the other way round there would be
 * conclusions that no stored tick leads to.
 */
export function createPendingBatch(token: string): PendingBatch {
  const copy = new ObservationBatch();
  const rows: ObservationRow[] = [];
  const gaps: GapRow[] = [];
  const growing = new Map<string, GapRow>();
  const records: PendingRecords = { inputs: [], findings: [], verdicts: [], decisions: [], loss: [], ticks: [] };
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    records,
    lastSeq: 0,
    refusals: 0,
    done: promise,
    finish: resolve,
    pieces: [
      { kind: 'observations', rows, token },
      { kind: 'inputs', rows: records.inputs, token },
      { kind: 'gaps', rows: gaps, token },
      { kind: 'ticks', rows: records.ticks, token },
      { kind: 'findings', rows: records.findings, token },
      { kind: 'verdicts', rows: records.verdicts, token },
      { kind: 'decisions', rows: records.decisions, token },
      { kind: 'loss', rows: records.loss, token },
    ],
    rowCount: () => rows.length,
    isEmpty: () => rows.length === 0 && gaps.length === 0 && recordKinds.every((kind) => records[kind].length === 0),
    addRow(batch, index, api, method, template) {
      const base = copy.append();
      copy.u32.set(batch.u32.subarray(index * STRIDE, (index + 1) * STRIDE), base);
      copy.requestIds[copy.length - 1] = batch.requestIds[index] ?? '';
      rows.push({ batch: copy, index: copy.length - 1, api, method, template });
      growing.clear();
    },
    addGap(seq, reason, at) {
      const last = growing.get(reason);
      if (last) {
        last.toSeq = Math.max(last.toSeq, seq);
        return;
      }
      const gap = { at, fromSeq: seq, toSeq: seq, reason };
      growing.set(reason, gap);
      gaps.push(gap);
    },
    addLostRows(fromSeq, toSeq, reason, at) {
      gaps.push({ at, fromSeq, toSeq, reason });
    },
  };
}

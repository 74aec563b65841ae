/** Records of single units, for callers that hold text rather than files. */
import { type AccessRecord, createAccessRecord, Feed } from '../ingest/access-record.ts';
import type { ReadOutcome, RejectReason, UnitReader } from './log-format.ts';

export interface CollectedRecords {
  outcome: ReadOutcome;
  records: AccessRecord[];
  rejected: RejectReason[];
}

/** Reads one unit; the records are the caller's to keep. */
export function collectRecords(reader: UnitReader, unit: string): CollectedRecords {
  const records: AccessRecord[] = [];
  const rejected: RejectReason[] = [];
  let blank = createAccessRecord(Feed.replay, '');
  const outcome = reader.read(unit, {
    blank: () => blank,
    commit() {
      records.push(blank);
      blank = createAccessRecord(Feed.replay, '');
    },
    reject: (reason) => void rejected.push(reason),
  });
  return { outcome, records, rejected };
}

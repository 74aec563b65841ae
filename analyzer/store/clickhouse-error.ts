/** ClickHouse's answers and a connection's failures, classified once. */
import { ClickHouseError } from '@clickhouse/client';
import { StoreError } from './store.ts';

/** The data of the insert is at fault: a repeat can never succeed, fewer rows may. Numbers from ClickHouse's ErrorCodes. */
const refusedCodes = new Set([6, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 469]);
/** The schema or the statement is at fault. */
const unreadableCodes = new Set([16, 36, 43, 46, 47, 48, 60, 62, 81, 115, 184, 215, 456, 497]);
const timeoutCodes = new Set([159, 209, 394]);
/** No space, read-only disk, too many parts waiting for merges. */
const fullCodes = new Set([243, 252, 242, 164]);

export function storeErrorFrom(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ClickHouseError) {
    const code = Number(error.code);
    const text = `${message.trim()} (ClickHouse code ${code}, ${error.type ?? 'unnamed'})`;
    // One code for two things: parts that wait for merges pass, an insert over too many days never does.
    if (code === 252 && message.includes('single INSERT')) return new StoreError('refused', text, false, error);
    if (refusedCodes.has(code)) return new StoreError('refused', text, false, error);
    if (unreadableCodes.has(code)) return new StoreError('unreadable', text, false, error);
    if (timeoutCodes.has(code)) return new StoreError('timeout', text, true, error);
    if (fullCodes.has(code)) return new StoreError('full', text, true, error);
    return new StoreError('unavailable', text, true, error);
  }
  if (/timeout/i.test(message)) return new StoreError('timeout', message, true, error);
  return new StoreError('unavailable', message || 'the store does not answer', true, error);
}

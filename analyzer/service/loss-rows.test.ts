import { createLedger } from '@picket/runtime/ledger.ts';
import { expect, it } from 'vitest';
import { createLossReader } from './loss-rows.ts';

it('tells what was lost since the last time, by reason, and nothing twice', () => {
  const ledger = createLedger();
  const read = createLossReader(ledger);
  ledger.dropped('decode', 'malformed', 3);
  expect(read(90_000)).toEqual([{ minute: 60_000, stage: 'decode', reason: 'malformed', count: 3 }]);
  expect(read(150_000)).toEqual([]);
  ledger.dropped('decode', 'malformed');
  ledger.dropped('store', 'buffer_full', 2);
  expect(read(180_000)).toEqual([
    { minute: 180_000, stage: 'decode', reason: 'malformed', count: 1 },
    { minute: 180_000, stage: 'store', reason: 'buffer_full', count: 2 },
  ]);
});

import { expect, it } from 'vitest';
import { createLedger } from './ledger.ts';

it('adds up to the request, and tells of messages that found no way out beside that', () => {
  const ledger = createLedger();
  let waiting = 3;
  ledger.holds('detect', () => waiting);
  ledger.received('als', 10);
  ledger.stored(4);
  ledger.dropped('decode', 'malformed', 2);
  ledger.dropped('receive', 'too_large');
  ledger.dropped('publish', 'bus_failed', 5);
  const { received, stored, dropped, held, byReason } = ledger.snapshot();
  expect({ received, stored, dropped, held }).toEqual({ received: 10, stored: 4, dropped: 3, held: 3 });
  expect(byReason).toContainEqual({ stage: 'publish', reason: 'bus_failed', count: 5 });
  waiting = 0;
  expect(ledger.snapshot().held).toBe(0);
});

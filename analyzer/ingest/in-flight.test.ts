import fc from 'fast-check';
import { createLedger } from '@picket/runtime/ledger.ts';
import { describe, expect, it } from 'vitest';
import { type AccessRecord, createAccessRecord, Feed } from './access-record.ts';
import { createInFlight } from './in-flight.ts';

const minute = 60_000;

function stage(options: { maxRequests?: number } = {}) {
  const ledger = createLedger();
  const inFlight = createInFlight({ ledger, apiOf: (record) => record.authority, ...options });
  const entry = (id: string, at: number, fields: Partial<AccessRecord> = {}): AccessRecord => {
    ledger.received(Feed.als);
    return {
      ...createAccessRecord(Feed.als, 'envoy-1'),
      ...{ requestId: id, startedAtMs: 1000, arrivedAtMs: at, method: 'GET', authority: 'shop' },
      ...fields,
    };
  };
  return {
    ledger,
    inFlight,
    progress: (...args: Parameters<typeof entry>) => inFlight.progress(entry(...args)),
    finish(...args: Parameters<typeof entry>) {
      inFlight.finished(entry(...args));
      ledger.stored();
    },
    drops: () => Object.fromEntries(ledger.snapshot().byReason.map(({ reason, count }) => [reason, count])),
  };
}

describe('requests in flight', () => {
  it('are seen while they run, and counted once when they have ended', () => {
    const { progress, finish, inFlight, ledger, drops } = stage();
    progress('a', 2_000, { status: 0 });
    progress('a', 12_000, { status: 101, responseBytes: 500 });
    expect(inFlight.longest(10)).toEqual([
      expect.objectContaining({ api: 'shop', requestId: 'a', status: 101, responseBytes: 500, heardAtMs: 12_000 }),
    ]);
    expect(inFlight.byApi()).toEqual(new Map([['shop', 1]]));
    expect(ledger.snapshot()).toMatchObject({ received: 2, held: 1, dropped: 1 });
    finish('a', 15_000);
    expect(inFlight.size()).toBe(0);
    expect(ledger.snapshot()).toMatchObject({ received: 3, stored: 1, held: 0, dropped: 2 });
    expect(drops()).toEqual({ unfinished: 2 });
  });

  it('of two Envoys, or with one id, are told apart', () => {
    const { progress, finish, inFlight } = stage();
    progress('a', 2_000);
    progress('a', 2_000, { source: 'envoy-2' });
    progress('b', 2_000);
    progress('a', 2_000, { startedAtMs: 1001 });
    finish('a', 3_000);
    expect(inFlight.longest(10).map(({ source, requestId, startedAtMs }) => [source, requestId, startedAtMs])).toEqual([
      ['envoy-2', 'a', 1000],
      ['envoy-1', 'b', 1000],
      ['envoy-1', 'a', 1001],
    ]);
  });

  it('that fall silent are lost, with a reason', () => {
    const { progress, inFlight, drops } = stage();
    progress('a', 10_000);
    progress('a', 40_000);
    inFlight.sweep(40_000 + 90_000);
    expect(inFlight.size()).toBe(1);
    inFlight.sweep(40_000 + 90_001);
    expect(inFlight.size()).toBe(0);
    expect(drops()).toEqual({ unfinished: 1, never_finished: 1 });
  });

  it('of an Envoy that tells of the begin only may take an hour', () => {
    const { progress, inFlight } = stage();
    progress('a', 0);
    inFlight.sweep(59 * minute);
    expect(inFlight.size()).toBe(1);
    inFlight.sweep(61 * minute);
    expect(inFlight.size()).toBe(0);
  });

  it('beyond the bound are not followed, and counted', () => {
    const { progress, finish, inFlight, ledger, drops } = stage({ maxRequests: 2 });
    for (const id of ['a', 'b', 'c']) progress(id, 0);
    expect(inFlight.size()).toBe(2);
    finish('c', 1);
    expect(drops()).toEqual({ buffer_full: 1 });
    expect(ledger.snapshot()).toMatchObject({ received: 4, stored: 1, held: 2, dropped: 1 });
  });

  it('never make the ledger wrong, whatever comes in which order', () => {
    const event = fc.record({
      what: fc.constantFrom('progress', 'finish', 'sweep'),
      id: fc.constantFrom('', 'a', 'b', 'c'),
      source: fc.constantFrom('envoy-1', 'envoy-2'),
      startedAtMs: fc.constantFrom(0, 1, Number.NaN),
      afterMs: fc.constantFrom(0, 1, minute, 100 * minute, -minute),
    });
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const { progress, finish, inFlight, ledger } = stage({ maxRequests: 3 });
        let at = 0;
        for (const { what, id, source, startedAtMs, afterMs } of events) {
          at += afterMs;
          if (what === 'progress') progress(id, at, { source, startedAtMs });
          else if (what === 'finish') finish(id, at, { source, startedAtMs });
          else inFlight.sweep(at);
          const { received, stored, dropped, held } = ledger.snapshot();
          expect(stored + dropped + held).toBe(received);
          expect(held).toBeLessThanOrEqual(3);
          expect(inFlight.longest(9)).toHaveLength(held);
        }
        inFlight.close();
        const { received, stored, dropped, held } = ledger.snapshot();
        expect([stored + dropped, held]).toEqual([received, 0]);
      }),
    );
  });
});

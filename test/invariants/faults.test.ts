/**
 * Invariants 2 and 10 under faults: the machinery around the analyzer fails in ways that a seed decides, traffic goes on,
 * and every entry is accounted for: received = stored + dropped(reason) + held.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createSteadyClock } from '@picket/runtime/clock.ts';
import type { LedgerSnapshot } from '@picket/runtime/ledger.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { type AlsClient, entry, type EntryInit, openAlsStream } from '../support/als-client.ts';
import { type AnalyzerStage, startAnalyzerStage } from '../support/analyzer-stage.ts';
import { random32 } from '../support/observations.ts';
import { waitFor } from '../support/processes.ts';

let stage: AnalyzerStage;
const open = new Set<AlsClient>();
afterEach(async () => {
  for (const stream of open) stream.cut();
  open.clear();
  await stage.close();
});

function connect(nodeId: string): AlsClient {
  const stream = openAlsStream(stage.alsPort, nodeId);
  open.add(stream);
  return stream;
}

function page(next: () => number, at: number): EntryInit {
  return entry({ at, address: `192.0.2.${next() % 250}`, path: `/v1/products/${next() % 40}` });
}

function adds(ledger: LedgerSnapshot): LedgerSnapshot {
  expect(ledger.received, JSON.stringify(ledger)).toBe(ledger.stored + ledger.dropped + ledger.held);
  return ledger;
}

/** Nothing is under way any more: what arrived is stored or counted as lost. */
const settled = (atLeast: number): Promise<LedgerSnapshot> =>
  waitFor(`${atLeast} entries settled`, () => {
    const ledger = adds(stage.ledger());
    return ledger.received >= atLeast && ledger.held === 0 ? ledger : undefined;
  });

/** Rows in the store, and those that its gap markers name. */
function kept(): { rows: number; marked: number } {
  const gaps = (stage.double.rows.get('gaps') ?? []).map(
    (line) => JSON.parse(line) as [number, number, number, string],
  );
  return {
    rows: stage.double.rows.get('observations')?.length ?? 0,
    marked: gaps.reduce((sum, [, from, to]) => sum + Number(to) - Number(from) + 1, 0),
  };
}

describe('streams', () => {
  it.each([1, 2, 3])(
    'fifty Envoys that keep reconnecting lose what was under way, and nothing else (seed %i)',
    async (seed) => {
      stage = await startAnalyzerStage();
      const next = random32(seed);
      let whole = 0;
      let cutOff = 0;
      const envoys = Array.from({ length: 50 }, async (_, i) => {
        for (let life = 0; life < 3; life++) {
          const stream = connect(`envoy-${i}`);
          for (let message = next() % 6; message >= 0; message--) {
            const entries = Array.from({ length: 1 + (next() % 30) }, () => page(next, Date.now()));
            const cutHere = message === 0 && next() % 2 === 0;
            const sending = stream.send(entries);
            if (cutHere) {
              cutOff += entries.length;
              stream.cut();
            } else if (await sending) whole += entries.length;
          }
          await stream.close();
          open.delete(stream);
        }
      });
      await Promise.all(envoys);
      await waitFor('all streams ended', () => (stage.streams() === 0 ? true : undefined));
      const ledger = await settled(1);
      expect(ledger.dropped).toBe(0);
      // A message that the transport took before a cut may be lost with the connection: never more than that.
      expect(ledger.received).toBeLessThanOrEqual(whole + cutOff);
      expect(ledger.received).toBeGreaterThan(0);
      await stage.writer.flush();
      expect(kept()).toEqual({ rows: ledger.received, marked: 0 });
    },
  );

  it('one that sends nothing but beginnings holds nobody up', async () => {
    stage = await startAnalyzerStage();
    const next = random32(9);
    const silent = Array.from({ length: 20 }, (_, i) => connect(`silent-${i}`));
    const talking = connect('talking');
    for (let i = 0; i < 20; i++) expect(await talking.send([page(next, Date.now())])).toBe(true);
    expect((await settled(20)).stored).toBe(20);
    expect(silent).toHaveLength(20);
  });
});

describe('the store', () => {
  it.each(['slow', 'gone'] as const)(
    '%s in turns with being well: rows and gaps are all that arrived',
    async (mood) => {
      stage = await startAnalyzerStage({
        maxHeldRows: 1500,
        maxBatchRows: 300,
        retryDelayMs: 20,
        maxRetryDelayMs: 100,
      });
      const next = random32(7);
      const stream = connect('envoy');
      let sent = 0;
      for (let turn = 0; turn < 6; turn++) {
        stage.double.mood = turn % 2 === 0 ? 'well' : mood;
        for (let i = 0; i < 12; i++) {
          const entries = Array.from({ length: 50 + (next() % 100) }, () => page(next, Date.now()));
          expect(await stream.send(entries)).toBe(true);
          sent += entries.length;
          await sleep(10 + (next() % 30));
          expect(adds(stage.ledger()).held).toBeLessThanOrEqual(sent);
        }
      }
      stage.double.mood = 'well';
      const ledger = await settled(sent);
      expect(ledger.received).toBe(sent);
      await stage.writer.flush();
      expect(kept()).toEqual({ rows: ledger.stored, marked: ledger.dropped });
    },
  );
});

describe('our own clock', () => {
  /** Sends at the pace of time while the wall clock jumps; Envoy's clock is the same machine's. */
  async function throughJumps(jumpsMs: readonly number[]): Promise<LedgerSnapshot> {
    let off = 0;
    const wall = { now: () => Date.now() + off, elapsed: () => performance.now() };
    stage = await startAnalyzerStage({}, { clock: createSteadyClock(wall) });
    const next = random32(5);
    const stream = connect('envoy');
    let sent = 0;
    const talk = async (messages: number): Promise<void> => {
      for (let i = 0; i < messages; i++) {
        const entries = Array.from({ length: 1 + (next() % 9) }, () => page(next, wall.now()));
        expect(await stream.send(entries)).toBe(true);
        sent += entries.length;
        await sleep(25);
      }
    };
    await talk(20);
    for (const jumpMs of jumpsMs) {
      off += jumpMs;
      await talk(40);
      // Ticks go on: what was sent before the jump is stored without waiting for the wall clock to catch up.
      await settled(sent);
      expect(stage.analyzer.stuck()).toBeUndefined();
    }
    return adds(stage.ledger());
  }

  it.each([
    ['set back an hour', [-3_600_000]],
    ['an hour ahead and back again', [3_600_000, -3_600_000]],
    ['set back by seconds, twice', [-3_000, -4_000]],
  ] as const)('%s: requests are judged and stored all the while', async (_, jumps) => {
    const ledger = await throughJumps(jumps);
    expect(ledger.stored).toBe(ledger.received);
  });
});

/** Invariants 2 and 10: whatever arrives, and whatever the store does, everything is counted and memory stays bounded. */
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerSnapshot } from '@picket/runtime/ledger.ts';
import { type AlsClient, entry, type EntryInit, openAlsStream } from '../support/als-client.ts';
import { type AnalyzerStage, startAnalyzerStage } from '../support/analyzer-stage.ts';
import { random32 } from '../support/observations.ts';
import { waitFor } from '../support/processes.ts';

let stage: AnalyzerStage;
let stream: AlsClient;
afterEach(async () => {
  await stream?.close();
  await stage?.close();
});

async function open(options: Parameters<typeof startAnalyzerStage>[0] = {}): Promise<void> {
  stage = await startAnalyzerStage(options);
  stream = openAlsStream(stage.alsPort);
}

/** Waits until `count` entries were received and nothing is in between any more. */
const settled = (count: number): Promise<LedgerSnapshot> =>
  waitFor(`${count} entries settled`, () => {
    const ledger = stage.ledger();
    return ledger.received >= count && ledger.held === 0 ? ledger : undefined;
  });

const many = (count: number, make: (i: number) => EntryInit): EntryInit[] =>
  Array.from({ length: count }, (_, i) => make(i));

function countsAddUp(ledger: LedgerSnapshot): void {
  expect(ledger.received, JSON.stringify(ledger)).toBe(ledger.stored + ledger.dropped + ledger.held);
}

describe('entries that nobody should send', () => {
  it('random paths become no operations', async () => {
    await open();
    const next = random32(1);
    for (let i = 0; i < 100; i++) {
      const at = Date.now();
      const path = (): string => `/v1/${next().toString(36)}/${next().toString(36)}`;
      await stream.send(many(200, () => entry({ at, address: '192.0.2.1', path: path(), status: 404 })));
    }
    const ledger = await settled(20_000);
    countsAddUp(ledger);
    expect(ledger.stored).toBe(20_000);
    const [shop] = stage.analyzer.apis();
    expect(shop?.operations.length).toBeLessThan(30);
  });

  it('header bombs, long paths, controls, half characters and absurd numbers are taken or counted', async () => {
    await open();
    const at = Date.now();
    const odd: EntryInit[] = [
      entry({ at, address: '192.0.2.1', path: `/v1/${'a'.repeat(300_000)}` }),
      entry({
        at,
        address: '192.0.2.1',
        path: '/v1/x',
        headers: Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`x-${i}`, 'v'.repeat(100)])),
      }),
      entry({ at, address: '192.0.2.1', path: '/v1/\u0000\u001f%zz%ff%c0%80/../..//' }),
      entry({ at, address: '192.0.2.1', path: '/v1/\uD83D\uDE00', userAgent: '\u0007'.repeat(5000) }),
      entry({ at, address: 'no address at all', path: '/v1/x', status: 4_294_967_295 }),
      entry({ at, address: '', path: '' }),
      entry({ at, address: '192.0.2.1', path: '', login: { account: 'x'.repeat(100_000), ok: false } }),
      entry({ at, address: '192.0.2.1', path: '/v1/x', headers: { authorization: `Bearer ${'.'.repeat(2000)}` } }),
      entry({ at, address: '192.0.2.1', path: '/v1/x', headers: { cookie: `sid=${'='.repeat(20_000)}; sid=; =;;;` } }),
      {},
      { request: {}, response: {}, commonProperties: {} },
    ];
    for (const one of odd) expect(await stream.send([one])).toBe(true);
    await stream.send([entry({ at, address: '192.0.2.2', path: '/v1/products/1' })]);
    const ledger = await settled(odd.length + 1);
    countsAddUp(ledger);
    expect(ledger.stored).toBeGreaterThanOrEqual(7);
    expect(ledger.dropped).toBe(odd.length + 1 - ledger.stored);
  });

  it('malformed and truncated messages and broken streams are counted; what follows is read', async () => {
    await open();
    const whole = many(50, (i) => entry({ at: Date.now(), address: `192.0.2.${i}`, path: `/v1/products/${i}` }));
    await stream.send(whole);
    const captured: Uint8Array[] = [];
    for (let i = 0; i < 200; i++) captured.push(randomBytes(1 + ((i * 37) % 900)));
    // Length prefixes that lie, a group that never ends, a varint that never ends.
    captured.push(
      Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f),
      Uint8Array.of(0x13),
      new Uint8Array(64).fill(0xff),
    );
    // A log entry in which nothing is UTF-8.
    captured.push(Uint8Array.of(0x12, 0x0a, 0x0a, 0x08, 0x12, 0x06, 0x22, 0x04, 0xff, 0xfe, 0xc0, 0x80));
    for (const bytes of captured) {
      const one = openAlsStream(stage.alsPort);
      await one.sendBytes(bytes);
      await one.close();
    }
    await stream.send(whole);
    const ledger = await waitFor('both good messages', () => {
      const snapshot = stage.ledger();
      return snapshot.stored >= 100 && snapshot.held === 0 ? snapshot : undefined;
    });
    countsAddUp(ledger);
    expect(ledger.received).toBeGreaterThan(100);
  });

  it('the future, 1970, a step of the clock and a source a minute fast make nobody else late', async () => {
    await open();
    const fast = openAlsStream(stage.alsPort, 'fast-envoy');
    const wrong = openAlsStream(stage.alsPort, 'wrong-envoy');
    for (let i = 0; i < 40; i++) {
      const now = Date.now();
      await stream.send([entry({ at: now, address: '192.0.2.1', path: '/v1/products/1' })]);
      await fast.send([entry({ at: now + 60_000, address: '192.0.2.2', path: '/v1/products/1' })]);
      const times = [0, now + 86_400_000 * 365, now - 700_000, now + 3_600_000 * (i % 7), -1e12];
      await wrong.send([entry({ at: times[i % 5] as number, address: '192.0.2.3', path: '/v1/products/1' })]);
    }
    const ledger = await settled(120);
    expect(ledger.stored).toBe(120);
    const sources = new Map(stage.analyzer.sources().map((s) => [s.source, s]));
    expect(sources.get('test-envoy')?.adjusted).toBe(0);
    expect(sources.get('wrong-envoy')?.adjusted).toBeGreaterThan(20);
    // The fast one is believed once it has said the same a few times.
    expect(sources.get('fast-envoy')?.adjusted).toBeLessThan(20);
    expect(sources.get('fast-envoy')?.offsetMs).toBeLessThan(-50_000);
    const now = Date.now();
    expect(Math.abs(stage.analyzer.tick().at - now)).toBeLessThan(30_000);
    await fast.close();
    await wrong.close();
  });
});

describe('a store that is not well', () => {
  it.each(['failing', 'full', 'hanging'] as const)(
    '%s: ingest goes on, drops are counted and marked, then it recovers',
    async (mood) => {
      await open({ maxHeldRows: 2000, maxBatchRows: 500, maxRetryDelayMs: 200 });
      const send = async (messages: number): Promise<void> => {
        for (let i = 0; i < messages; i++) {
          const at = Date.now();
          await stream.send(many(100, (n) => entry({ at, address: `192.0.2.${n}`, path: `/v1/products/${n}` })));
        }
      };
      await send(5);
      await settled(500);
      stage.double.mood = mood;
      await send(60);
      const ill = await waitFor('the buffer to overflow', () => {
        const snapshot = stage.ledger();
        return snapshot.received >= 6500 && snapshot.dropped > 0 ? snapshot : undefined;
      });
      countsAddUp(ill);
      expect(ill.held).toBeLessThanOrEqual(6000);
      stage.double.mood = 'well';
      await send(5);
      const ledger = await settled(7000);
      countsAddUp(ledger);
      expect(ledger.byReason.find((d) => d.reason === 'buffer_full')?.count).toBe(ledger.dropped);
      await stage.writer.flush();
      expect(stage.double.rows.get('observations')).toHaveLength(ledger.stored);
      const gaps = (stage.double.rows.get('gaps') ?? []).map(
        (line) => JSON.parse(line) as [number, number, number, string],
      );
      expect(gaps.reduce((sum, [, from, to]) => sum + Number(to) - Number(from) + 1, 0)).toBe(ledger.dropped);
    },
  );
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeBus, eventually, watchBucket } from '@picket/runtime/bus/bus-contract.ts';
import { connectNatsBus } from '@picket/runtime/bus/nats-bus.ts';
import { openNats } from '@picket/runtime/bus/open-nats.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { createLogger } from '@picket/runtime/log.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type NatsServer, startNats } from '../support/nats.ts';
import { freePort } from '../support/ports.ts';
import { type RunningProcess, startProcess, waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';

const tool = findTool('nats-server');
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const open = (server: { url: string }) => connectNatsBus({ servers: [server.url], onTrouble: () => {} });

describe.skipIf(tool.missing !== undefined)(tool.missing ?? 'over a real NATS server', () => {
  let shared: NatsServer;
  beforeAll(async () => {
    shared = await startNats();
  });
  afterAll(() => shared.stop());

  describeBus('NATS', () => open(shared));

  describe('faults', () => {
    let server: NatsServer;
    afterEach(() => server.stop());
    const restart = async (): Promise<void> => {
      await server.stop({ keepData: true });
      server = await startNats({ folder: server.folder, port: server.port });
    };

    it('a server restart loses no key and no event, repeats none, and is followed by live changes again', async () => {
      server = await startNats();
      const bus = await open(server);
      const heard: string[] = [];
      await bus.subscribe('picket.v1.verdict.>', (_, payload) => heard.push(text(payload)));
      const { bucket, present } = await watchBucket(bus, 'picket_decisions');
      await bucket.put('fleet.shop.a', bytes('1'));
      await bus.publish('picket.v1.verdict.shop', bytes('1'), { messageId: 'v1' });
      await eventually(() => expect(heard).toEqual(['1']));

      await restart();
      await eventuallyDone(() => bus.publish('picket.v1.verdict.shop', bytes('1'), { messageId: 'v1' }));
      await bus.publish('picket.v1.verdict.shop', bytes('2'), { messageId: 'v2' });
      await bucket.put('fleet.shop.b', bytes('1'));
      await eventually(() => expect(heard).toContain('2'), 20_000);
      expect(heard).toEqual(['1', '2']);
      await eventually(() => expect(Object.fromEntries(present)).toEqual({ 'fleet.shop.a': '1', 'fleet.shop.b': '1' }));
      await bus.close();
    });

    it('a process that waits for a server goes on when one comes; else its absence is an error', async () => {
      const port = await freePort();
      const access = { url: `nats://127.0.0.1:${port}`, name: 'early' };
      const destination = { write: () => true };
      const log = createLogger({ level: 'error', format: 'json', clock: systemClock, destination, component: 'test' });
      await expect(openNats(access, log)).rejects.toMatchObject({ code: 'Unavailable' });
      const told: string[] = [];
      const stopping = new AbortController();
      const opening = openNats(access, log, { onWaiting: (reason) => told.push(reason), signal: stopping.signal });
      await eventually(() => expect(told.length).toBeGreaterThan(1), 20_000);
      expect(told[0]).toContain(`no NATS server answers at nats://127.0.0.1:${port}`);
      server = await startNats({ port });
      const bus = await opening;
      await (await bus.bucket('picket_decisions')).put('fleet.shop.a', bytes('1'));
      await bus.close();
    });

    it('what changed while a watcher was cut off reaches it after the reconnect', async () => {
      server = await startNats();
      const watching = await open(server);
      const { bucket, present, heard } = await watchBucket(watching, 'picket_decisions');
      const events: string[] = [];
      await watching.subscribe('picket.v1.decision.>', (_, payload) => events.push(text(payload)));
      await bucket.put('kept', bytes('1'));
      await bucket.put('gone', bytes('1'));
      await eventually(() => expect(present.size).toBe(2));

      await restart();
      const other = await open(server);
      const otherBucket = await other.bucket('picket_decisions');
      await otherBucket.delete('gone');
      await otherBucket.put('new', bytes('1'));
      await other.publish('picket.v1.decision.shop', bytes('while away'));
      await eventually(() => expect(Object.fromEntries(present)).toEqual({ kept: '1', new: '1' }), 20_000);
      await eventually(() => expect(events).toEqual(['while away']), 20_000);
      expect(heard.filter((entry) => entry === 'synced')).toHaveLength(1);
      await other.close();
      await watching.close();
    });

    it('a server that comes back empty makes the keys vanish for the watcher and takes new ones', async () => {
      server = await startNats();
      const bus = await open(server);
      const { bucket, present, heard } = await watchBucket(bus, 'picket_decisions');
      await bucket.put('old', bytes('1'));
      await eventually(() => expect(present.has('old')).toBe(true));
      await server.stop({ keepData: true });
      rmSync(join(server.folder, 'store'), { recursive: true, force: true });
      server = await startNats({ folder: server.folder, port: server.port });
      await eventually(() => expect(heard).toContain('-old'), 20_000);
      await eventuallyDone(() => bucket.put('new', bytes('1')));
      await eventually(() => expect(Object.fromEntries(present)).toEqual({ new: '1' }), 20_000);
      await bus.close();
    });

    it('a call while no server answers fails as retriable', async () => {
      server = await startNats();
      const bus = await open(server);
      const bucket = await bus.bucket('picket_acks');
      await server.stop({ keepData: true });
      await expect(bucket.put('a', bytes('1'))).rejects.toMatchObject({ code: 'unavailable', retriable: true });
      await bus.close();
    });

    it('two buses over one server see the same bucket and each event once', async () => {
      server = await startNats();
      const [first, second] = [await open(server), await open(server)];
      const heard: string[] = [];
      await second.subscribe('picket.v1.policy.>', (_, payload) => heard.push(text(payload)));
      const { present } = await watchBucket(second, 'picket_policy');
      await (await first.bucket('picket_policy')).put('shop.shop', bytes('p1'));
      await first.publish('picket.v1.policy.shop', bytes('p1'), { messageId: 'same' });
      await second.publish('picket.v1.policy.shop', bytes('p1'), { messageId: 'same' });
      await first.publish('picket.v1.policy.shop', bytes('p2'));
      await eventually(() => expect(heard).toEqual(['p1', 'p2']));
      await eventually(() => expect(Object.fromEntries(present)).toEqual({ 'shop.shop': 'p1' }));
      await first.close();
      await second.close();
    });
  });

  it('a full bucket refuses new values and forgets none, and a value too large is refused for good', async () => {
    const bus = await open(shared);
    const bucket = await bus.bucket('filling');
    const value = new Uint8Array(900_000);
    let stored = 0;
    const fill = async (): Promise<void> => {
      for (; stored < 1000; stored++) await bucket.put(`key${stored}`, value);
    };
    await expect(fill()).rejects.toMatchObject({ code: 'full', retriable: true });
    expect(stored).toBeGreaterThan(100);
    expect((await bucket.get('key0'))?.length).toBe(value.length);
    await expect(bucket.put('large', new Uint8Array(3_000_000))).rejects.toMatchObject({ code: 'refused' });
    await bus.close();
  });

  it('says what to do when the server has no JetStream', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'picket-nats-'));
    const port = await freePort();
    const plain: RunningProcess = startProcess({
      command: tool.path ?? '',
      args: ['-a', '127.0.0.1', '-p', String(port)],
      logPath: join(folder, 'nats.log'),
    });
    try {
      await waitFor('NATS ready', () => (plain.output().includes('Server is ready') ? true : undefined), {
        process: plain,
      });
      await expect(open({ url: `nats://127.0.0.1:${port}` })).rejects.toMatchObject({
        code: 'no_jetstream',
        message: expect.stringContaining('-js'),
      });
    } finally {
      await plain.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('says where no server answers', async () => {
    const port = await freePort();
    await expect(open({ url: `nats://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(String(port)),
    });
  });
});

/** Repeats a call that fails as retriable until it goes through. */
async function eventuallyDone(call: () => Promise<void>): Promise<void> {
  await waitFor('call went through', () =>
    call().then(
      () => true,
      () => undefined,
    ),
  );
}

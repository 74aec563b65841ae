/** `picket up --nats-url`: policies, decisions and events over a real JetStream, also when the server restarts. */
import { connect, type NatsConnection, StringCodec } from 'nats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NatsServer, startNats } from '../support/nats.ts';
import type { Picket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { answered, createStage, ordinaryTraffic, policy, provoke, type Stage } from './stage.ts';

const missing = findTool('envoy').missing ?? findTool('nats-server').missing;

describe.skipIf(missing !== undefined)(`picket up over NATS${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;
  let server: NatsServer;
  let connection: NatsConnection;
  beforeAll(async () => {
    server = await startNats();
    stage = await createStage();
    picket = await stage.start({ args: ['--nats-url', server.url] });
    connection = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 200 });
  });
  afterAll(async () => {
    await picket?.stop();
    await connection?.close();
    await server?.stop();
    await stage?.close();
  });

  test('policies and decisions lie in key-value buckets, and a verdict is a CloudEvent', async () => {
    const events: { subject: string; data: Record<string, unknown> }[] = [];
    const codec = StringCodec();
    connection.subscribe('picket.v1.verdict.>', {
      callback: (_, message) =>
        void events.push({
          subject: message.subject,
          data: JSON.parse(codec.decode(message.data)) as Record<string, unknown>,
        }),
    });
    await connection.flush();
    const verdict = await provoke(picket, '127.71.1.1');
    const event = await waitFor('the event', () => events.find((e) => e.subject.endsWith(verdict.metadata.name)));
    expect(event.data).toMatchObject({
      specversion: '1.0',
      source: 'picket/default/shop',
      type: 'dev.picket.verdict.v1',
    });
    expect(JSON.stringify(event.data)).not.toContain('127.71.1.1');
    const stores = connection.jetstream().views;
    const keys = async (bucket: string) => {
      const found: string[] = [];
      for await (const key of await (await stores.kv(bucket)).keys()) found.push(key);
      return found;
    };
    expect(await keys('picket_policy')).toEqual(['default.shop']);
    expect(await keys('picket_decisions')).toContainEqual(
      expect.stringMatching(/^standalone\.default\.shop\.Address\.[0-9a-f]{16}$/),
    );
  });

  test('the server restarts: nothing is lifted, traffic flows, and changes pass again', async () => {
    const people = ordinaryTraffic(picket.ports.traffic);
    await server.stop({ keepData: true });
    await answered(picket, '127.71.1.1', 403, 2_000);
    server = await startNats({ folder: server.folder, port: server.port });
    await answered(picket, '127.71.1.1', 403, 2_000);
    let attempts = 0;
    await waitFor(
      'a new decision passes',
      async () => {
        try {
          attempts++;
          return await provoke(picket, `127.71.2.${attempts}`);
        } catch {
          return undefined;
        }
      },
      { timeoutMs: 60_000 },
    );
    stage.write('policy.yaml', policy('Observe'));
    await answered(picket, '127.71.1.1', 200, 10_000);
    expect((await people.stop()).bad).toEqual([]);
  });
});

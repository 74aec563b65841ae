/** `picket up --nats-url`: policies, decisions and events over a real JetStream, also when the server restarts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { connect, type NatsConnection, StringCodec } from 'nats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NatsServer, startNats } from '../support/nats.ts';
import type { Picket } from '../support/picket.ts';
import { startProcess, waitFor } from '../support/processes.ts';
import { findTool, repositoryRoot } from '../support/tools.ts';
import { answered, answerTo, createStage, ordinaryTraffic, policy, provoke, type Stage } from './stage.ts';

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

  test('policies and decisions lie in key-value buckets, and events are CloudEvents of the published schema', async () => {
    const events: { subject: string; data: Record<string, unknown> }[] = [];
    const codec = StringCodec();
    connection.subscribe('picket.v1.*.>', {
      callback: (_, message) =>
        void events.push({
          subject: message.subject,
          data: JSON.parse(codec.decode(message.data)) as Record<string, unknown>,
        }),
    });
    await connection.flush();
    const verdict = await provoke(picket, '127.71.1.1');
    const eventOf = (kind: string) =>
      waitFor(`the event of a ${kind}`, () =>
        events.find((e) => e.subject === `picket.v1.${kind}.default.shop.${verdict.metadata.name}`),
      );
    const event = await eventOf('verdict');
    expect(event.data).toMatchObject({
      specversion: '1.0',
      source: 'picket/default/shop',
      type: 'dev.picket.verdict.v1',
    });
    expect(event.data['data']).toMatchObject({
      api: 'shop',
      principal: verdict.spec.principal,
      status: {
        level: expect.any(String),
        findings: expect.arrayContaining([expect.objectContaining({ detector: expect.any(String) })]),
      },
    });
    const { data: decided } = await eventOf('decision');
    expect(decided['data']).toMatchObject({ change: 'decided', action: 'Deny', mode: 'Enforce', policy: 'shop' });
    stage.write('policy.yaml', policy('Enforce', { denyFor: '11m' }));
    await waitFor('the event of a policy', () => events.find((e) => e.subject.startsWith('picket.v1.policy.')));
    const schema = JSON.parse(readFileSync(`${repositoryRoot}docs/reference/events.schema.json`, 'utf8')) as object;
    const valid = new Ajv2020({ strict: false, formats: { 'date-time': true } }).compile(schema);
    for (const { data } of events) expect(valid(data), JSON.stringify([valid.errors, data])).toBe(true);
    expect(JSON.stringify(events)).not.toContain('127.71.1.1');
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

  test('examples/siem writes a line for each verdict and decision', async () => {
    const consumer = startProcess({
      command: process.execPath,
      args: [`${repositoryRoot}examples/siem/main.ts`, server.url],
      logPath: join(picket.folder, 'siem.log'),
    });
    await waitFor('lines', () => (consumer.output().includes('decided deny') ? true : undefined), {
      process: consumer,
    });
    expect(await consumer.stop({ keepLog: true })).toBe(0);
    const lines = consumer
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find((line) => line['event.kind'] === 'alert')).toMatchObject({
      'event.risk_score': expect.any(Number),
      'picket.verdict': expect.stringMatching(/^default\/shop-/),
    });
  });

  test('the server restarts: nothing is lifted, traffic flows, and changes pass again', async () => {
    const people = ordinaryTraffic(picket.ports.traffic);
    await server.stop({ keepData: true });
    expect(await answerTo(picket, '127.71.1.1')).toBe(403);
    server = await startNats({ folder: server.folder, port: server.port });
    expect(await answerTo(picket, '127.71.1.1')).toBe(403);
    await provoke(picket, '127.71.2.1');
    stage.write('policy.yaml', policy('Observe'));
    await answered(picket, '127.71.1.1', 200);
    expect((await people.stop()).bad).toEqual([]);
  });
});

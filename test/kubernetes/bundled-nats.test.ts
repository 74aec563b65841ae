/** The NATS of the chart: its rendered configuration, certificates and users on the real server. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AckPolicy, connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectNatsBus } from '@picket/runtime/bus/nats-bus.ts';
import { chart, type Manifest, parseManifests, runHelm } from '../support/helm.ts';
import { freePorts } from '../support/ports.ts';
import { type RunningProcess, startProcess, waitFor } from '../support/processes.ts';
import { findTool, requireTool } from '../support/tools.ts';

const missing = findTool('helm').missing ?? findTool('nats-server').missing;

describe.skipIf(missing)(`bundled NATS${missing ? ` (${missing})` : ''}`, () => {
  let folder: string;
  let server: RunningProcess;
  let url: string;
  let secret: (name: string, key: string) => string;
  const tls = (): object => ({ ca: secret('picket-nats-tls', 'ca.crt'), servername: 'picket-nats.picket-system.svc' });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'picket-bundled-nats-'));
    const { out, err } = await runHelm(['template', 'picket', chart, '--namespace', 'picket-system']);
    const objects = parseManifests(out);
    const find = (kind: string, name: string): Manifest => {
      const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
      if (!found) throw new Error(`no ${kind} ${name}: ${err}`);
      return found;
    };
    secret = (name, key) => Buffer.from(find('Secret', name).data?.[key] ?? '', 'base64').toString();
    const [port = 0, monitor = 0] = await freePorts(2);
    mkdirSync(join(folder, 'tls'));
    for (const key of ['tls.crt', 'tls.key'])
      writeFileSync(join(folder, 'tls', key), secret('picket-nats-tls', key), { mode: 0o600 });
    const config = (find('ConfigMap', 'picket-nats').data?.['nats.conf'] ?? '')
      .replaceAll('/etc/nats/tls', join(folder, 'tls'))
      .replace('"/data"', `"${join(folder, 'data')}"`)
      .replace('0.0.0.0:4222', `127.0.0.1:${port}`)
      .replace('0.0.0.0:8222', `127.0.0.1:${monitor}`);
    writeFileSync(join(folder, 'nats.conf'), config);
    server = startProcess({
      command: requireTool('nats-server'),
      args: ['--config', join(folder, 'nats.conf')],
      logPath: join(folder, 'nats.log'),
      env: {
        POD_NAME: 'picket-nats-0',
        STORE_SIZE: '10Gi',
        PICKET_USER: secret('picket-nats-auth', 'username'),
        PICKET_PASSWORD: secret('picket-nats-auth', 'password'),
        EVENTS_PASSWORD: secret('picket-nats-auth', 'events-password'),
      },
    });
    await waitFor('NATS', () => (server.output().includes('Server is ready') ? true : undefined), { process: server });
    expect(await (await fetch(`http://127.0.0.1:${monitor}/healthz`)).json()).toEqual({ status: 'ok' });
    const { config: limits } = (await (await fetch(`http://127.0.0.1:${monitor}/jsz`)).json()) as {
      config: { max_storage: number };
    };
    expect(limits.max_storage).toBe(10 * 2 ** 30);
    url = `tls://127.0.0.1:${port}`;
  });
  afterAll(async () => {
    await server?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  it('lets nobody in without a password or with another authority', async () => {
    await expect(connect({ servers: url, tls: tls() })).rejects.toThrow(/Authorization/);
    await expect(connect({ servers: url, user: 'picket', pass: 'guessed', tls: tls() })).rejects.toThrow(
      /Authorization/,
    );
    await expect(
      connect({ servers: url, user: 'events', pass: secret('picket-nats-auth', 'events-password') }),
    ).rejects.toThrow();
  });

  it('carries what operator and analyzer say, and shows events, not decisions, to the user events', async () => {
    const bus = await connectNatsBus({
      servers: [url],
      connection: { user: 'picket', pass: secret('picket-nats-auth', 'password'), tls: tls() },
      onTrouble: () => undefined,
    });
    const decisions = await bus.bucket('picket_decisions');
    await decisions.put('default.shop.shop.Address.0000000000000001', Buffer.from('192.0.2.1'));
    const event = { specversion: '1.0', id: 'v1', type: 'dev.picket.verdict.v1', data: { verdict: 'shop-user-1' } };
    await bus.publish('picket.v1.verdict.shop.shop.shop-user-1', Buffer.from(JSON.stringify(event)), {
      messageId: 'v1',
    });

    const pass = secret('picket-nats-auth', 'events-password');
    const reader = await connect({ servers: url, user: 'events', pass, tls: tls() });
    await expect(readsDecisions(reader)).rejects.toThrow(/permissions|violation|timeout/i);
    await expect(publishes(reader)).rejects.toThrow(/permissions|violation/i);

    // As examples/siem does.
    const manager = await reader.jetstreamManager({ checkAPI: false });
    await manager.consumers.add('picket_events', { durable_name: 'siem', ack_policy: AckPolicy.Explicit });
    const consumer = await reader.jetstream({ checkAPI: false }).consumers.get('picket_events', 'siem');
    const message = await consumer.next({ expires: 60_000 });
    expect(message?.json()).toEqual(event);
    expect(await message?.ackAck()).toBe(true);
    await reader.close();
    await bus.close();
  });

  async function readsDecisions(connection: NatsConnection): Promise<void> {
    await connection.request(
      '$JS.API.STREAM.MSG.GET.KV_picket_decisions',
      JSON.stringify({ last_by_subj: '$KV.picket_decisions.>' }),
      { timeout: 2_000 },
    );
  }

  async function publishes(connection: NatsConnection): Promise<void> {
    await connection.request('picket.v1.verdict.shop.shop.x', '{}', { timeout: 60_000 });
  }
});

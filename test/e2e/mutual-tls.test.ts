/** Listeners beyond loopback: mutual TLS for access logs, filters and the admin port, with a real Envoy on the other side. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { freePicketPorts, launchPicket, type Picket, type PicketStatus, runPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { createPki, missingOpenssl } from '../support/pki.ts';
import { findTool } from '../support/tools.ts';
import { answered, configDump, createStage, type Stage, stuff } from './stage.ts';

const missing = findTool('envoy').missing ?? missingOpenssl;

describe.skipIf(missing !== undefined)(`picket up beyond loopback${missing ? ` (${missing})` : ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-mtls-'));
  const file = (name: string): string => join(folder, name);
  let stage: Stage;
  let picket: Picket;
  let envoy: Envoy;

  beforeAll(async () => {
    const pki = createPki(folder);
    pki.issue('picket', 'DNS:picket', 'IP:127.0.0.1');
    pki.issue('envoy', 'DNS:standalone');
    pki.issue('person', 'DNS:person');
    stage = await createStage();
    const ports = await freePicketPorts();
    const tls = ['--tls-cert', file('picket.crt'), '--tls-key', file('picket.key'), '--tls-ca', file('ca.crt')];
    const beyond = [
      ...['--als-listen', `0.0.0.0:${ports.als}`, '--xds-listen', `0.0.0.0:${ports.xds}`],
      ...['--admin-listen', `0.0.0.0:${ports.admin}`],
    ];
    picket = launchPicket({
      manifests: stage.manifests,
      folder: stage.folder,
      ports,
      args: ['--history', stage.history, ...beyond, ...tls],
    });
    await waitFor('Picket ready', async () => ((await status())?.ready ? true : undefined), {
      process: picket.process,
    });
    const printed = await runPicket([
      ...['envoy', 'bootstrap', '--manifests', stage.manifests],
      ...['--upstream', `127.0.0.1:${stage.upstreamPort}`, '--listen', `127.0.0.1:${ports.traffic}`],
      ...['--als', `127.0.0.1:${ports.als}`, '--xds', `127.0.0.1:${ports.xds}`, '--envoy-admin', '127.0.0.1:0'],
      ...['--tls-cert', file('envoy.crt'), '--tls-key', file('envoy.key'), '--tls-ca', file('ca.crt')],
      ...['--tls-name', 'picket'],
    ]);
    expect(printed.err).toBe('');
    envoy = await startEnvoy({ bootstrap: printed.out });
    await waitFor('Envoy connected', async () =>
      (await status())?.envoys?.some((e) => e.connected) ? true : undefined,
    );
  });
  afterAll(async () => {
    await envoy?.stop();
    await picket?.stop();
    await stage?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** `undefined` when the connection is refused. */
  function ask(path: string, certificate: string | undefined): Promise<string | undefined> {
    const identity = certificate
      ? { cert: readFileSync(file(`${certificate}.crt`)), key: readFileSync(file(`${certificate}.key`)) }
      : {};
    return new Promise((resolve) => {
      const call = request(
        {
          host: '127.0.0.1',
          port: picket.ports.admin,
          path,
          ca: readFileSync(file('ca.crt')),
          servername: 'picket',
          ...identity,
        },
        (reply) => {
          let text = '';
          reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          reply.on('end', () => resolve(text));
        },
      );
      call.on('error', () => resolve(undefined));
      call.end();
    });
  }

  async function status(): Promise<PicketStatus | undefined> {
    const text = await ask('/api/v1/status', 'person');
    return text === undefined ? undefined : (JSON.parse(text) as PicketStatus);
  }

  test('an attack is seen and refused over mutual TLS', async () => {
    await stuff(picket.ports.traffic, '127.72.1.1');
    await answered(picket, '127.72.1.1', 403);
    expect((await status())?.ledger?.received).toBeGreaterThan(40);
  });

  test('nobody without a certificate reads the admin port', async () => {
    expect(await ask('/', undefined)).toBeUndefined();
    expect(await ask('/', 'person')).toContain('Picket standalone');
  });
});

describe.skipIf(missing !== undefined)(`TLS of the Envoy that Picket runs${missing ? ` (${missing})` : ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-site-'));
  let stage: Stage;
  let picket: Picket;
  beforeAll(async () => {
    const site = createPki(folder).issue('site', 'DNS:shop.example');
    stage = await createStage();
    picket = await stage.start({ args: ['--listen-cert', site.certificate, '--listen-key', site.key] });
  });
  afterAll(async () => {
    await picket?.stop();
    await stage?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('callers are served over TLS, and their fingerprints are known where decisions need them', async () => {
    const status = await new Promise<number>((resolve, reject) => {
      request(
        {
          ...{ host: '127.0.0.1', port: picket.ports.traffic, path: '/v1/products/1', servername: 'shop.example' },
          ca: readFileSync(join(folder, 'ca.crt')),
        },
        (reply) => {
          reply.resume();
          reply.on('end', () => resolve(reply.statusCode ?? 0));
        },
      )
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
    await expect.poll(async () => (await picket.status()).ledger?.received).toBeGreaterThan(0);
    const dump = JSON.stringify(await configDump(picket));
    expect(dump).toContain('enable_ja4_fingerprinting');
    // In the access log, and in the rules that identify callers.
    expect(dump.split('%TLS_JA4_FINGERPRINT%').length).toBeGreaterThanOrEqual(3);
  });
});

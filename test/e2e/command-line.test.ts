/** How `picket` starts, refuses to start, answers and ends. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { createServer as createHttpServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDataFolder } from '@picket/analyzer/service/data-lock.ts';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { freePicketPorts, launchPicket, type Picket, runPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { caller, createStage, provoke, type Stage } from './stage.ts';

const { missing } = findTool('envoy');
const scratch = mkdtempSync(join(tmpdir(), 'picket-cli-'));
const folder = join(scratch, 'manifests');
mkdirSync(folder);
const data = (name: string): string => join(scratch, name);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const up = (...args: string[]) => runPicket(['up', ...args], { cwd: scratch });

describe('picket up refuses to start', () => {
  test('with bad flags: every problem is told at once', async () => {
    const { code, err } = await up(
      ...['--manifests', folder, '--data', data('d')],
      ...['--als-listen', '0.0.0.0:0', '--admin-listen', 'nowhere', '--workers', '-1', '--envoy', 'run'],
      ...['--nats-url', 'http://x', '--jwt-issuer', 'me'],
    );
    expect(code).toBe(3);
    for (const word of [
      '--als-listen',
      'mutual TLS',
      '--admin-listen',
      '--workers',
      '--upstream',
      '--nats-url',
      '--jwt-jwks',
    ])
      expect(err).toContain(word);
    expect(err).not.toContain('    at ');
    expect(err.split('--admin-listen: "nowhere"')).toHaveLength(2);
  });

  test('with flags of an Envoy that it does not run', async () => {
    const { code, err } = await up(
      ...['--manifests', folder, '--data', data('d'), '--upstream', '127.0.0.1:9', '--envoy-binary', 'envoy'],
    );
    expect(code).toBe(3);
    for (const flag of ['--upstream', '--envoy-binary']) expect(err).toContain(`${flag}: is for the Envoy`);
  });

  test('before it opens anything, when the Envoy it runs would not start', async () => {
    const jwks = data('jwks.json');
    const run = [
      ...['--manifests', folder, '--data', data('none'), '--envoy', 'run', '--upstream', '127.0.0.1:9'],
      ...['--admin-listen', '127.0.0.1:0', '--als-listen', '127.0.0.1:0', '--xds-listen', '127.0.0.1:0'],
    ];
    for (const text of [undefined, 'null']) {
      if (text !== undefined) writeFileSync(jwks, text);
      const { code, err } = await up(...run, '--jwt-issuer', 'me', '--jwt-jwks', jwks);
      expect(err).toContain(`--jwt-jwks ${jwks} is no key set: `);
      expect(code).toBe(3);
    }
    const { code, err } = await up(...run, '--envoy-binary', data('no-envoy'));
    expect(err).toContain('--envoy-binary');
    expect(code).toBe(6);
    expect(existsSync(data('none'))).toBe(false);
  });

  test('when the Envoy it runs would have to cross a network, or has half of a certificate', async () => {
    const pem = ['--tls-cert', 'c', '--tls-key', 'k', '--tls-ca', 'a'];
    const { code, err } = await up(
      ...['--manifests', folder, '--data', data('d'), '--envoy', 'run', '--upstream', '127.0.0.1:9', ...pem],
      ...['--xds-listen', '0.0.0.0:0', '--listen-cert', 'site.crt', '--filter-ttl', '5'],
    );
    expect(code).toBe(3);
    expect(err).toContain('--xds-listen: the Envoy that --envoy run starts is on this host');
    expect(err).toContain('--listen-cert and --listen-key go together');
    expect(err).toContain('--filter-ttl');
  });

  test('when its data would be read as manifests', async () => {
    const { code, err } = await up('--manifests', folder, '--data', join(folder, 'data'));
    expect(code).toBe(3);
    expect(err).toContain('--data: lies within --manifests');
  });

  test('without its required flags, or with an unknown one', async () => {
    expect((await up()).code).toBe(2);
    const unknown = await up('--manifest', folder, '--data', folder);
    expect(unknown.code).toBe(2);
    expect(unknown.err).toContain('--manifests');
  });

  test('with a fleet that is no name, or half of mutual TLS', async () => {
    const { code, err } = await up(
      ...['--manifests', folder, '--data', data('d'), '--fleet', 'a.b', '--tls-cert', 'cert.pem'],
    );
    expect(code).toBe(3);
    expect(err).toContain('--fleet: "a.b"');
    expect(err).toContain('--tls-cert, --tls-key and --tls-ca go together');
  });

  test('when --data is a file', async () => {
    const file = join(scratch, 'a-file');
    writeFileSync(file, '');
    for (const path of [file, join(file, 'below')]) {
      const { code, err } = await up('--manifests', folder, '--data', path);
      expect(code).toBe(3);
      expect(err).toContain(`--data: ${path} is not a folder`);
      expect(err).not.toContain('    at ');
    }
  });

  test('replay makes no folder that is not there', async () => {
    const absent = data('absent');
    const { code, err } = await runPicket(['replay', '--data', absent], { cwd: scratch });
    expect(code).toBe(6);
    expect(err).toContain(absent);
    expect(existsSync(absent)).toBe(false);
  });

  test('when the folder of manifests does not exist', async () => {
    const { code, err } = await up('--manifests', join(folder, 'absent'), '--data', data('d'));
    expect(code).toBe(6);
    expect(err).toContain('--manifests');
    expect(err).toContain(join(folder, 'absent'));
  });

  test('when a certificate cannot be used', async () => {
    writeFileSync(data('no.pem'), 'nothing');
    const pem = data('no.pem');
    const { code, err } = await up(
      ...['--manifests', folder, '--data', data('d'), '--admin-listen', '127.0.0.1:0'],
      ...['--als-listen', '127.0.0.1:0', '--xds-listen', '127.0.0.1:0'],
      ...['--tls-cert', pem, '--tls-key', pem, '--tls-ca', pem],
    );
    expect(code).toBe(3);
    expect(err).toContain('no.pem');
  });

  describe('when a port is taken', () => {
    let holder: Server;
    let port: number;
    beforeAll(async () => {
      holder = createServer();
      await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
      ({ port } = holder.address() as AddressInfo);
    });
    afterAll(() => holder.close());

    test.each(['--admin-listen', '--als-listen', '--xds-listen'])('%s', async (flag) => {
      const listeners = { '--admin-listen': 0, '--als-listen': 0, '--xds-listen': 0, [flag]: port };
      const { code, err } = await up(
        ...['--manifests', folder, '--data', data(`taken${flag}`)],
        ...Object.entries(listeners).flatMap(([name, value]) => [name, `127.0.0.1:${value}`]),
      );
      expect(err).toContain(`${flag} 127.0.0.1:${port}`);
      expect(code).toBe(4);
    });

    test.skipIf(missing !== undefined)('--listen of the Envoy it runs', async () => {
      const { code, err } = await up(
        ...['--manifests', folder, '--data', data('taken'), '--envoy', 'run', '--upstream', '127.0.0.1:9'],
        ...['--listen', `127.0.0.1:${port}`, '--admin-listen', '127.0.0.1:0'],
        ...['--als-listen', '127.0.0.1:0', '--xds-listen', '127.0.0.1:0'],
      );
      expect(err).toContain(`--listen 127.0.0.1:${port}`);
      expect(code).toBe(4);
    });
  });

  test('when no NATS server answers', async () => {
    const { code, err } = await up(
      ...['--manifests', folder, '--data', data('nats'), '--nats-url', 'nats://127.0.0.1:9'],
      ...['--admin-listen', '127.0.0.1:0', '--als-listen', '127.0.0.1:0', '--xds-listen', '127.0.0.1:0'],
    );
    expect(err).toContain('nats://127.0.0.1:9');
    expect(code).toBe(8);
  });
});

describe('picket envoy', () => {
  const envoy = (...args: string[]) => runPicket(['envoy', ...args, '--manifests', folder], { cwd: scratch });

  test('tells every wrong flag at once', async () => {
    const { code, err, out } = await envoy(
      ...['bootstrap', '--upstream', 'nowhere', '--trusted-hops', 'x', '--jwt-issuer', 'me', '--listen-key', 'k'],
      ...['--tls-cert', 'c', '--als', 'unix:/x'],
    );
    expect(code).toBe(3);
    for (const word of ['--upstream', '--trusted-hops', '--jwt-jwks', '--listen-cert', '--tls-ca', '--als'])
      expect(err).toContain(word);
    expect(out).toBe('');
    const unnamed = await envoy('snippet', '--tls-cert', 'c', '--tls-key', 'k', '--tls-ca', 'a', '--xds', '10.0.0.1:1');
    expect(unnamed.code).toBe(3);
    expect(unnamed.err).toContain('--tls-name');
  });

  test('says which folder is not there', async () => {
    const { code, err } = await runPicket(['envoy', 'snippet', '--manifests', join(folder, 'absent')]);
    expect(code).toBe(6);
    expect(err).toContain(join(folder, 'absent'));
  });

  test('prints mutual TLS to Picket, with files where they are', async () => {
    const { out } = await envoy(
      ...['snippet', '--tls-cert', '/etc/envoy.crt', '--tls-key', 'envoy.key', '--tls-ca', 'ca.crt'],
      ...['--xds', 'picket.internal:1', '--als', 'picket.internal:2', '--stat-prefix', 'edge'],
    );
    for (const word of ['filename: /etc/envoy.crt', `filename: ${join(scratch, 'envoy.key')}`, 'sni: picket.internal'])
      expect(out.split(word)).toHaveLength(3);
    expect(out).toContain('log_name: edge');
  });
});

test('picket risk says when nothing runs', async () => {
  for (const args of [['status'], ['top'], ['explain', 'x'], ['review', 'x', '--benign']]) {
    const { code, err } = await runPicket(['risk', ...args, '--admin', 'http://127.0.0.1:9']);
    expect(code).toBe(8);
    expect(err).toContain('is "picket up" running?');
  }
  const review = await runPicket(['risk', 'review', 'x', '--benign', '--false-positive']);
  expect(review.code).toBe(2);
});

test('picket risk says when something else answers', async () => {
  const other = createHttpServer((_, response) => response.end('<!doctype html>'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  const { code, err } = await runPicket(['risk', 'top', '--admin', `http://127.0.0.1:${port}`]);
  expect(code).toBe(8);
  expect(err).toBe(`picket: what answers at http://127.0.0.1:${port} is no Picket (status 200); see --admin\n`);
});

describe.skipIf(missing !== undefined)(`a running picket${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;
  beforeAll(async () => {
    stage = await createStage();
    picket = await stage.start();
    await provoke(picket, '127.68.1.1');
  });
  afterAll(async () => {
    await picket?.process.stop();
    await stage?.close();
  });
  const risk = (...args: string[]) => runPicket(['risk', ...args, '--admin', picket.adminUrl]);

  test('keeps a second one off its data folder, and names itself', async () => {
    const ports = await freePicketPorts();
    const { code, err } = await runPicket([
      ...['up', '--manifests', stage.manifests, '--data', join(picket.folder, 'data')],
      ...['--admin-listen', `127.0.0.1:${ports.admin}`, '--als-listen', '127.0.0.1:0', '--xds-listen', '127.0.0.1:0'],
    ]);
    expect(code).toBe(7);
    expect(err).toContain(`process id ${picket.process.pid}`);
    expect((await picket.status()).ready).toBe(true);
  });

  test('picket risk: tables for people, objects for programs', async () => {
    await waitFor('figures', async () => ((await picket.api('shop'))?.status?.columns ? true : undefined));
    const status = await risk('status');
    expect(status.code).toBe(0);
    expect(status.out).toMatch(/^NAME +RISK +LEVEL +ENFORCING/);
    expect(status.out).toMatch(/shop +Enforce +1 +True/);
    const json = JSON.parse((await risk('status', '-o', 'json')).out) as { kind: string; items: { kind: string }[] };
    expect(json.items.map((o) => o.kind).sort()).toEqual(['BehaviorPolicy', 'ProtectedAPI']);
    const top = await risk('top');
    expect(top.out).toMatch(/shop-address-\w+ +shop +Address\/\w+ +Critical +\d+ +Deny/);
    const yaml = parse((await risk('top', '-o', 'yaml')).out) as { kind: string; apiVersion: string };
    expect(yaml).toMatchObject({ kind: 'List' });
    const [name = ''] = /shop-address-\w+/.exec(top.out) ?? [];
    const explained = await risk('explain', name.slice(0, -2));
    expect(explained.code).toBe(0);
    expect(explained.out).toContain('Why');
    expect(explained.out).toContain('Deny (Enforce)');
    expect((await risk('explain', 'nobody')).code).toBe(6);
    expect((await risk('explain', 'shop')).code).toBe(expectedForAmbiguity(top.out));
    const object = JSON.parse((await risk('explain', name, '-o', 'json')).out) as { kind: string };
    expect(object.kind).toBe('RiskVerdict');
    const elsewhere = await risk('top', '-n', 'elsewhere');
    expect(elsewhere).toMatchObject({ code: 0, out: 'No verdicts: nobody stands out.\n' });
    expect((await risk('top', '--ouput', 'json')).code).toBe(2);
  });

  test('the admin port answers people, probes and scrapers, and nobody else', async () => {
    const ask = async (path: string, init: RequestInit = {}) => {
      const response = await fetch(`${picket.adminUrl}${path}`, init);
      return { status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text() };
    };
    expect(await ask('/')).toMatchObject({ status: 200, type: 'text/plain; charset=utf-8' });
    expect((await ask('/')).text).toContain('default/shop');
    const page = await ask('/', { headers: { accept: 'text/html' } });
    expect(page.type).toContain('text/html');
    expect(await ask('/healthz')).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await ask('/readyz')).toMatchObject({ status: 200, text: 'ready\n' });
    const metrics = await ask('/metrics');
    expect(metrics.text).toMatch(/^picket_\w+(\{[^}]*\})? \d/m);
    for (const path of [
      '/nothing',
      '/api',
      '/api/v2/status',
      '/api/v1/nothing',
      '/api/v1/objects/RiskVerdict/default/x',
    ])
      expect((await ask(path)).status).toBe(404);
    for (const path of ['/%', '/api/v1/objects/%zz', '//[', '/api/v1/objects/NoSuchKind', '/api/v1/objects/Secret']) {
      const answer = await ask(path);
      expect(answer.status, path).toBeGreaterThanOrEqual(400);
      expect(answer.status, path).toBeLessThan(500);
    }
    expect((await ask('/api/v1/status', { method: 'DELETE' })).status).toBe(405);
    const [verdict] = await picket.verdicts();
    const review = `/api/v1/objects/RiskVerdict/default/${verdict?.metadata.name}/review`;
    const post = (body: string, type = 'application/json') =>
      ask(review, { method: 'POST', body, headers: { 'content-type': type } });
    expect((await post('{"disposition":"FalsePositive"}', 'text/plain')).status).toBe(400);
    expect((await post('{')).status).toBe(400);
    expect((await post('"x"')).status).toBe(400);
    expect((await post('{"disposition":"Perhaps"}')).status).toBe(400);
    expect((await post(JSON.stringify({ disposition: 'BenignTrigger', note: 'x'.repeat(20_000) }))).status).toBe(400);
    expect((await ask('/api/v1/status', { method: 'POST', body: '{}' })).status).toBe(404);
    expect((await picket.verdicts())[0]?.spec.review).toBeUndefined();
  });

  test('a page under another name does not reach the admin port', async () => {
    const statusFor = (host: string) =>
      new Promise<number>((resolve, reject) => {
        request({ host: '127.0.0.1', port: picket.ports.admin, path: '/', headers: { host } }, (reply) => {
          reply.resume();
          resolve(reply.statusCode ?? 0);
        })
          .on('error', reject)
          .end();
      });
    expect(await statusFor('evil.example')).toBe(403);
    expect(await statusFor('127.0.0.1.evil.example')).toBe(403);
    expect(await statusFor(`localhost:${picket.ports.admin}`)).toBe(200);
  });

  test('a body that is too large for a flow is refused there, and passes everywhere else', async () => {
    const large = 'x'.repeat(200_000);
    const send = (path: string) =>
      fetch(`http://127.0.0.1:${picket.ports.traffic}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username: 'a', password: large }),
      }).then((reply) => reply.status);
    expect(await send('/v1/login')).toBe(413);
    expect(await send('/v1/reviews')).toBe(200);
    expect(await send('/v1/login/other')).toBe(200);
  });

  test('SIGTERM drains: the request under way is answered, rows are stored, the exit code is 0', async () => {
    const person = caller(picket.ports.traffic, '127.20.2.12');
    expect(await person.get('/v1/products/1')).toBe(200);
    person.close();
    picket.process.signal('SIGTERM');
    expect(await picket.process.ended).toBe(0);
    expect(picket.process.output()).toContain('stopped');
    // Nothing of it is left: not its lock, not its Envoy.
    (await lockDataFolder(join(picket.folder, 'data')))();
    expect(await caller(picket.ports.traffic, '127.20.2.12').get('/v1/products/1')).toBe(0);
  });
});

test('a second SIGINT ends at once', async () => {
  const ports = await freePicketPorts();
  const own = mkdtempSync(join(scratch, 'sigint-'));
  const picket = launchPicket({ manifests: folder, folder: own, ports });
  await waitFor('the admin port', () => picket.read<object>('/api/v1/status'), {
    process: picket.process,
  });
  picket.process.signal('SIGINT');
  await waitFor('the first one heard', () => (picket.process.output().includes('stopping') ? true : undefined), {
    everyMs: 5,
  });
  picket.process.signal('SIGINT');
  expect([0, 130]).toContain(await picket.process.ended);
});

function expectedForAmbiguity(table: string): number {
  return table.trim().split('\n').length > 2 ? 6 : 0;
}

/** Envoys of one's own, attached with the bootstrap that `picket envoy` prints: what each lost, and what outlives Picket. */
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { type Picket, runPicket, startPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { api, answered, caller, createStage, personAddress, type Stage, stuff } from './stage.ts';

const { missing } = findTool('envoy');
const hosts = ['whole', 'half', 'unasked'] as const;
type Host = (typeof hosts)[number];

interface Printed {
  statsSinks?: unknown;
  staticResources: {
    listeners: { filterChains: { filters: { typedConfig: { accessLog: Record<string, unknown>[] } }[] }[] }[];
  };
}

describe.skipIf(missing !== undefined)(`attached Envoys${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;
  const envoys = new Map<Host, Envoy>();
  const ports = new Map<Host, number>();

  const start = async (more: string[] = []): Promise<void> => {
    const asked = envoys.get('whole')?.adminUrl;
    picket = await startPicket({
      manifests: stage.manifests,
      folder: stage.folder,
      ports: picket.ports,
      args: ['--log-level', 'debug', '--filter-ttl', '20', ...(asked ? ['--envoy-admin', asked] : []), ...more],
    });
  };
  const send = async (host: Host, count: number, path: (i: number) => string): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const one = caller(ports.get(host) ?? 0, personAddress(i), undefined, { host: `${host}.example` });
      await one.get(path(i));
      one.close();
    }
  };
  const completeness = async (name: string) => (await picket.api(name))?.status?.traffic?.completeness;
  const column = async (name: string) => (await picket.api(name))?.status?.columns?.complete;

  beforeAll(async () => {
    stage = await createStage();
    for (const host of hosts)
      stage.write(
        `${host}.yaml`,
        api.replace('name: shop,', `name: ${host},`).replace('hosts: ["*"]', `hosts: ["${host}.example"]`),
      );
    picket = await stage.start({ attach: true });
    for (const host of hosts) {
      const { out, err } = await runPicket([
        ...['envoy', 'bootstrap', '--manifests', stage.manifests, '-o', 'json', '--node', `envoy-${host}`],
        ...['--upstream', `127.0.0.1:${stage.upstreamPort}`, '--listen', '127.0.0.1:0', '--envoy-admin', '127.0.0.1:0'],
        ...['--als', `127.0.0.1:${picket.ports.als}`, '--xds', `127.0.0.1:${picket.ports.xds}`],
      ]);
      expect(err).toBe('');
      const bootstrap = JSON.parse(out) as Printed;
      // One whose access log leaves out a method loses what is sent with it.
      const logger =
        bootstrap.staticResources.listeners[0]?.filterChains[0]?.filters[0]?.typedConfig.accessLog[0] ?? {};
      if (host === 'half')
        logger['filter'] = {
          headerFilter: { header: { name: ':path', stringMatch: { contains: 'lost' }, invertMatch: true } },
        };
      // One sends its statistics, one is asked for them, of one nobody knows any.
      if (host !== 'half') delete bootstrap.statsSinks;
      const envoy = await startEnvoy({ bootstrap });
      envoys.set(host, envoy);
      ports.set(host, await envoy.listenerPort('ingress'));
    }
    await picket.stop();
    await start();
    await waitFor('all Envoys connected', async () =>
      (await picket.status()).envoys?.filter((e) => e.connected).length === hosts.length ? true : undefined,
    );
  });
  afterAll(async () => {
    await picket?.stop();
    for (const envoy of envoys.values()) await envoy.stop();
    await stage?.close();
  });

  test('an API shows what its own listeners lost, and Unknown where nobody counts', async () => {
    // Counted from the first reading on; a counter that never moved is not sent.
    await send('half', 1, () => '/v1/products/1');
    await waitFor('a reading of both', async () =>
      (await picket.status()).completeness?.filter((c) => c.reason !== 'NoCounter').length === 2 ? true : undefined,
    );
    await sleep(4_000);
    await send('whole', 100, (i) => `/v1/products/${i}`);
    await send('half', 100, (i) => (i % 2 === 0 ? `/v1/products/${i}` : '/v1/lost'));
    await send('unasked', 20, (i) => `/v1/products/${i}`);
    await waitFor('both known', async () =>
      (await completeness('whole')) !== undefined && (await completeness('half')) !== undefined ? true : undefined,
    );
    await expect.poll(() => completeness('whole')).toBe(1);
    await expect.poll(() => completeness('half')).toBe(0.5);
    expect(await completeness('unasked')).toBeUndefined();
    expect(await column('unasked')).toBe('Unknown');
    const { out } = await runPicket(['risk', 'status', '--admin', picket.adminUrl]);
    expect(out).toMatch(/half .* 50%/);
    expect(out).toMatch(/unasked .* Unknown/);
  });

  test('what was lost while Picket was away shows when it is back', async () => {
    await picket.stop();
    await send('whole', 100, (i) => `/v1/products/${i}`);
    // Envoy gives up what nobody takes.
    await sleep(2_000);
    await start();
    await send('whole', 20, (i) => `/v1/products/${i}`);
    await expect.poll(() => completeness('whole')).toBeLessThan(0.95);
  });

  test('a request is seen while it runs, and counted once', async () => {
    const requests = async () => {
      const metrics = await (await fetch(`${picket.adminUrl}/metrics`)).text();
      return Number(/picket_api_requests_total\{api="default\/whole"\} (\d+)/.exec(metrics)?.[1] ?? 0);
    };
    const settled = await waitFor('quiet', async () => {
      const before = await requests();
      await sleep(1_500);
      return (await requests()) === before ? before : undefined;
    });
    const headers = { host: 'whole.example' };
    const answer = new Promise<number>((resolve, reject) => {
      get({ host: '127.0.0.1', port: ports.get('whole') ?? 0, path: '/v1/slow', headers }, (reply) => {
        reply.resume();
        reply.on('end', () => resolve(reply.statusCode ?? 0));
      }).on('error', reject);
    });
    const page = () => fetch(`${picket.adminUrl}/`).then((reply) => reply.text());
    await expect.poll(page).toMatch(/Requests in flight for long: 1\n +default\/whole +GET /);
    expect(await requests()).toBe(settled);
    stage.release();
    expect(await answer).toBe(200);
    await expect.poll(requests).toBe(settled + 1);
    expect(await page()).not.toContain('Requests in flight');
  });

  test('gone for good, Picket leaves no refusal behind for longer than its filters live', async () => {
    const port = ports.get('whole') ?? 0;
    const here: Picket = { ...picket, ports: { ...picket.ports, traffic: port } };
    await stuff(port, '127.66.9.1');
    await answered(here, '127.66.9.1', 403);
    picket.process.signal('SIGKILL');
    await picket.process.ended;
    const person = caller(port, personAddress(1));
    const attacker = caller(port, '127.66.9.1');
    const seen: number[] = [];
    await waitFor(
      'the refusal has faded',
      async () => {
        expect(await person.get('/v1/products/1')).toBe(200);
        seen.push(await attacker.get('/v1/products/1'));
        return seen.at(-1) === 200 ? true : undefined;
      },
      { everyMs: 250 },
    );
    person.close();
    attacker.close();
    expect(seen[0]).toBe(403);
    expect(seen.slice(0, -1).every((status) => status === 403)).toBe(true);
  });
});

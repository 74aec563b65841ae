/** What the analyzer says of verdicts and APIs, while the API server goes away and comes back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPublisher } from '@picket/analyzer/publish/publisher.ts';
import { sampleVerdict } from '@picket/analyzer/publish/verdict-fixture.ts';
import type { ProtectedAPI, RiskVerdict } from '@picket/crds/gen/types.ts';
import { kindResources } from '@picket/crds/resources.ts';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { openKubernetesStore } from '@picket/runtime/objects/kubernetes/kubernetes-store.ts';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { type ApiFaults, startApiFaults } from '../support/api-faults.ts';
import { adminApi, createNamespace } from '../support/kubernetes.ts';

const missing = inject('missing');
const namespace = 'publisher';
const root = `/apis/picket.dev/v1alpha1/namespaces/${namespace}`;

describe.skipIf(missing !== '')(missing || 'the publisher on a real API server', () => {
  let folder: string;
  let faults: ApiFaults;
  let admin: ApiServer;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'picket-publisher-'));
    faults = await startApiFaults(inject('kubeconfig'), join(folder, 'kubeconfig'));
    admin = adminApi(inject('kubeconfig'));
    await createNamespace(admin, namespace);
    await admin.request('POST', `${root}/protectedapis`, {
      body: {
        apiVersion: 'picket.dev/v1alpha1',
        kind: 'ProtectedAPI',
        metadata: { name: 'shop' },
        spec: { hosts: ['publisher.example'] },
      },
    });
  });
  afterAll(async () => {
    await faults.close();
    admin.close();
    rmSync(folder, { recursive: true });
  });

  it('ends with every status and verdict as it was last said, however often the server was away', async () => {
    const objects = openKubernetesStore({
      api: adminApi(faults.kubeconfig),
      resources: kindResources,
      namespaces: [namespace],
      clock: systemClock,
      log: silentLogger,
      random: Math.random,
      reporter: { component: 'picket-test', instance: 'one' },
    });
    const ledger = createLedger();
    const bus = createMemoryBus();
    const publisher = createPublisher({ objects, bus, clock: systemClock, ledger, log: silentLogger });
    const flusher = setInterval(() => void publisher.flush(), 50);
    const scores = new Map<string, number>();
    const say = (n: number, score: number, endsInMs: number): void => {
      const name = `shop-address-${n}`;
      const now = Date.now();
      const times = { firstSeen: now, lastSeen: now, expiresAt: now + endsInMs };
      publisher.verdict(sampleVerdict({ api: `${namespace}/shop`, name, score, ...times }));
      scores.set(name, score);
    };
    try {
      for (let round = 0; round < 3; round++) {
        // Away in the middle of writing: some of it happens, some is not answered, some never arrives.
        for (let n = 0; n < 12; n++) say(n, 60 + round * 10 + n / 2, 600_000);
        say(100 + round, 99, 2_000);
        publisher.status('ProtectedAPI', `${namespace}/shop`, {
          status: { risk: { score: 60 + round, level: 'High', topPrincipals: [], topFindings: [] } },
          conditions: [{ type: 'Observing', status: 'True', reason: 'RecordsArriving', message: 'r' }],
        });
        await sleep(300);
        faults.away();
        await sleep(1_500);
        faults.back();
      }
      expect(publisher.stats().waiting).toBeGreaterThan(0);
      await vi.waitFor(
        async () => {
          const { items } = await admin.request<{ items: RiskVerdict[] }>('GET', `${root}/riskverdicts`);
          const told = Object.fromEntries(items.map(({ metadata, status }) => [metadata.name, status?.score]));
          const wanted = [...scores].filter(([name]) => !/-10\d$/.test(name));
          expect(told).toEqual(Object.fromEntries(wanted.map(([name, score]) => [name, Math.round(score)])));
          for (const { metadata } of items) expect(metadata.ownerReferences?.[0]?.name).toBe('shop');
          const api = await admin.request<ProtectedAPI>('GET', `${root}/protectedapis/shop`);
          expect(api.status).toMatchObject({
            risk: { score: 62 },
            conditions: [{ type: 'Observing', status: 'True' }],
          });
          expect(publisher.stats()).toMatchObject({ waiting: 0, failing: 0, trouble: undefined });
        },
        { timeout: 120_000, interval: 500 },
      );
      expect(ledger.snapshot().byReason).toEqual([]);
    } finally {
      clearInterval(flusher);
      faults.back();
      await publisher.close();
      await objects.close();
      await bus.close();
    }
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kindResources } from '@picket/crds/resources.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { objectStoreContract } from '@picket/runtime/objects/contract.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { type KubernetesStore, openKubernetesStore } from '@picket/runtime/objects/kubernetes/kubernetes-store.ts';
import type { ApplyObject, StoredObject } from '@picket/runtime/objects/object-store.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type ApiFaults, startApiFaults } from '../support/api-faults.ts';
import {
  adminApi,
  applyDefinitions,
  createNamespace,
  type Definition,
  kubernetesMissing,
} from '../support/kubernetes.ts';
import { waitFor } from '../support/processes.ts';

const missing = inject('missing');
const namespace = 'object-store';
const collection = `/apis/picket.dev/v1alpha1/namespaces/${namespace}/riskverdicts`;

function openStore(kubeconfig: string, namespaces: string[] = [], completeEveryMs = 300_000): KubernetesStore {
  return openKubernetesStore({
    completeEveryMs,
    api: adminApi(kubeconfig),
    resources: {
      ...kindResources,
      Gadget: { apiVersion: 'example.com/v1', plural: 'gadgets' },
      Widget: { apiVersion: 'example.com/v1', plural: 'widgets' },
    },
    namespaces,
    clock: systemClock,
    log: silentLogger,
    random: () => 0.5,
    reporter: { component: 'picket-test', instance: 'one' },
  });
}

function verdict(name: string, review?: { disposition: string }): ApplyObject {
  return {
    apiVersion: 'picket.dev/v1alpha1',
    kind: 'RiskVerdict',
    metadata: { name, namespace },
    spec: {
      apiRef: { name: 'payments' },
      principal: { kind: 'User', pseudonym: '7f3a9c12d04be865' },
      ...(review ? { review } : {}),
    },
  };
}

function widgets(status: Record<string, object>): Definition & { apiVersion: string } {
  const properties = { spec: { type: 'object' }, status: { type: 'object', properties: status } };
  const version = {
    ...{ name: 'v1', served: true, storage: true, subresources: { status: {} } },
    schema: { openAPIV3Schema: { type: 'object', properties } },
  };
  const names = { kind: 'Widget', plural: 'widgets', singular: 'widget', listKind: 'WidgetList' };
  const spec = { group: 'example.com', scope: 'Namespaced', names, versions: [version] };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec,
  };
}

describe.skipIf(missing !== '')(missing || 'the store on a real API server', () => {
  let admin: ApiServer;
  beforeAll(async () => {
    admin = adminApi(inject('kubeconfig'));
    await createNamespace(admin, namespace);
    await createNamespace(admin, 'shop');
  });
  afterAll(() => admin.close());
  beforeEach(async () => {
    await admin.request('DELETE', collection);
    await admin.request('DELETE', '/apis/picket.dev/v1alpha1/namespaces/shop/riskverdicts');
  });

  describe('contract', () => {
    objectStoreContract(
      async () => {
        const store = openStore(inject('kubeconfig'), ['shop']);
        return { store, dispose: () => store.close() };
      },
      { uncollected: kubernetesMissing({ controllers: true }) },
    );
  });

  describe('faults', () => {
    let folder: string;
    let faults: ApiFaults;
    let store: KubernetesStore;
    let present: Map<string, StoredObject>;
    let told: string[];
    let synced: number;
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'picket-faults-'));
      faults = await startApiFaults(inject('kubeconfig'), join(folder, 'kubeconfig'));
      store = openStore(faults.kubeconfig);
      present = new Map();
      told = [];
      synced = 0;
    });
    afterEach(async () => {
      await store.close();
      await faults.close();
      rmSync(folder, { recursive: true });
    });

    async function watch(kind = 'RiskVerdict'): Promise<void> {
      await store.watch(
        kind,
        {
          onApplied(object) {
            present.set(object.metadata.name, object);
            told.push(`+${object.metadata.name}`);
          },
          onDeleted(object) {
            present.delete(object.metadata.name);
            told.push(`-${object.metadata.name}`);
          },
          onSynced: () => synced++,
        },
        new AbortController().signal,
      );
    }

    const lists = (): number =>
      faults.requests.filter((line) => line.startsWith('GET') && line.includes('limit=')).length;

    it('an expired watch is listed again: what changed is told, what vanished is deleted, the rest is not repeated', async () => {
      for (const name of ['kept', 'changed', 'gone']) await store.apply(verdict(name), 'test');
      await watch();
      await expect.poll(() => faults.watching()).toBe(1);
      expect([...present.keys()].sort()).toEqual(['changed', 'gone', 'kept']);
      // Lost with the watch: the proxy keeps the list from being answered until all has happened.
      faults.refuse(/limit=/, 503, 1, { 'retry-after': '1' });
      faults.expireWatches();
      await admin.request('DELETE', `${collection}/gone`);
      await store.apply(verdict('changed', { disposition: 'TruePositive' }), 'test');
      await store.apply(verdict('new'), 'test');
      await expect.poll(() => [...present.keys()].sort()).toEqual(['changed', 'kept', 'new']);
      expect(present.get('changed')?.spec).toMatchObject({ review: { disposition: 'TruePositive' } });
      expect(told.filter((name) => name === '+kept')).toHaveLength(1);
      expect(lists()).toBe(3);
    });

    it('a cut watch goes on from where it was, without a new list', async () => {
      await store.apply(verdict('one'), 'test');
      await watch();
      await expect.poll(() => faults.watching()).toBe(1);
      faults.cut();
      await store.apply(verdict('two'), 'test');
      await expect.poll(() => [...present.keys()].sort()).toEqual(['one', 'two']);
      expect(lists()).toBe(1);
    });

    it('refusals under load and failures are tried again, as late as the server asks', async () => {
      faults.refuse(/^PATCH/, 429, 1, { 'retry-after': '1' });
      faults.refuse(/^PATCH/, 500, 2);
      const startedAt = performance.now();
      await store.apply(verdict('patient'), 'test');
      expect(performance.now() - startedAt).toBeGreaterThan(1_000);
      expect(await store.get({ kind: 'RiskVerdict', namespace, name: 'patient' })).toBeDefined();
      expect(faults.requests.filter((line) => line.startsWith('PATCH'))).toHaveLength(4);
    });

    it('a refusal for good comes at once, with the words of the server', async () => {
      faults.refuse(/^PATCH/, 403, 1);
      await expect(store.apply(verdict('never'), 'test')).rejects.toMatchObject({
        code: 'PermissionDenied',
        reason: 'Injected403',
      });
    });

    it('what an older definition lacks of a status is written when it has been upgraded', async () => {
      await applyDefinitions(admin, [widgets({ phase: { type: 'string' } })]);
      const own = openStore(faults.kubeconfig, [], 300);
      const key = (name: string) => ({ kind: 'Widget', namespace, name });
      const statusOf = async (name: string) => (await own.get<StoredObject<unknown, unknown>>(key(name)))?.status;
      try {
        for (const name of ['resting', 'changed', 'gone']) {
          await own.apply(
            { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name, namespace }, spec: {} },
            'test',
          );
          await own.applyStatus(key(name), { phase: 'Cold', size: 1 }, 'test');
        }
        await own.applyStatus(key('changed'), { phase: 'Warm', size: 2 }, 'test');
        await own.delete(key('gone'));
        expect(await statusOf('resting')).toEqual({ phase: 'Cold' });
        expect(await statusOf('changed')).toEqual({ phase: 'Warm' });
        await applyDefinitions(admin, [widgets({ phase: { type: 'string' }, size: { type: 'integer' } })]);
        await waitFor('the rest of the status', async () => ((await statusOf('resting')) as { size?: number }).size);
        await waitFor('that of the other', async () => ((await statusOf('changed')) as { size?: number }).size);
        expect(await statusOf('resting')).toEqual({ phase: 'Cold', size: 1 });
        expect(await statusOf('changed')).toEqual({ phase: 'Warm', size: 2 });
        // Nothing is left to write.
        const writes = faults.requests.length;
        await own.applyStatus(key('resting'), { phase: 'Hot', size: 3 }, 'test');
        expect(faults.requests.length).toBe(writes + 1);
      } finally {
        await own.close();
      }
    });

    it('a kind that is not installed is as good as empty', async () => {
      await watch('Gadget');
      expect(synced).toBe(1);
      expect(await store.list('Gadget')).toEqual([]);
      expect(store.unsynced()).toEqual([]);
    });

    it('several watchers share one watch of the server', async () => {
      await watch();
      await watch();
      expect(lists()).toBe(1);
      await store.apply(verdict('one'), 'test');
      await expect.poll(() => told).toEqual(['+one', '+one']);
    });

    it('writes an event that kubectl describe shows, and a repeat raises its count', async () => {
      await store.apply(verdict('event'), 'test');
      const event = {
        about: { kind: 'RiskVerdict', namespace, name: 'event' },
        type: 'Warning' as const,
        reason: 'SafetyLimit',
        message: 'held back',
      };
      for (let i = 0; i < 3; i++) await store.record(event);
      const { items } = await admin.request<{ items: Record<string, unknown>[] }>(
        'GET',
        `/api/v1/namespaces/${namespace}/events`,
        { query: { fieldSelector: 'involvedObject.name=event' } },
      );
      expect(items).toMatchObject([{ type: 'Warning', reason: 'SafetyLimit', message: 'held back', count: 1 }]);
      // The repeats of this minute wait for the next.
      expect(faults.requests.filter((line) => line.includes('/events/'))).toHaveLength(1);
    });
  });
});

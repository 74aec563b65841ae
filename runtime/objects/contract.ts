/** What every `ObjectStore` must do. Each implementation runs this suite in its own test, with the real schemas or API server. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ApplyObject, Condition, ObjectKey, ObjectStore, StoredObject } from './object-store.ts';

interface VerdictSpec {
  apiRef: { name: string };
  principal: { kind: string; pseudonym: string };
  review?: { disposition: string; by?: string };
}
type Verdict = StoredObject<VerdictSpec, { score?: number; level?: string; conditions?: Condition[] }>;

const apiVersion = 'picket.dev/v1alpha1';
const key: ObjectKey = { kind: 'RiskVerdict', namespace: 'shop', name: 'payments-user-7f3a9c12' };

function verdict(spec: Partial<VerdictSpec> = {}, metadata: Partial<ApplyObject['metadata']> = {}): ApplyObject {
  return {
    apiVersion,
    kind: key.kind,
    metadata: { name: key.name, namespace: key.namespace, ...metadata },
    spec: { apiRef: { name: 'payments' }, principal: { kind: 'User', pseudonym: '7f3a9c12d04be865' }, ...spec },
  };
}

function condition(type: string): Condition {
  return {
    type,
    status: 'True',
    reason: 'Tested',
    message: 'as the contract says',
    observedGeneration: 1,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
}

/**
 * Registers the suite; `open` gives an empty store for each test.
 *
 * @param options.uncollected why nothing deletes what a deleted object owns, which skips the test of it
 */
export function objectStoreContract(
  open: () => Promise<{ store: ObjectStore; dispose(): Promise<void> }>,
  options: { uncollected?: string | undefined } = {},
): void {
  let store: ObjectStore;
  let dispose: () => Promise<void>;
  beforeEach(async () => {
    ({ store, dispose } = await open());
  });
  afterEach(() => dispose());

  async function read(): Promise<Verdict> {
    const object = await store.get<Verdict>(key);
    if (object === undefined) throw new Error('the verdict is gone');
    return object;
  }

  describe('apply', () => {
    it('creates an object that get and list find', async () => {
      const created = await store.apply<Verdict>(verdict(), 'analyzer');
      expect(created.metadata).toMatchObject({ name: key.name, namespace: 'shop', generation: 1 });
      expect(created.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(await store.get(key)).toEqual(created);
      expect(await store.list('RiskVerdict')).toEqual([created]);
      expect(await store.list('RiskVerdict', 'other')).toEqual([]);
      expect(await store.get({ ...key, namespace: 'other' })).toBeUndefined();
    });

    it('finds objects by their labels', async () => {
      await store.apply(verdict({}, { labels: { tier: 'gold', team: 'a' } }), 'analyzer');
      await store.apply(verdict({}, { name: 'plain' }), 'analyzer');
      const names = async (labels: Record<string, string>) =>
        (await store.list('RiskVerdict', 'shop', labels)).map(({ metadata }) => metadata.name);
      expect(await names({ tier: 'gold' })).toEqual([key.name]);
      expect(await names({ tier: 'gold', team: 'b' })).toEqual([]);
      expect(await names({})).toHaveLength(2);
    });

    it('changes nothing when nothing changed', async () => {
      const first = await store.apply<Verdict>(verdict(), 'analyzer');
      const second = await store.apply<Verdict>(verdict(), 'analyzer');
      expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    });

    it('raises the generation with spec, not with labels or status', async () => {
      await store.apply(verdict(), 'analyzer');
      await store.apply(verdict({}, { labels: { tier: 'gold' } }), 'analyzer');
      await store.applyStatus(key, { score: 7 }, 'analyzer');
      expect((await read()).metadata.generation).toBe(1);
      await store.apply(verdict({ review: { disposition: 'FalsePositive' } }), 'analyzer');
      expect((await read()).metadata.generation).toBe(2);
    });

    it('keeps what another manager applied and removes what its own manager leaves out', async () => {
      await store.apply(verdict(), 'analyzer');
      const reviewed: ApplyObject = verdict({ review: { disposition: 'FalsePositive', by: 'ops@example.com' } });
      await store.apply(reviewed, 'person');
      await store.apply(verdict(), 'analyzer');
      expect((await read()).spec.review).toEqual({ disposition: 'FalsePositive', by: 'ops@example.com' });
      await store.apply(verdict({ review: { disposition: 'FalsePositive' } }), 'person');
      expect((await read()).spec.review).toEqual({ disposition: 'FalsePositive' });
      await store.apply(verdict(), 'person');
      expect((await read()).spec).toEqual(verdict().spec);
    });

    it('refuses an invalid object and names the field', async () => {
      await expect(store.apply(verdict({ review: { disposition: 'Wrong' } }), 'person')).rejects.toMatchObject({
        code: 'InvalidObject',
        message: expect.stringContaining('spec.review.disposition'),
      });
      expect(await store.get(key)).toBeUndefined();
    });

    it('refuses to change what an object is about', async () => {
      await store.apply(verdict(), 'analyzer');
      await expect(store.apply(verdict({ apiRef: { name: 'orders' } }), 'analyzer')).rejects.toMatchObject({
        code: 'InvalidObject',
        message: expect.stringContaining('spec.apiRef'),
      });
    });
  });

  describe('applyStatus', () => {
    it('lets several managers share status and its conditions', async () => {
      await store.apply(verdict(), 'analyzer');
      await store.applyStatus(key, { score: 92, level: 'Critical', conditions: [condition('Active')] }, 'analyzer');
      await store.applyStatus(key, { conditions: [condition('Programmed')] }, 'operator');
      expect((await read()).status).toMatchObject({
        score: 92,
        conditions: [{ type: 'Active' }, { type: 'Programmed' }],
      });
      await store.applyStatus(key, { score: 40, conditions: [] }, 'analyzer');
      const { status } = await read();
      expect(status).toMatchObject({ score: 40, conditions: [{ type: 'Programmed' }] });
      expect(status).not.toHaveProperty('level');
    });

    it('removes a list with its last item', async () => {
      await store.apply(verdict(), 'analyzer');
      await store.applyStatus(key, { score: 1, conditions: [condition('Active')] }, 'analyzer');
      await store.applyStatus(key, { score: 1 }, 'analyzer');
      expect((await read()).status).toEqual({ score: 1 });
    });

    it('does not tell watchers when nothing changed', async () => {
      await store.apply(verdict(), 'analyzer');
      await store.applyStatus(key, { score: 1 }, 'analyzer');
      const { resourceVersion } = (await read()).metadata;
      await store.applyStatus(key, { score: 1 }, 'analyzer');
      expect((await read()).metadata.resourceVersion).toBe(resourceVersion);
    });

    it('refuses a status that the schema does not allow, and one of nothing', async () => {
      await expect(store.applyStatus(key, { score: 1 }, 'analyzer')).rejects.toMatchObject({ code: 'NotFound' });
      await store.apply(verdict(), 'analyzer');
      await expect(store.applyStatus(key, { score: 101 }, 'analyzer')).rejects.toMatchObject({
        code: 'InvalidObject',
        message: expect.stringContaining('status.score'),
      });
    });
  });

  describe('watch', () => {
    it('gives what is there, then says so, then every change in order', async () => {
      await store.apply(verdict(), 'analyzer');
      const seen: string[] = [];
      const stop = new AbortController();
      await store.watch<Verdict>(
        'RiskVerdict',
        {
          onApplied: (object) => seen.push(`applied ${object.status?.score ?? '-'}`),
          onDeleted: (object) => seen.push(`deleted ${object.metadata.name}`),
          onSynced: () => seen.push('synced'),
        },
        stop.signal,
      );
      await store.applyStatus(key, { score: 1 }, 'analyzer');
      await store.applyStatus(key, { score: 2 }, 'analyzer');
      await store.delete(key);
      const expected = ['applied -', 'synced', 'applied 1', 'applied 2', `deleted ${key.name}`];
      await vi.waitFor(() => expect(seen).toEqual(expected));
      stop.abort();
      await store.apply(verdict(), 'analyzer');
      expect(seen).toEqual(expected);
    });

    it('syncs on a kind that has no objects', async () => {
      const synced = vi.fn();
      const watcher = { onApplied: () => undefined, onDeleted: () => undefined, onSynced: synced };
      await store.watch('PolicyExemption', watcher, AbortSignal.timeout(10_000));
      await vi.waitFor(() => expect(synced).toHaveBeenCalledOnce());
    });
  });

  it('hands out objects that cannot change what is stored', async () => {
    await store.apply(verdict(), 'analyzer');
    const object = await read();
    try {
      object.spec.apiRef.name = 'changed';
    } catch {
      // A frozen object is one way to keep the promise.
    }
    expect((await read()).spec.apiRef.name).toBe('payments');
  });

  it.skipIf(options.uncollected !== undefined)('deletes with an object what it owns', async () => {
    const owner = await store.apply<Verdict>(verdict(), 'analyzer');
    const { name, uid } = owner.metadata;
    const owned = verdict({}, { name: 'owned', ownerReferences: [{ apiVersion, kind: key.kind, name, uid }] });
    await store.apply(owned, 'analyzer');
    await store.delete(key);
    await vi.waitFor(async () => expect(await store.list('RiskVerdict')).toEqual([]), { timeout: 20_000 });
    await expect(store.delete(key)).rejects.toMatchObject({ code: 'NotFound' });
  });
}

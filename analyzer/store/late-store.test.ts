import { expect, it } from 'vitest';
import { createLateStore } from './late-store.ts';
import { type Store, StoreError } from './store.ts';

it('is migrated once, before the first row, and read only after that', async () => {
  const calls: string[] = [];
  let isThere = false;
  const inner = {
    async migrate() {
      calls.push('migrate');
      if (!isThere) throw new StoreError('unavailable', 'refused', true);
    },
    insertTicks: async () => void calls.push('ticks'),
    insertGaps: async () => void calls.push('gaps'),
    readGaps: async () => [],
  } as unknown as Store;
  const store = createLateStore(inner);
  await expect(store.insertTicks([], 'a')).rejects.toMatchObject({ code: 'unavailable', retriable: true });
  await expect(store.readGaps(0)).rejects.toMatchObject({ code: 'unavailable', retriable: true });
  isThere = true;
  await Promise.all([store.insertTicks([], 'b'), store.insertGaps([], 'c')]);
  await store.insertTicks([], 'd');
  expect(await store.readGaps(0)).toEqual([]);
  expect(calls).toEqual(['migrate', 'migrate', 'ticks', 'gaps', 'ticks']);
});

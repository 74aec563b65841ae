/** A `Store` over an engine of its own: a child process that holds the data folder. */
import { createClickHouseStore, type StoreEndpoint } from './clickhouse-store.ts';
import { startEngine } from './embedded/supervisor.ts';
import { rebuildAggregates } from './repair.ts';
import type { Store } from './store.ts';
import type { StoreLog } from './store-log.ts';

export interface EmbeddedStoreOptions {
  /** Made if absent; one process at a time may hold it. */
  dataDir: string;
  log: StoreLog;
  /** Default 1.5 GiB. */
  maxMemoryBytes?: number;
  /** Resolve after this long though the engine does not serve yet; it is tried further. */
  waitMs?: number;
  /** Told where the engine serves, at the start and after each restart. */
  onServing?(endpoint: StoreEndpoint): void;
}

export interface EmbeddedStore extends Store {
  /** Process id of the engine while it runs, and how often it was started again. */
  engine(): { pid: number | undefined; restarts: number };
}

/**
 * Starts the engine and brings its schema up to date, at this start and at each restart, before anything else reaches it.
 * @throws StoreError `unreadable` when another process holds `dataDir` or a newer build wrote it.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const prepare = async (endpoint: StoreEndpoint, unclean: boolean): Promise<void> => {
    const store = createClickHouseStore({ engine: 'embedded', endpoint: () => endpoint });
    try {
      await store.migrate();
      if (!unclean) return;
      for (const repair of await rebuildAggregates(store, { database: 'picket', engine: 'embedded' })) {
        options.log.warn(repair, 'store aggregate rebuilt after an unclean end');
      }
    } finally {
      await store.close();
    }
  };
  const engine = await startEngine({
    dataDir: options.dataDir,
    log: options.log,
    prepare,
    ...(options.onServing === undefined ? {} : { onServing: options.onServing }),
    ...(options.waitMs === undefined ? {} : { waitMs: options.waitMs }),
    ...(options.maxMemoryBytes === undefined ? {} : { maxMemoryBytes: options.maxMemoryBytes }),
  });
  const store = createClickHouseStore({ engine: 'embedded', endpoint: engine.endpoint });
  return {
    ...store,
    engine: () => ({ pid: engine.pid(), restarts: engine.restarts() }),
    async close() {
      await store.close();
      await engine.stop();
    },
  };
}

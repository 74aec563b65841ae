/** Where history goes: the embedded engine in the data folder, or a ClickHouse server. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClickHouseStore } from '../store/clickhouse-store.ts';
import { openEmbeddedStore } from '../store/embedded-store.ts';
import { type Store, StoreError } from '../store/store.ts';
import type { StoreLog } from '../store/store-log.ts';
import { writeFileAtomic } from '@picket/runtime/atomic-file.ts';
import type { Logger } from '@picket/runtime/log.ts';
import { PicketError } from '@picket/runtime/errors.ts';

/**
 * Beside the embedded store while its engine runs, so that `picket replay` and `picket risk` can read through it; 0600,
 * for it holds the engine's password.
 */
export const ENDPOINT_FILE = 'store-endpoint.json';

/** A ClickHouse server; without `url` the embedded engine of the data folder. */
export interface StoreAccess {
  url?: string | undefined;
  user: string;
  password: string;
}

export interface OpenStore {
  store: Store;
  log: StoreLog;
  close(): Promise<void>;
}

export async function openStore(data: string, access: StoreAccess, log: Logger): Promise<OpenStore> {
  const storeLog: StoreLog = {
    info: (fields, message) => log.info(message, { ...fields }),
    warn: (fields, message) => log.warn(message, { ...fields }),
    error: (fields, message) => log.error(message, { ...fields }),
  };
  const { url } = access;
  if (url) {
    const endpoint = { url, username: access.user, password: access.password };
    const store = createClickHouseStore({ engine: 'single', endpoint: () => endpoint, compress: true });
    try {
      await store.migrate();
    } catch (error) {
      await store.close();
      throw unavailable(url, error);
    }
    return { store, log: storeLog, close: () => store.close() };
  }
  const endpointFile = join(data, ENDPOINT_FILE);
  let written: Promise<void> = Promise.resolve();
  const store = await openEmbeddedStore({
    dataDir: join(data, 'store'),
    log: storeLog,
    onServing(endpoint) {
      written = written
        .then(() => writeFileAtomic(endpointFile, JSON.stringify(endpoint)))
        .catch((error: unknown) =>
          log.warn('store endpoint not written: picket replay must wait for the end', { error }),
        );
    },
  });
  await written;
  return {
    store,
    log: storeLog,
    async close() {
      await written;
      await rm(endpointFile, { force: true });
      await store.close();
    },
  };
}

function unavailable(url: string, error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  const code = error.code === 'timeout' ? 'Timeout' : error.code === 'full' ? 'Capacity' : 'Unavailable';
  return new PicketError(code, `--store-url ${url}: ${error.message}`, { cause: error });
}

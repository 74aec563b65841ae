/** Where history goes: the embedded engine in the data folder, or a ClickHouse server. */
import { join } from 'node:path';
import { createClickHouseStore } from '@picket/analyzer/store/clickhouse-store.ts';
import { openEmbeddedStore } from '@picket/analyzer/store/embedded-store.ts';
import type { Store } from '@picket/analyzer/store/store.ts';
import type { StoreLog } from '@picket/analyzer/store/store-log.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { Host } from '../host.ts';

export interface OpenStore {
  store: Store;
  log: StoreLog;
  close(): Promise<void>;
}

export async function openStore(
  options: { data: string; storeUrl?: string },
  host: Pick<Host, 'env'>,
  log: Logger,
): Promise<OpenStore> {
  const storeLog: StoreLog = {
    info: (fields, message) => log.info(message, { ...fields }),
    warn: (fields, message) => log.warn(message, { ...fields }),
    error: (fields, message) => log.error(message, { ...fields }),
  };
  if (options.storeUrl) {
    const endpoint = {
      url: options.storeUrl,
      username: host.env['PICKET_STORE_USER'] ?? 'default',
      password: host.env['PICKET_STORE_PASSWORD'] ?? '',
    };
    const store = createClickHouseStore({ engine: 'single', endpoint: () => endpoint, compress: true });
    await store.migrate();
    return { store, log: storeLog, close: () => store.close() };
  }
  const store = await openEmbeddedStore({ dataDir: join(options.data, 'store'), log: storeLog });
  return { store, log: storeLog, close: () => store.close() };
}

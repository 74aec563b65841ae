/** The store of another Picket's data folder: through its running engine, or with an engine of our own. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createClickHouseStore, type StoreEndpoint } from '@picket/analyzer/store/clickhouse-store.ts';
import { PicketError, toPicketError } from '@picket/runtime/errors.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { Host } from '@picket/runtime/host.ts';
import { ENDPOINT_FILE, type OpenStore, openStore } from '@picket/analyzer/service/open-store.ts';
import { storeAccess } from '../up/store-access.ts';

export async function openStoreForReading(
  options: { data: string; storeUrl?: string },
  host: Pick<Host, 'env'>,
  log: Logger,
): Promise<OpenStore> {
  // Asked before anything opens: an engine makes the folder it is given.
  const found = await stat(options.data).catch((error: unknown) => {
    throw toPicketError(error, `--data ${options.data}`);
  });
  if (!found.isDirectory()) throw new PicketError('InvalidConfig', `--data: ${options.data} is not a folder`);
  const running = options.storeUrl ? undefined : await runningEngine(options.data);
  if (!running) return openStore(options.data, storeAccess(options, host), log);
  const store = createClickHouseStore({ engine: 'embedded', endpoint: () => running });
  const quiet = { info: () => {}, warn: () => {}, error: () => {} };
  const { lastSeq } = await store.extent();
  return { store, log: quiet, lastSeq, close: () => store.close() };
}

async function runningEngine(data: string): Promise<StoreEndpoint | undefined> {
  let endpoint: StoreEndpoint;
  try {
    endpoint = JSON.parse(await readFile(join(data, ENDPOINT_FILE), 'utf8')) as StoreEndpoint;
  } catch {
    return undefined;
  }
  const store = createClickHouseStore({ engine: 'embedded', endpoint: () => endpoint, requestTimeoutMs: 2_000 });
  const alive = await store.ping().catch(() => false);
  await store.close();
  return alive ? endpoint : undefined;
}

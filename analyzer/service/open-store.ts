/** Where history goes: the embedded engine in the data folder, or a ClickHouse server. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClickHouseStore } from '../store/clickhouse-store.ts';
import { openEmbeddedStore } from '../store/embedded-store.ts';
import { createLateStore } from '../store/late-store.ts';
import { type Store, StoreError } from '../store/store.ts';
import type { StoreLog } from '../store/store-log.ts';
import { writeFileAtomic } from '@picket/runtime/atomic-file.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { Logger } from '@picket/runtime/log.ts';

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
  /** Sequence of the newest stored row; undefined = the store does not answer yet. */
  lastSeq: number | undefined;
  close(): Promise<void>;
}

/**
 * @param waitMs how long to wait for a store that does not answer; it is tried further after that. Without it such a
 *   store is an error.
 * @throws PicketError Unavailable, Timeout, Capacity (without `waitMs`), PermissionDenied; StoreError `unreadable`
 */
export async function openStore(
  data: string,
  access: StoreAccess,
  log: Logger,
  waitMs?: { server: number; engine: number },
): Promise<OpenStore> {
  const storeLog: StoreLog = {
    info: (fields, message) => log.info(message, { ...fields }),
    warn: (fields, message) => log.warn(message, { ...fields }),
    error: (fields, message) => log.error(message, { ...fields }),
  };
  const { url } = access;
  const wait = url ? waitMs?.server : waitMs?.engine;
  const { store, close } = url ? openServer(url, access) : await openEngine(data, wait, log, storeLog);
  const what = url ? `--store-url ${url}` : 'the embedded store';
  try {
    const lastSeq = await withinWait(wait, async () => {
      if (url) await store.migrate();
      return (await store.extent()).lastSeq;
    });
    return { store, log: storeLog, lastSeq, close };
  } catch (error) {
    const isAbsent = error instanceof StoreError && error.retriable;
    if (wait === undefined || !isAbsent || isLoginRefused(error)) {
      await close();
      throw told(what, error);
    }
    log.error('the store does not answer: Picket starts without it and goes on trying', { store: what, error });
    return { store, log: storeLog, lastSeq: undefined, close };
  }
}

function openServer(url: string, { user, password }: StoreAccess): Pick<OpenStore, 'store' | 'close'> {
  const endpoint = { url, username: user, password };
  const store = createLateStore(createClickHouseStore({ engine: 'single', endpoint: () => endpoint, compress: true }));
  return { store, close: () => store.close() };
}

async function openEngine(
  data: string,
  waitMs: number | undefined,
  log: Logger,
  storeLog: StoreLog,
): Promise<Pick<OpenStore, 'store' | 'close'>> {
  const endpointFile = join(data, ENDPOINT_FILE);
  let written: Promise<void> = Promise.resolve();
  const store = await openEmbeddedStore({
    dataDir: join(data, 'store'),
    log: storeLog,
    ...(waitMs === undefined ? {} : { waitMs }),
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
    async close() {
      await written;
      await rm(endpointFile, { force: true });
      await store.close();
    },
  };
}

/** Tries until `waitMs` have passed; a try that hangs counts as failed then. */
async function withinWait<T>(waitMs: number | undefined, attempt: () => Promise<T>): Promise<T> {
  if (waitMs === undefined) return attempt();
  const ended = new AbortController();
  const { signal } = ended;
  const over = delay(waitMs, undefined, { signal }).catch(() => undefined);
  let failure: unknown = new StoreError('timeout', `no answer within ${waitMs / 1000} s`, true);
  const trying = async (): Promise<{ value: T } | undefined> => {
    while (!signal.aborted) {
      try {
        return { value: await attempt() };
      } catch (error) {
        failure = error;
        if (!(error instanceof StoreError && error.retriable) || isLoginRefused(error)) return undefined;
        await delay(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  };
  const found = await Promise.race([trying(), over]);
  ended.abort();
  if (!found) throw failure;
  return found.value;
}

const retryMs = 500;

/** Numbers of ClickHouse's ErrorCodes: no such user, a wrong password. They pass by no waiting. */
function isLoginRefused(error: unknown): boolean {
  return error instanceof StoreError && /\(ClickHouse code (192|193|194|516),/.test(error.message);
}

function told(what: string, error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  if (isLoginRefused(error))
    return new PicketError(
      'PermissionDenied',
      `${what}: ${error.message}; set PICKET_STORE_USER and PICKET_STORE_PASSWORD`,
      { cause: error },
    );
  if (!error.retriable) return error;
  const code = error.code === 'timeout' ? 'Timeout' : error.code === 'full' ? 'Capacity' : 'Unavailable';
  return new PicketError(code, `${what}: ${error.message}`, { cause: error });
}

/**
 * Follows all objects of one kind: lists them in pages, then watches from there. Bookmarks keep the place when nothing
 * changes; a place that is too old (410) leads to a new list, and what vanished meanwhile is told as deleted.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { PicketError, toPicketError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { ApiServer } from './api-server.ts';
import { errorOfStatus, EXPIRED, type Status } from './status-error.ts';

/** The part of an object that following it needs. */
export interface Listed {
  metadata: { name: string; namespace?: string; resourceVersion: string };
}

export interface ObjectName {
  /** "" = the object has none. */
  namespace: string;
  name: string;
}

export interface ReflectorOptions {
  api: ApiServer;
  /** Collection: `/apis/picket.dev/v1alpha1/riskverdicts`. */
  path: string;
  log: Logger;
  /** 0 ≤ x < 1; spreads retries. */
  random(): number;
  onApplied(object: Listed): void;
  onDeleted(name: ObjectName): void;
  /** After each complete list. */
  onListed(): void;
  /** Why changes do not arrive; undefined = they do again. */
  onTrouble(error: PicketError | undefined): void;
  signal: AbortSignal;
}

const pageSize = 500;
const firstRetryMs = 500;
const maxRetryMs = 30_000;
/** A kind whose definition is not installed is asked for again this often. */
const absentMs = 30_000;

/** Runs until `signal` aborts. */
export async function runReflector(options: ReflectorOptions): Promise<void> {
  const { api, path, log, signal } = options;
  /** Versions that were told, by object. */
  const known = new Map<string, string>();
  let failures = 0;
  /** Where the watch goes on; undefined = list first. */
  let place: string | undefined;

  while (!signal.aborted) {
    try {
      place ??= await list();
      await follow();
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toPicketError(thrown, `watch ${path}`);
      if (error.reason === EXPIRED) {
        log.info('watch expired, listing again', { path });
        place = undefined;
        continue;
      }
      if (error.code === 'NotFound') {
        place = undefined;
        for (const key of known.keys()) forget(key);
        options.onListed();
        await pause(absentMs);
        continue;
      }
      failures++;
      options.onTrouble(error);
      const retryMs =
        Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 10)) * (0.5 + options.random() / 2);
      log.warn('watch broke', { path, error, retryMs: Math.round(retryMs) });
      await pause(retryMs);
    }
  }

  /** Returns the place to watch from. */
  async function list(): Promise<string> {
    const present = new Map<string, Listed>();
    let next: string | undefined;
    let at = '';
    do {
      const page: { metadata: { resourceVersion: string; continue?: string }; items: Listed[] } = await api.request(
        'GET',
        path,
        { query: { limit: pageSize, continue: next }, signal },
      );
      for (const object of page.items) present.set(keyOf(object), object);
      at = page.metadata.resourceVersion;
      next = page.metadata.continue || undefined;
    } while (next !== undefined);
    for (const key of known.keys()) if (!present.has(key)) forget(key);
    for (const object of present.values()) apply(object);
    options.onListed();
    return at;
  }

  async function follow(): Promise<void> {
    // The server ends each watch after some minutes; spread, so that not all come back at once.
    const timeoutSeconds = Math.round(300 + options.random() * 300);
    let lines = 0;
    const watch = api.watch(path, { resourceVersion: place, timeoutSeconds }, signal, () =>
      options.onTrouble(undefined),
    );
    for await (const { type, object } of watch) {
      lines++;
      if (type === 'ERROR') throw errorOfStatus(object as Status, `watch ${path}`);
      const listed = object as Listed;
      if (type === 'ADDED' || type === 'MODIFIED') apply(listed);
      else if (type === 'DELETED') forget(keyOf(listed));
      place = listed.metadata.resourceVersion;
      failures = 0;
    }
    // Not even a bookmark in all that time: something in between ends watches at once.
    if (lines === 0) throw new PicketError('Unavailable', `watch ${path} ended before it began`);
  }

  function apply(object: Listed): void {
    const key = keyOf(object);
    if (known.get(key) === object.metadata.resourceVersion) return;
    known.set(key, object.metadata.resourceVersion);
    options.onApplied(object);
  }

  function forget(key: string): void {
    if (!known.delete(key)) return;
    const [namespace = '', name = ''] = key.split('/');
    options.onDeleted({ namespace, name });
  }

  async function pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw new PicketError('Internal', 'a pause failed', { cause: error });
    });
  }
}

function keyOf({ metadata }: Listed): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/**
 * The object store over a Kubernetes API server. Watches share one reflector per kind; reads by name and writes go to the
 * server, so that nobody decides on what they wrote a moment ago.
 */
import type { Clock } from '../../clock.ts';
import { PicketError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { ApplyObject, ObjectEvent, ObjectKey, ObjectStore, ObjectWatcher, StoredObject } from '../object-store.ts';
import { createObjectTable } from '../object-table.ts';
import type { ApiServer } from './api-server.ts';
import { createEventWriter } from './event-writer.ts';
import { type Listed, runReflector } from './reflector.ts';
import { createStatusWriter } from './status-writer.ts';

/** Where objects of a kind are served. */
export interface KindResource {
  /** `picket.dev/v1alpha1`, `v1`. */
  apiVersion: string;
  /** `riskverdicts` */
  plural: string;
}

export interface KubernetesStoreOptions {
  api: ApiServer;
  /** By kind. */
  resources: Readonly<Record<string, KindResource>>;
  /** Namespaces to follow; empty = all. */
  namespaces: readonly string[];
  clock: Clock;
  log: Logger;
  /** 0 ≤ x < 1; spreads retries. */
  random(): number;
  /** Whether this replica may write status now; left out, always. */
  mayWrite?(): boolean;
  /** What an older definition lacks is tried again this often; every 5 minutes unless told. */
  completeEveryMs?: number;
  /** Who reports events: "picket-operator" and the name of its pod. */
  reporter: { component: string; instance: string };
}

export interface KubernetesStore extends ObjectStore {
  /** Kinds whose objects have not been listed yet. */
  unsynced(): string[];
  /** Kinds whose changes do not arrive now, and why in the words of the last failure; undefined = all arrive. */
  trouble(): string | undefined;
}

interface Followed {
  /** Resolves after the first complete list. */
  listed: Promise<void>;
  isListed: boolean;
}

const applyPatch = 'application/apply-patch+yaml';

export function openKubernetesStore(options: KubernetesStoreOptions): KubernetesStore {
  const { api, log, random } = options;
  const closing = new AbortController();
  const followed = new Map<string, Followed>();
  const running = new Set<Promise<void>>();
  /** By path: why changes do not arrive. */
  const broken = new Map<string, { kind: string; error: PicketError }>();
  const table = createObjectTable((error) => log.error('watcher failed', { error }));
  const events = createEventWriter({ ...options, find: (key) => get(key) });

  const statuses = createStatusWriter({
    ...{ log, mayWrite: options.mayWrite ?? (() => true), completeEveryMs: options.completeEveryMs ?? 300_000 },
    async patch(key, status, fieldManager) {
      const { apiVersion } = resourceOf(key.kind);
      const body = { apiVersion, kind: key.kind, metadata: { name: key.name, namespace: key.namespace }, status };
      await api.request('PATCH', `${pathOf(key)}/status`, {
        ...{ query: { fieldManager, force: true, fieldValidation: 'Strict' }, body, contentType: applyPatch },
        ...(options.mayWrite ? { permitted: options.mayWrite } : {}),
      });
    },
  });

  function follow(kind: string): Followed {
    const present = followed.get(kind);
    if (present) return present;
    const { promise, resolve } = Promise.withResolvers<void>();
    const started: Followed = { listed: promise, isListed: false };
    followed.set(kind, started);
    const paths = options.namespaces.length === 0 ? [undefined] : options.namespaces;
    const waiting = new Set<string | undefined>(paths);
    for (const namespace of paths) {
      const path = collection(kind, namespace);
      const work = runReflector({
        api,
        path,
        log,
        random,
        signal: closing.signal,
        onApplied: (object) => table.put(asStored(kind, object)),
        onDeleted: (name) => table.remove({ kind, ...name }),
        onTrouble(error) {
          if (error) broken.set(path, { kind, error });
          else broken.delete(path);
        },
        onListed() {
          waiting.delete(namespace);
          if (waiting.size > 0) return;
          started.isListed = true;
          resolve();
        },
      });
      running.add(work);
      void work.finally(() => running.delete(work));
    }
    return started;
  }

  function collection(kind: string, namespace: string | undefined): string {
    const { apiVersion, plural } = resourceOf(kind);
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    return namespace === undefined
      ? `${root}/${plural}`
      : `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
  }

  function pathOf({ kind, namespace, name }: ObjectKey): string {
    return `${collection(kind, namespace)}/${encodeURIComponent(name)}`;
  }

  function resourceOf(kind: string): KindResource {
    const resource = options.resources[kind];
    if (!resource) throw new PicketError('Internal', `nobody said where ${kind} is served`);
    return resource;
  }

  function asStored(kind: string, listed: object): StoredObject {
    const object = listed as StoredObject & { metadata: { managedFields?: unknown } };
    // Items of a list come without their kind. Who owns which field is the server's book-keeping.
    const { managedFields: _, ...metadata } = object.metadata;
    return { ...object, apiVersion: resourceOf(kind).apiVersion, kind, metadata };
  }

  async function get(key: ObjectKey): Promise<StoredObject | undefined> {
    try {
      return asStored(key.kind, await api.request<object>('GET', pathOf(key)));
    } catch (error) {
      if (error instanceof PicketError && error.code === 'NotFound') return undefined;
      throw error;
    }
  }

  return {
    async list<O extends StoredObject>(
      kind: string,
      namespace?: string,
      labels: Readonly<Record<string, string>> = {},
    ) {
      const labelSelector = Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(',');
      const found: O[] = [];
      let next: string | undefined;
      do {
        const page = await api
          .request<{ metadata: { continue?: string }; items: Listed[] }>('GET', collection(kind, namespace), {
            query: { limit: 500, continue: next, labelSelector: labelSelector || undefined },
          })
          .catch((error: unknown) => {
            if (error instanceof PicketError && error.code === 'NotFound') return { metadata: {}, items: [] };
            throw error;
          });
        for (const item of page.items) found.push(asStored(kind, item) as O);
        next = 'continue' in page.metadata ? page.metadata.continue || undefined : undefined;
      } while (next !== undefined);
      return found;
    },
    get: async <O extends StoredObject>(key: ObjectKey) => (await get(key)) as O | undefined,
    async watch<O extends StoredObject>(kind: string, watcher: ObjectWatcher<O>, signal: AbortSignal) {
      const stop = AbortSignal.any([signal, closing.signal]);
      const stopped = new Promise<void>((resolve) => {
        if (stop.aborted) resolve();
        else stop.addEventListener('abort', () => resolve(), { once: true });
      });
      await Promise.race([follow(kind).listed, stopped]);
      table.watch(kind, watcher, stop);
    },
    async apply<O extends StoredObject>(object: ApplyObject, fieldManager: string) {
      const key = { kind: object.kind, namespace: object.metadata.namespace, name: object.metadata.name };
      const query = { fieldManager, force: true, fieldValidation: 'Strict' };
      return asStored(
        key.kind,
        await api.request<object>('PATCH', pathOf(key), { query, body: object, contentType: applyPatch }),
      ) as O;
    },
    applyStatus: (...status) => statuses.apply(...status),
    async delete(key) {
      await api.request('DELETE', pathOf(key), { query: { propagationPolicy: 'Background' } });
    },
    record: (event: ObjectEvent) => events.record(event),
    trouble() {
      const kinds = new Set([...broken.values()].map(({ kind }) => kind));
      const [first] = broken.values();
      return first && `changes of ${[...kinds].sort().join(', ')} do not arrive: ${first.error.message}`;
    },
    unsynced: () => [...followed].filter(([, { isListed }]) => !isListed).map(([kind]) => kind),
    async close() {
      closing.abort();
      await statuses.close();
      await Promise.all(running);
      api.close();
    },
  };
}

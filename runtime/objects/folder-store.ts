/**
 * `ObjectStore` over a folder of YAML: what people write lies in the folder and is only read; status and what Picket
 * creates live in memory and in a state file.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { PicketError, toPicketError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { createStateFile } from '../state-file.ts';
import { applyFields, type FieldOwners } from './applied-fields.ts';
import { coreKinds } from './core-objects.ts';
import { createEventLog, type RecordedEvent } from './event-log.ts';
import type { ManifestObject } from './folder-load.ts';
import { createFolderReader } from './folder-reader.ts';
import { watchFolder } from './folder-watch.ts';
import type { ApplyObject, ObjectKey, ObjectMeta, ObjectStore, ObjectWatcher, StoredObject } from './object-store.ts';
import type { ObjectSchemas, SchemaError } from './object-schemas.ts';
import { createObjectTable, keyOf, keyText } from './object-table.ts';
import { formatProblem, type Problem } from './problem.ts';
import { sameJson } from './same-json.ts';
import { decodeStoredState, type StoredEntry, type StoredState } from './stored-state.ts';

/** Annotation with the manifest's path, relative to the folder. */
export const MANIFEST_ANNOTATION = 'picket.dev/manifest';

export interface FolderStore extends ObjectStore {
  /** What is wrong in the folder now. */
  problems(): Problem[];
  /** Calls back with all problems whenever they change, until `signal` aborts. */
  onProblems(listener: (problems: Problem[]) => void, signal: AbortSignal): void;
  events(): RecordedEvent[];
  /** Looks at the folder now; resolves when what it says is in force. */
  rescan(): Promise<void>;
}

export interface FolderStoreOptions {
  /** The folder of manifests. */
  folder: string;
  /** Where the state is kept. */
  stateFile: string;
  schemas: ObjectSchemas;
  clock: Clock;
  logger: Logger;
  /** Quiet time after a change in the folder; 200 unless told otherwise. */
  debounceMs?: number;
  /** Time between looks where the file system tells nothing; 2000 unless told otherwise. */
  pollMs?: number;
  /** Delay that gathers changes of state into one write; 500 unless told otherwise. */
  saveDelayMs?: number;
}

interface Owners {
  main: FieldOwners;
  status: FieldOwners;
}

/** Resolves once the folder was read for the first time. */
export async function openFolderStore(options: FolderStoreOptions): Promise<FolderStore> {
  const { folder, schemas, clock, logger } = options;
  const table = createObjectTable((error) => logger.error('watcher failed', { error }));
  const events = createEventLog(clock, 1000);
  const stateFile = createStateFile<StoredState>({
    path: options.stateFile,
    format: 'picket-objects',
    version: 1,
    decode: decodeStoredState,
    clock,
  });
  const closing = new AbortController();
  const listeners = new Set<(problems: Problem[]) => void>();
  const reader = createFolderReader(folder, schemas);
  const owners = new Map<string, Owners>();
  /** Folder objects in force, by `keyText`. */
  let inForce = new Map<string, ManifestObject>();
  let problems: Problem[] = [];
  let resourceVersion = 0;
  let saving: Promise<void> = Promise.resolve();
  let saveTimer: NodeJS.Timeout | undefined;
  let scanning: Promise<void> | undefined;
  let scanAgain = false;

  await restore();
  await rescan();
  watchFolder({
    root: folder,
    debounceMs: options.debounceMs ?? 200,
    pollMs: options.pollMs ?? 2000,
    onChange: () => void rescan(),
    signal: closing.signal,
  });

  async function restore(): Promise<void> {
    const content = await stateFile.read();
    if (content.outcome === 'SetAside') {
      const { reason, movedTo } = content;
      logger.warn('object state could not be read and was set aside', { reason, movedTo });
    }
    if (content.outcome !== 'Read') return;
    ({ resourceVersion } = content.state);
    for (const entry of content.state.entries) {
      const key = keyText(keyOf(entry.object));
      owners.set(key, entry.owners);
      table.put(entry.object);
      // The last good state from before the restart; the first scan confirms, changes or removes it.
      if (entry.file !== undefined) inForce.set(key, manifestOf(entry.object, entry.file));
    }
  }

  /** One scan at a time; requests during a scan are met by one more. */
  function rescan(): Promise<void> {
    if (scanning) {
      scanAgain = true;
      return scanning;
    }
    scanning = (async () => {
      do {
        scanAgain = false;
        await scan();
      } while (scanAgain);
    })().finally(() => {
      scanning = undefined;
    });
    return scanning;
  }

  async function scan(): Promise<void> {
    if (closing.signal.aborted) return;
    try {
      const outcome = await reader.read(inForce);
      if (outcome === undefined) return;
      takeOver(outcome.objects);
      setProblems(outcome.problems);
    } catch (error) {
      // A folder that cannot be read says nothing about the objects in it: all of them stay.
      const message = `${toPicketError(error, 'cannot be read').message}; everything stays in force as it was`;
      setProblems([{ severity: 'Error', reason: 'Unreadable', file: '', message, keptLastGood: inForce.size > 0 }]);
    }
  }

  function takeOver(objects: Map<string, ManifestObject>): void {
    const gone = [...inForce].filter(([key]) => !objects.has(key));
    inForce = objects;
    for (const [, manifest] of gone) remove(manifest.key);
    for (const [key, manifest] of objects) {
      const present = table.get(manifest.key);
      const next = storedFrom(manifest, present);
      if (present === undefined || !sameContent(present, next)) {
        commit(next, owners.get(key) ?? { main: {}, status: {} });
      }
    }
  }

  function storedFrom(manifest: ManifestObject, base: StoredObject | undefined): StoredObject {
    const specChanged = base === undefined || !sameJson(base.spec, manifest.spec);
    return {
      apiVersion: manifest.apiVersion,
      kind: manifest.key.kind,
      ...manifest.content,
      metadata: {
        ...newMeta(manifest.key, base?.metadata),
        generation: (base?.metadata.generation ?? 0) + (specChanged ? 1 : 0),
        labels: manifest.labels,
        annotations: { ...manifest.annotations, [MANIFEST_ANNOTATION]: manifest.file },
      },
      spec: manifest.spec,
      ...(base?.status === undefined ? {} : { status: base.status }),
    };
  }

  function newMeta(key: ObjectKey, base: ObjectMeta | undefined): ObjectMeta {
    return {
      name: key.name,
      namespace: key.namespace,
      uid: base?.uid ?? uidOf(key),
      generation: base?.generation ?? 1,
      resourceVersion: base?.resourceVersion ?? '0',
      creationTimestamp: base?.creationTimestamp ?? new Date(clock.now()).toISOString(),
    };
  }

  function commit(object: StoredObject, ownedBy: Owners): StoredObject {
    resourceVersion += 1;
    const committed = { ...object, metadata: { ...object.metadata, resourceVersion: String(resourceVersion) } };
    owners.set(keyText(keyOf(object)), ownedBy);
    table.put(committed);
    scheduleSave();
    return committed;
  }

  /** Removes the object and, as Kubernetes does, everything that names it as owner. */
  function remove(key: ObjectKey): void {
    const object = table.get(key);
    owners.delete(keyText(key));
    table.remove(key);
    scheduleSave();
    if (object === undefined) return;
    for (const dependent of table.all()) {
      const owned = dependent.metadata.ownerReferences?.some((owner) => owner.uid === object.metadata.uid);
      if (owned === true && !inForce.has(keyText(keyOf(dependent)))) remove(keyOf(dependent));
    }
  }

  function setProblems(next: Problem[]): void {
    if (sameJson(problems, next)) return;
    const known = new Set(problems.map(formatProblem));
    problems = next;
    for (const problem of next) {
      if (known.has(formatProblem(problem))) continue;
      const write = problem.severity === 'Error' ? logger.error : logger.warn;
      write('manifest problem', { problem: formatProblem(problem), reason: problem.reason });
    }
    for (const listener of listeners) listener(problems);
  }

  function scheduleSave(): void {
    if (closing.signal.aborted) return;
    saveTimer ??= setTimeout(() => {
      saveTimer = undefined;
      void save();
    }, options.saveDelayMs ?? 500);
  }

  function save(): Promise<void> {
    const entries = table
      .all()
      // Secrets have their place in the folder; a second copy would outlive it.
      .filter((object) => !coreKinds.includes(object.kind))
      .map((object): StoredEntry => {
        const key = keyText(keyOf(object));
        const file = inForce.get(key)?.file;
        return { object, ...(file === undefined ? {} : { file }), owners: owners.get(key) ?? { main: {}, status: {} } };
      });
    const state = { resourceVersion, entries };
    saving = saving
      .then(() => stateFile.write(state))
      .catch((error: unknown) => logger.error('object state could not be saved', { error }));
    return saving;
  }

  function present(key: ObjectKey): StoredObject {
    const object = table.get(key);
    if (object) return object;
    throw new PicketError('NotFound', `there is no ${key.kind} ${key.namespace}/${key.name}`);
  }

  function refuseManifest(key: ObjectKey, what: string): void {
    const manifest = inForce.get(keyText(key));
    if (manifest === undefined) return;
    throw new PicketError(
      'Conflict',
      `${key.kind} ${key.namespace}/${key.name} comes from ${manifest.file}; ${what} there`,
      {
        reason: 'OwnedByManifest',
      },
    );
  }

  function refuseInvalid(key: ObjectKey, errors: readonly SchemaError[]): void {
    if (errors.length === 0) return;
    const listed = errors.map((error) => `${error.path}: ${error.message}`).join('; ');
    throw new PicketError('InvalidObject', `${key.kind} ${key.namespace}/${key.name} is invalid: ${listed}`);
  }

  return {
    list: async <O extends StoredObject>(kind: string, namespace?: string, labels: Record<string, string> = {}) =>
      table
        .list(kind, namespace)
        .filter(({ metadata }) =>
          Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value),
        ) as O[],
    get: async <O extends StoredObject>(key: ObjectKey) => table.get(key) as O | undefined,
    async watch<O extends StoredObject>(kind: string, watcher: ObjectWatcher<O>, signal: AbortSignal) {
      table.watch(kind, watcher, AbortSignal.any([signal, closing.signal]));
    },
    async apply<O extends StoredObject>(object: ApplyObject, fieldManager: string) {
      const key: ObjectKey = { kind: object.kind, namespace: object.metadata.namespace, name: object.metadata.name };
      refuseManifest(key, 'change it');
      const base = table.get(key);
      const held = owners.get(keyText(key)) ?? { main: {}, status: {} };
      const { labels, ownerReferences } = object.metadata;
      const intent = {
        ...(labels && { labels }),
        ...(ownerReferences && { ownerReferences }),
        ...(object.spec === undefined ? {} : { spec: object.spec }),
      };
      const current = {
        labels: base?.metadata.labels ?? {},
        ownerReferences: base?.metadata.ownerReferences ?? [],
        spec: base?.spec ?? {},
      };
      const applied = applyFields(current, held.main, intent, fieldManager, (path) =>
        path.length === 1 && path[0] === 'ownerReferences' ? ['uid'] : schemas.listMapKeys(object.kind, path),
      );
      const { defaulted, errors } = schemas.validate(
        object.kind,
        {
          ...object,
          metadata: { ...object.metadata, labels: applied.value['labels'] },
          spec: applied.value['spec'] ?? {},
        },
        base,
      );
      refuseInvalid(key, errors);
      const spec = defaulted['spec'];
      const specChanged = base !== undefined && !sameJson(base.spec, spec);
      const next: StoredObject = {
        apiVersion: object.apiVersion,
        kind: object.kind,
        metadata: {
          ...newMeta(key, base?.metadata),
          generation: (base?.metadata.generation ?? 1) + (specChanged ? 1 : 0),
          labels: (applied.value['labels'] ?? {}) as Record<string, string>,
          ownerReferences: (applied.value['ownerReferences'] ?? []) as NonNullable<ObjectMeta['ownerReferences']>,
        },
        spec,
        ...(base?.status === undefined ? {} : { status: base.status }),
      };
      const nextOwners = { main: applied.owners, status: held.status };
      if (base && sameContent(base, next)) {
        owners.set(keyText(key), nextOwners);
        return base as O;
      }
      return commit(next, nextOwners) as O;
    },
    async applyStatus(key, status, fieldManager) {
      const object = present(key);
      const held = owners.get(keyText(key)) ?? { main: {}, status: {} };
      const applied = applyFields({ status: object.status ?? {} }, held.status, { status }, fieldManager, (path) =>
        schemas.listMapKeys(key.kind, path),
      );
      const nextOwners = { main: held.main, status: applied.owners };
      const next = { ...object, status: applied.value['status'] ?? {} };
      refuseInvalid(
        key,
        schemas.validate(key.kind, next, object).errors.filter((error) => error.path.startsWith('status')),
      );
      if (sameContent(object, next)) owners.set(keyText(key), nextOwners);
      else commit(next, nextOwners);
    },
    async delete(key) {
      refuseManifest(key, 'remove it');
      present(key);
      remove(key);
    },
    async record(event) {
      events.record(event);
    },
    async close() {
      closing.abort();
      clearTimeout(saveTimer);
      await scanning;
      await save();
    },
    problems: () => problems,
    onProblems(listener, signal) {
      listeners.add(listener);
      signal.addEventListener('abort', () => listeners.delete(listener), { once: true });
    },
    events: () => events.list(),
    rescan,
  };
}

function manifestOf(object: StoredObject, file: string): ManifestObject {
  const { [MANIFEST_ANNOTATION]: _, ...annotations } = object.metadata.annotations ?? {};
  return {
    key: keyOf(object),
    apiVersion: object.apiVersion,
    file,
    labels: object.metadata.labels ?? {},
    annotations,
    spec: object.spec,
    content: {},
  };
}

/** The same object keeps its UID over restarts and moves between files. */
function uidOf(key: ObjectKey): string {
  const hex = createHash('sha256')
    .update(`picket ${keyText(key)}`)
    .digest('hex');
  // Shaped as UUID version 8 (RFC 9562: own scheme), which is what readers of a UID expect.
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Equal but for resourceVersion. */
function sameContent(a: StoredObject, b: StoredObject): boolean {
  const bare = (object: StoredObject) => ({ ...object, metadata: { ...object.metadata, resourceVersion: '' } });
  return sameJson(bare(a), bare(b));
}

/** Objects in memory and the watchers who follow them. Objects are frozen, so that all readers can share them. */
import type { ObjectKey, ObjectWatcher, StoredObject } from './object-store.ts';

export interface ObjectTable {
  get(key: ObjectKey): StoredObject | undefined;
  list(kind: string, namespace?: string): StoredObject[];
  all(): StoredObject[];
  put(object: StoredObject): void;
  remove(key: ObjectKey): void;
  watch(kind: string, watcher: ObjectWatcher<StoredObject>, signal: AbortSignal): void;
}

/** `onWatcherError` hears of a watcher that throws; the others still get the change. */
export function createObjectTable(onWatcherError: (error: unknown) => void): ObjectTable {
  const objects = new Map<string, StoredObject>();
  const watchers = new Map<string, Set<ObjectWatcher<StoredObject>>>();

  function notify(kind: string, call: (watcher: ObjectWatcher<StoredObject>) => void): void {
    for (const watcher of [...(watchers.get(kind) ?? [])]) guard(() => call(watcher));
  }

  function guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      onWatcherError(error);
    }
  }

  function list(kind: string, namespace?: string): StoredObject[] {
    return [...objects.values()]
      .filter((object) => object.kind === kind && (namespace === undefined || object.metadata.namespace === namespace))
      .sort((a, b) => (keyText(keyOf(a)) < keyText(keyOf(b)) ? -1 : 1));
  }

  return {
    get: (key) => objects.get(keyText(key)),
    list,
    all: () => [...objects.values()],
    put(object) {
      const frozen = freeze(object);
      objects.set(keyText(keyOf(object)), frozen);
      notify(object.kind, (watcher) => watcher.onApplied(frozen));
    },
    remove(key) {
      const object = objects.get(keyText(key));
      if (object === undefined) return;
      objects.delete(keyText(key));
      notify(key.kind, (watcher) => watcher.onDeleted(object));
    },
    watch(kind, watcher, signal) {
      if (signal.aborted) return;
      const present = list(kind);
      const followers = watchers.get(kind) ?? new Set();
      watchers.set(kind, followers);
      for (const object of present) guard(() => watcher.onApplied(object));
      guard(() => watcher.onSynced());
      followers.add(watcher);
      signal.addEventListener('abort', () => followers.delete(watcher), { once: true });
    },
  };
}

export function keyOf(object: StoredObject): ObjectKey {
  return { kind: object.kind, namespace: object.metadata.namespace, name: object.metadata.name };
}

export function keyText(key: ObjectKey): string {
  return `${key.kind}/${key.namespace}/${key.name}`;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}

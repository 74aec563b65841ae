/**
 * Where objects live: a folder of YAML now, a Kubernetes API server next. Controllers and the analyzer's `publish/`
 * know only this interface.
 */

export interface ObjectMeta {
  name: string;
  namespace: string;
  uid: string;
  /** Rises with each change of `spec`. */
  generation: number;
  resourceVersion: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
}

export interface StoredObject<Spec = unknown, Status = unknown> {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: Spec;
  status?: Status;
}

export interface ObjectKey {
  kind: string;
  namespace: string;
  name: string;
}

/** As in Kubernetes: `type` and `reason` are CamelCase from closed lists. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  observedGeneration: number;
  lastTransitionTime: string;
}

export interface ObjectEvent {
  about: ObjectKey;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

export interface ObjectStore {
  /** @param labels that an object must carry */
  list<O extends StoredObject>(
    kind: string,
    namespace?: string,
    labels?: Readonly<Record<string, string>>,
  ): Promise<O[]>;
  get<O extends StoredObject>(key: ObjectKey): Promise<O | undefined>;
  /** Present objects first (as `onApplied`), then `onSynced`, then changes in order. Kinds may be absent from the store. */
  watch<O extends StoredObject>(kind: string, watcher: ObjectWatcher<O>, signal: AbortSignal): Promise<void>;
  /** Server-side apply of metadata and spec under one field manager; creates when absent. */
  apply<O extends StoredObject>(object: ApplyObject, fieldManager: string): Promise<O>;
  /** Server-side apply of a part of status; fields that this manager gave before and leaves out now are removed. */
  applyStatus(key: ObjectKey, status: Record<string, unknown>, fieldManager: string): Promise<void>;
  delete(key: ObjectKey): Promise<void>;
  /** Records something a person should know; repeats are folded by the store. */
  record(event: ObjectEvent): Promise<void>;
  close(): Promise<void>;
}

export interface ApplyObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; labels?: Record<string, string>; ownerReferences?: OwnerReference[] };
  spec?: unknown;
}

export interface ObjectWatcher<O extends StoredObject> {
  onApplied(object: O): void;
  onDeleted(object: O): void;
  onSynced(): void;
}

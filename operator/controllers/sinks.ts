/**
 * Where controllers write, while their replica may: all replicas decide the same, one of them says it. Asked at each
 * write, for the right may be lost in the middle of a reconcile.
 */
import type { Bucket } from '@picket/runtime/bus/bus.ts';
import type { ApplyObject, ObjectKey, ObjectStore } from '@picket/runtime/objects/object-store.ts';

/** Fields that other writers own stay theirs: everything here goes under this name. */
export const fieldManager = 'picket-operator';

export type StatusSink = Pick<ObjectStore, 'applyStatus' | 'record'>;

/** Objects of other control planes. */
export interface ObjectSink {
  apply(object: ApplyObject): Promise<void>;
  delete(key: ObjectKey): Promise<void>;
}

export type PolicySink = Pick<Bucket, 'put' | 'delete'>;

export function statusSink(objects: ObjectStore, mayWrite: () => boolean): StatusSink {
  return {
    applyStatus: async (...status) => (mayWrite() ? objects.applyStatus(...status) : undefined),
    record: async (event) => (mayWrite() ? objects.record(event) : undefined),
  };
}

export function objectSink(objects: ObjectStore, mayWrite: () => boolean): ObjectSink {
  return {
    async apply(object) {
      if (mayWrite()) await objects.apply(object, fieldManager);
    },
    delete: async (key) => (mayWrite() ? objects.delete(key) : undefined),
  };
}

export function policySink(bucket: Bucket, mayWrite: () => boolean): PolicySink {
  return {
    put: async (...entry) => (mayWrite() ? bucket.put(...entry) : undefined),
    delete: async (key) => (mayWrite() ? bucket.delete(key) : undefined),
  };
}

/**
 * Where controllers write, while their replica may: all replicas decide the same, one of them says it. Asked at each
 * write, for the right may be lost in the middle of a reconcile.
 */
import type { Bucket } from '@picket/runtime/bus/bus.ts';
import type { ObjectStore } from '@picket/runtime/objects/object-store.ts';

export type StatusSink = Pick<ObjectStore, 'applyStatus' | 'record'>;

export type PolicySink = Pick<Bucket, 'put' | 'delete'>;

export function statusSink(objects: ObjectStore, mayWrite: () => boolean): StatusSink {
  return {
    applyStatus: async (...status) => (mayWrite() ? objects.applyStatus(...status) : undefined),
    record: async (event) => (mayWrite() ? objects.record(event) : undefined),
  };
}

export function policySink(bucket: Bucket, mayWrite: () => boolean): PolicySink {
  return {
    put: async (...entry) => (mayWrite() ? bucket.put(...entry) : undefined),
    delete: async (key) => (mayWrite() ? bucket.delete(key) : undefined),
  };
}

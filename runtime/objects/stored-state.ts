/** What the store keeps across restarts: last good manifests, generations, status, and what Picket itself created. */
import type { FieldOwners } from './applied-fields.ts';
import { isObject } from './manifest.ts';
import type { StoredObject } from './object-store.ts';

export interface StoredEntry {
  object: StoredObject;
  /** Relative path of the manifest; undefined = Picket created it. */
  file?: string;
  owners: { main: FieldOwners; status: FieldOwners };
}

export interface StoredState {
  resourceVersion: number;
  entries: StoredEntry[];
}

/** @throws Error when the shape is not that of a state */
export function decodeStoredState(value: unknown): StoredState {
  if (!isObject(value) || typeof value['resourceVersion'] !== 'number' || !Array.isArray(value['entries'])) {
    throw new Error('resourceVersion or entries missing');
  }
  value['entries'].forEach((entry: unknown, i) => {
    if (!isEntry(entry)) throw new Error(`entry ${i} is no object`);
  });
  return value as unknown as StoredState;
}

function isEntry(entry: unknown): boolean {
  if (!isObject(entry) || !isObject(entry['object']) || !isObject(entry['owners'])) return false;
  const { kind, metadata } = entry['object'];
  return (
    typeof kind === 'string' &&
    isObject(metadata) &&
    typeof metadata['name'] === 'string' &&
    typeof metadata['namespace'] === 'string' &&
    typeof metadata['generation'] === 'number' &&
    isObject(entry['owners']['main']) &&
    isObject(entry['owners']['status'])
  );
}

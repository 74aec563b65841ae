/**
 * Server-side apply: several writers share one object, each owns the fields it applied last. Pure functions over JSON;
 * ownership is a list of leaf paths per field manager.
 */

/** Leaf paths by field manager; each path is JSON of segments, a keyed list item is named by its keys. */
export type FieldOwners = Record<string, string[]>;

/** Keys of a keyed list at a path of property names; undefined = the list is one value. */
export type ListKeys = (path: readonly string[]) => readonly string[] | undefined;

export interface Applied {
  value: Record<string, unknown>;
  owners: FieldOwners;
}

type Segment = string | Record<string, unknown>;

/**
 * Applies `intent` as the whole will of `manager`: sets its fields, removes those it gave before and leaves out now
 * unless another manager owns them too. Conflicts go to the latest writer, as with `force`.
 */
export function applyFields(
  current: Record<string, unknown>,
  owners: FieldOwners,
  intent: Record<string, unknown>,
  manager: string,
  listKeys: ListKeys,
): Applied {
  const leaves = new Map<string, unknown>();
  collectLeaves(intent, [], [], listKeys, leaves);
  const next: FieldOwners = {};
  for (const [other, paths] of Object.entries(owners)) {
    if (other !== manager) next[other] = paths.filter((path) => keepsOwnership(path, leaves, current));
  }
  const kept = new Set(Object.values(next).flat());
  const value = structuredClone(current);
  const removed = (owners[manager] ?? [])
    .filter((path) => !leaves.has(path) && !kept.has(path))
    .map((path) => JSON.parse(path) as Segment[]);
  // Keys of list items last: without them the other fields of the item could not be found.
  for (const path of removed.filter((candidate) => !isItemKey(candidate))) removeAt(value, path);
  for (const path of removed.filter(isItemKey)) removeAt(value, path);
  for (const [path, leaf] of leaves) setAt(value, JSON.parse(path) as Segment[], structuredClone(leaf));
  next[manager] = [...leaves.keys()];
  return { value, owners: Object.fromEntries(Object.entries(next).filter(([, paths]) => paths.length > 0)) };
}

/** A manager keeps a field that nobody else changes; same value = shared. */
function keepsOwnership(path: string, leaves: Map<string, unknown>, current: Record<string, unknown>): boolean {
  if (!leaves.has(path)) return true;
  return JSON.stringify(leaves.get(path)) === JSON.stringify(readAt(current, JSON.parse(path) as Segment[]));
}

function isItemKey(path: readonly Segment[]): boolean {
  const item = path.at(-2);
  const name = path.at(-1);
  return typeof item === 'object' && typeof name === 'string' && name in item;
}

function collectLeaves(
  value: unknown,
  path: Segment[],
  names: readonly string[],
  listKeys: ListKeys,
  into: Map<string, unknown>,
): void {
  if (value === undefined) return;
  const keys = Array.isArray(value) ? listKeys(names) : undefined;
  if (Array.isArray(value) && keys !== undefined && value.length > 0) {
    for (const item of value as Record<string, unknown>[]) {
      const selector = Object.fromEntries(keys.map((key) => [key, item[key]]));
      collectLeaves(item, [...path, selector], names, listKeys, into);
    }
    return;
  }
  if (isRecord(value) && Object.keys(value).length > 0) {
    for (const [name, inner] of Object.entries(value)) {
      collectLeaves(inner, [...path, name], [...names, name], listKeys, into);
    }
    return;
  }
  if (path.length > 0) into.set(JSON.stringify(path), value);
}

function readAt(root: unknown, path: readonly Segment[]): unknown {
  let node = root;
  for (const segment of path) node = child(node, segment);
  return node;
}

function child(node: unknown, segment: Segment): unknown {
  if (typeof segment === 'string') return isRecord(node) ? node[segment] : undefined;
  return Array.isArray(node) ? node.find((item) => matches(item, segment)) : undefined;
}

function matches(item: unknown, selector: Record<string, unknown>): boolean {
  return isRecord(item) && Object.entries(selector).every(([key, value]) => item[key] === value);
}

function setAt(root: Record<string, unknown>, path: readonly Segment[], leaf: unknown): void {
  let node: unknown = root;
  path.forEach((segment, i) => {
    const last = i === path.length - 1;
    if (typeof segment === 'string') {
      const record = node as Record<string, unknown>;
      const container = typeof path[i + 1] === 'string' ? {} : [];
      if (last) {
        // An empty container says that it may be there, not that what others put in it shall go.
        const present = record[segment];
        if (!(isEmptyContainer(leaf) && typeof present === 'object' && present !== null)) record[segment] = leaf;
      } else if (!sameContainer(record[segment], container)) {
        record[segment] = container;
      }
      node = record[segment];
    } else {
      const list = node as unknown[];
      let item = list.find((candidate) => matches(candidate, segment));
      if (item === undefined) {
        item = { ...segment };
        list.push(item);
      }
      node = item;
    }
  });
}

function removeAt(root: Record<string, unknown>, path: readonly Segment[]): void {
  const trail: unknown[] = [root];
  for (const segment of path.slice(0, -1)) trail.push(child(trail.at(-1), segment));
  for (let i = path.length - 1; i >= 0; i--) {
    const parent = trail[i];
    const segment = path[i];
    // What still holds something, a field of another manager for instance, stays.
    if (i < path.length - 1 && !isEmptyContainer(trail[i + 1])) return;
    if (typeof segment === 'string' && isRecord(parent)) delete parent[segment];
    else if (Array.isArray(parent)) parent.splice(parent.indexOf(trail[i + 1]), 1);
  }
}

function sameContainer(value: unknown, container: unknown): boolean {
  return Array.isArray(container) ? Array.isArray(value) : isRecord(value);
}

function isEmptyContainer(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import type { ObjectMeta } from '@picket/crds/gen/types.ts';

/** "<namespace>/<name>" */
export function nameOf(object: { metadata: Pick<ObjectMeta, 'namespace' | 'name'> }): string {
  return `${object.metadata.namespace}/${object.metadata.name}`;
}

/** Gateway API's rule for objects that want the same: the older one, then the first by name. */
export function olderFirst(a: { metadata: ObjectMeta }, b: { metadata: ObjectMeta }): number {
  const [ageA, ageB] = [Date.parse(a.metadata.creationTimestamp), Date.parse(b.metadata.creationTimestamp)];
  return ageA - ageB || (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0);
}

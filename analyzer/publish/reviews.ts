/** Judgements of people: `spec.review` of `RiskVerdict` objects, whoever wrote it there. */
import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import type { ObjectStore, StoredObject } from '@picket/runtime/objects/object-store.ts';
import type { Disposition } from '../analysis.ts';

/** Calls back for each review there is, and for each that is new or changed, until `signal` aborts. */
export async function watchReviews(
  objects: ObjectStore,
  on: { review(verdict: string, disposition: Disposition): void; gone(verdict: string): void },
  signal: AbortSignal,
): Promise<void> {
  const seen = new Map<string, string>();
  const key = (o: StoredObject): string => `${o.metadata.namespace}/${o.metadata.name}`;
  await objects.watch<StoredObject<RiskVerdict['spec'], RiskVerdict['status']>>(
    'RiskVerdict',
    {
      onApplied(object) {
        const { review } = object.spec;
        if (!review) return;
        const text = JSON.stringify(review);
        if (seen.get(key(object)) === text) return;
        seen.set(key(object), text);
        on.review(object.metadata.name, review.disposition);
      },
      onDeleted(object) {
        seen.delete(key(object));
        on.gone(object.metadata.name);
      },
      onSynced() {},
    },
    signal,
  );
}

/** Where risk commands read and write: a running `picket up`, or a cluster. */
import type { KindName, ObjectByKind, RiskVerdict, RiskVerdictSpec } from '@picket/crds/gen/types.ts';

export type Review = NonNullable<RiskVerdictSpec['review']>;

export interface RiskSource {
  /** The person asked for every namespace, so names alone say too little. */
  readonly allNamespaces: boolean;
  /** Objects in the namespaces that the command line asks for. */
  list<K extends KindName>(kind: K): Promise<ObjectByKind[K][]>;
  /** Who asks, where the source knows; stands in a review that names nobody. */
  whoAmI?(): Promise<string | undefined>;
  /** Resolves to the verdict with the review. */
  review(verdict: RiskVerdict, review: Review): Promise<RiskVerdict>;
}

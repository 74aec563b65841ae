/** Policies in force: what this replica's filters know, and what the bucket holds for the analyzer. */
import { fromBinary } from '@bufbuild/protobuf';
import { type CompiledPolicy, CompiledPolicySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { parseApiName, policyKey } from '@picket/proto/subjects.ts';
import type { Bucket } from '@picket/runtime/bus/bus.ts';

export interface Policies {
  /** In force, by "<namespace>/<name>" of their API. */
  inForce(): ReadonlyMap<string, CompiledPolicy>;
  /** What the bucket holds of an API; asked only while it may be another than what is in force here. */
  stored(api: string): Promise<CompiledPolicy | undefined>;
  /** The API has this policy now, undefined = none. Returns whether that is new. */
  set(api: string, policy: CompiledPolicy | undefined): boolean;
  /** Another replica may have written: the bucket is read again. */
  doubt(): void;
}

/** @param mayWrite whether this replica is the only one that writes the bucket */
export function createPolicies(bucket: Bucket, mayWrite: () => boolean): Policies {
  const inForce = new Map<string, CompiledPolicy>();
  /** APIs whose entry in the bucket is the policy in force, for we wrote or read it while nobody else writes. */
  const known = new Set<string>();

  return {
    inForce: () => inForce,
    async stored(api) {
      if (known.has(api)) return inForce.get(api);
      const bytes = await bucket.get(policyKey(parseApiName(api)));
      if (!bytes) return undefined;
      try {
        return fromBinary(CompiledPolicySchema, bytes);
      } catch {
        // Unreadable: compiled anew from the objects.
        return undefined;
      }
    },
    set(api, policy) {
      const isNew = inForce.get(api)?.revision !== policy?.revision || inForce.has(api) !== (policy !== undefined);
      if (policy) inForce.set(api, policy);
      else inForce.delete(api);
      if (policy && mayWrite()) known.add(api);
      else known.delete(api);
      return isNew;
    },
    doubt: () => known.clear(),
  };
}

/** Policies in force as the bus tells them: those there at the start, then each change. */
import { fromBinary } from '@bufbuild/protobuf';
import { type CompiledPolicy, CompiledPolicySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { parseApiName, policyKey } from '@picket/proto/subjects.ts';
import type { Bucket, Subscription } from '@picket/runtime/bus/bus.ts';

/**
 * Resolves when every policy that was there has been told.
 *
 * @param onPolicy `policy` is undefined when the API is no longer protected
 * @param onMalformed an entry that is no policy: what stood under its key before stays in force
 */
export async function watchPolicies(
  bucket: Bucket,
  onPolicy: (policy: CompiledPolicy | undefined, api: string) => void,
  onMalformed: (key: string, error: Error) => void,
): Promise<Subscription> {
  return new Promise((resolve, reject) => {
    const keys = new Map<string, string>();
    const watching: Promise<Subscription> = bucket.watch({
      onEntry(key, value) {
        let policy: CompiledPolicy | undefined;
        try {
          policy = value && fromBinary(CompiledPolicySchema, value);
          if (policy && policyKey(parseApiName(policy.api)) !== key) throw new Error(`it is of "${policy.api}"`);
        } catch (error) {
          onMalformed(key, error as Error);
          return;
        }
        const api = policy?.api ?? keys.get(key);
        if (api === undefined) return;
        if (policy) keys.set(key, api);
        else keys.delete(key);
        onPolicy(policy, api);
      },
      onSynced: () => void watching.then(resolve, reject),
    });
    watching.catch(reject);
  });
}

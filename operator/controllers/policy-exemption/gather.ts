import type { PolicyExemption } from '@picket/crds/gen/types.ts';
import type { ObjectCache } from '../object-cache.ts';

export interface PolicyExemptionFacts {
  exemption: PolicyExemption;
  /** Names in `spec.apis` that no API of the namespace has. */
  missingApis: string[];
}

export function gather(
  objects: ObjectCache,
  key: { namespace: string; name: string },
): PolicyExemptionFacts | undefined {
  const exemption = objects.get('PolicyExemption', key.namespace, key.name);
  if (!exemption) return undefined;
  const missingApis = (exemption.spec.apis ?? [])
    .map((ref) => ref.name)
    .filter((name) => !objects.get('ProtectedAPI', key.namespace, name));
  return { exemption, missingApis };
}

import { toBinary } from '@bufbuild/protobuf';
import { type CompiledPolicy, CompiledPolicySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { parseApiName, policyKey } from '@picket/proto/subjects.ts';
import type { PolicySink } from '../sinks.ts';
import { writeStatus, type StatusWriter } from '../status.ts';
import type { ProtectedApiPlan } from './decide.ts';
import type { ProtectedApiFacts } from './gather.ts';

export interface ProtectedApiSinks extends StatusWriter {
  policies: PolicySink;
  /** Tells the fleet's filters which policy an API has now. */
  program(api: string, policy: CompiledPolicy | undefined): void;
}

export async function apply(sinks: ProtectedApiSinks, facts: ProtectedApiFacts, plan: ProtectedApiPlan): Promise<void> {
  if (plan.policy) {
    await sinks.policies.put(policyKey(parseApiName(plan.policy.api)), toBinary(CompiledPolicySchema, plan.policy));
  }
  if (plan.withdrawn) await remove(sinks, facts.api.metadata);
  else if (plan.inForce) sinks.program(plan.inForce.api, plan.inForce);
  await writeStatus(sinks, facts.api, plan.status);
}

/** The object is gone: so is its policy, and with it every decision on it. */
export async function remove(sinks: ProtectedApiSinks, key: { namespace: string; name: string }): Promise<void> {
  await sinks.policies.delete(policyKey({ namespace: key.namespace, api: key.name }));
  sinks.program(`${key.namespace}/${key.name}`, undefined);
}

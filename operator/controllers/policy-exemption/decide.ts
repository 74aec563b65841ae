import type { PolicyExemptionStatus } from '@picket/crds/gen/types.ts';
import { parseCidr } from '../../envoy/render/cidr.ts';
import { buildConditions, type ConditionClaim, readyClaim } from '../conditions.ts';
import type { PolicyExemptionFacts } from './gather.ts';

export interface PolicyExemptionPlan {
  status: PolicyExemptionStatus;
  /** When to look again, Unix milliseconds: the end of the exemption. */
  againAt: number | undefined;
}

export function decide({ exemption, missingApis }: PolicyExemptionFacts, now: number): PolicyExemptionPlan {
  const { generation } = exemption.metadata;
  const expiresAt = Date.parse(exemption.spec.expiresAt);
  const expired = expiresAt <= now;
  const accepted = acceptance({ exemption, missingApis });
  const claims: ConditionClaim[] = [
    accepted,
    readyClaim([accepted], 'The exemption is valid'),
    {
      type: 'Expired',
      status: expired ? 'True' : 'False',
      reason: expired ? 'Expired' : 'InForce',
      message: expired
        ? `spec.expiresAt: the exemption ended at ${exemption.spec.expiresAt}; delete it or decide anew`
        : `In force until ${exemption.spec.expiresAt}`,
    },
  ];
  return {
    status: {
      observedGeneration: generation,
      conditions: buildConditions(claims, exemption.status?.conditions, generation, now),
    },
    againAt: expired ? undefined : expiresAt,
  };
}

function acceptance({ exemption, missingApis }: PolicyExemptionFacts): ConditionClaim {
  const wrong = exemption.spec.subjects.findIndex(({ cidr }) => cidr !== undefined && !parseCidr(cidr));
  if (wrong >= 0) {
    return {
      type: 'Accepted',
      status: 'False',
      reason: 'Invalid',
      message: `spec.subjects[${wrong}].cidr: not an address or prefix, for example 192.0.2.0/24`,
    };
  }
  if (missingApis.length > 0) {
    return {
      type: 'Accepted',
      status: 'False',
      reason: 'TargetNotFound',
      message: `spec.apis: no ProtectedAPI ${missingApis.join(', ')} in this namespace; create it or correct the name`,
    };
  }
  return { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'The exemption is valid' };
}

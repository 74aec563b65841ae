import type { PolicyExemption, ProtectedAPI } from '@picket/crds/gen/types.ts';
import { create } from '@bufbuild/protobuf';
import { type Exemption, ExemptionSchema, type ExemptSubject } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { kindOf } from './behavior.ts';
import { nameOf } from './precedence.ts';

/** Exemptions of an API, the expired ones included: the analyzer judges their end by event time. */
export function compileExemptions(api: ProtectedAPI, exemptions: readonly PolicyExemption[]): Exemption[] {
  return exemptions
    .filter(({ metadata, spec }) => {
      if (metadata.namespace !== api.metadata.namespace) return false;
      return spec.apis === undefined || spec.apis.some((ref) => ref.name === api.metadata.name);
    })
    .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
    .map((exemption) =>
      create(ExemptionSchema, {
        name: nameOf(exemption),
        expiresAtMs: BigInt(Date.parse(exemption.spec.expiresAt)),
        subjects: exemption.spec.subjects.map((subject): Omit<ExemptSubject, '$typeName'> => {
          if (subject.cidr !== undefined) return { subject: { case: 'cidr', value: subject.cidr } };
          if (subject.workload !== undefined) return { subject: { case: 'workload', value: subject.workload } };
          if (!subject.principal) return { subject: { case: undefined } };
          const { kind, value } = subject.principal;
          return {
            subject: {
              case: 'principal',
              value: { $typeName: 'picket.policy.v1.ExemptPrincipal', kind: kindOf(kind), value },
            },
          };
        }),
      }),
    );
}

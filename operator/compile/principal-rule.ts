import { create } from '@bufbuild/protobuf';
import type { PrincipalRule as RuleSpec } from '@picket/crds/gen/types.ts';
import { type PrincipalRule, PrincipalRuleSchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { kindOf } from './behavior.ts';

/** How one kind of principal is read from a request. */
export function compilePrincipalRule(rule: RuleSpec): PrincipalRule {
  const { value, prefix } = rule.enforceAs ?? {};
  return create(PrincipalRuleSchema, {
    kind: kindOf(rule.kind),
    from: sourceOf(rule.from),
    enforceAs: value
      ? { case: 'value', value: true }
      : prefix !== undefined
        ? { case: 'prefix', value: prefix }
        : { case: undefined },
  });
}

function sourceOf(from: RuleSpec['from']): PrincipalRule['from'] {
  if (from.header) return { case: 'header', value: from.header.name.toLowerCase() };
  if (from.cookie) return { case: 'cookie', value: from.cookie.name };
  if (from.jwtClaim) {
    const { header, claim } = from.jwtClaim;
    return {
      case: 'jwtClaim',
      value: { $typeName: 'picket.policy.v1.JwtClaim', header: header.toLowerCase(), claim },
    };
  }
  if (from.clientCertificate) return { case: 'clientCertificate', value: true };
  if (from.dynamicMetadata) {
    return {
      case: 'dynamicMetadata',
      value: { $typeName: 'picket.policy.v1.DynamicMetadata', ...from.dynamicMetadata },
    };
  }
  return { case: undefined };
}

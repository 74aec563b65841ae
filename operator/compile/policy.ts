import { createHash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import type { BehaviorPolicy, PolicyExemption, ProtectedAPI } from '@picket/crds/gen/types.ts';
import {
  type CompiledPolicy,
  CompiledPolicySchema,
  Criticality,
  type DeclaredOperation,
  type Flow,
  type Reputation,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { compileBehaviorPolicy, unattachedBehavior } from './behavior.ts';
import { normalizePrefix } from './claims.ts';
import { isBelow, parseContract } from './contract.ts';
import { compileExemptions } from './exemption.ts';
import { compileFlow } from './flow.ts';
import { nameOf } from './precedence.ts';
import { compilePrincipalRule } from './principal-rule.ts';
import type { ReferenceProblem } from './problem.ts';

/** A contract document, or why there is none. */
export type ContractText = { text: string; field: string } | { problem: ReferenceProblem } | undefined;

export interface PolicyInputs {
  api: ProtectedAPI;
  fleet: string;
  /** Hosts that the API may have after conflicts were settled. */
  hosts: readonly string[];
  contract: ContractText;
  /** The policy that applies. */
  behavior: BehaviorPolicy | undefined;
  exemptions: readonly PolicyExemption[];
  reputation: readonly Reputation[];
  /** What was compiled before: a contract that cannot be read now leaves its operations in place. */
  previous: CompiledPolicy | undefined;
}

const criticalities: Record<ProtectedAPI['spec']['criticality'], Criticality> = {
  Low: Criticality.LOW,
  Normal: Criticality.NORMAL,
  High: Criticality.HIGH,
  Crown: Criticality.CROWN,
};

/** ProtectedAPI and what belongs to it → CompiledPolicy, with everything a person should look at. */
export function compilePolicy(inputs: PolicyInputs): { policy: CompiledPolicy; problems: ReferenceProblem[] } {
  const { api } = inputs;
  const pathPrefix = normalizePrefix(api.spec.pathPrefix);
  const { operations, problems } = operationsOf(inputs, pathPrefix);
  const flows = (api.spec.flows ?? []).map(compileFlow);
  const policy = create(CompiledPolicySchema, {
    api: nameOf(api),
    apiUid: api.metadata.uid,
    fleet: inputs.fleet,
    hosts: [...inputs.hosts],
    pathPrefix,
    criticality: criticalities[api.spec.criticality],
    principals: (api.spec.identity?.principals ?? []).map(compilePrincipalRule),
    flows,
    objects: (api.spec.objects ?? []).map(({ match, variable, kind }) => ({
      method: match.method ?? '',
      path: match.path,
      variable,
      kind,
    })),
    dataClasses: api.spec.data?.classes ?? [],
    operations,
    behavior: inputs.behavior ? compileBehaviorPolicy(inputs.behavior) : unattachedBehavior(),
    exemptions: compileExemptions(api, inputs.exemptions),
    reputation: [...inputs.reputation],
  });
  problems.push(...templateProblems(api, pathPrefix, operations), ...fieldProblems(flows), ...matchKeyProblems(api));
  policy.revision = createHash('sha256').update(toBinary(CompiledPolicySchema, policy)).digest('hex').slice(0, 16);
  return { policy, problems };
}

function operationsOf(
  { contract, previous }: PolicyInputs,
  pathPrefix: string,
): { operations: DeclaredOperation[]; problems: ReferenceProblem[] } {
  if (!contract) return { operations: [], problems: [] };
  if ('problem' in contract) return { operations: previous?.operations ?? [], problems: [contract.problem] };
  const parsed = parseContract(contract.text, pathPrefix, contract.field);
  const keep = parsed.operations.length === 0 && parsed.problems.length > 0;
  return { operations: keep ? (previous?.operations ?? []) : parsed.operations, problems: [...parsed.problems] };
}

/** Flows and object rules whose path no request to the API can have. */
function templateProblems(
  api: ProtectedAPI,
  pathPrefix: string,
  operations: readonly DeclaredOperation[],
): ReferenceProblem[] {
  const problems: ReferenceProblem[] = [];
  const check = (field: string, method: string | undefined, path: string): void => {
    if (!isBelow(path, pathPrefix)) {
      problems.push({
        reason: 'TemplateMatchesNothing',
        message: `${field}: ${path} is not below spec.pathPrefix ${pathPrefix}; write the path with its prefix`,
      });
    } else if (operations.length > 0 && !operations.some((o) => covers(method, path, o))) {
      problems.push({
        reason: 'TemplateMatchesNothing',
        message: `${field}: the contract has no operation ${method ?? 'of any method'} ${path}; correct the path or the contract`,
      });
    }
  };
  (api.spec.flows ?? []).forEach(({ match }, i) => check(`spec.flows[${i}].match.path`, match.method, match.path));
  (api.spec.objects ?? []).forEach(({ match }, i) => check(`spec.objects[${i}].match.path`, match.method, match.path));
  return problems;
}

function covers(method: string | undefined, path: string, operation: DeclaredOperation): boolean {
  if (method !== undefined && method !== operation.method) return false;
  const rest = path.endsWith('/**');
  const wanted = (rest ? path.slice(0, -3) : path).split('/');
  const have = operation.template.split('/');
  if (rest ? have.length < wanted.length : have.length !== wanted.length) return false;
  return wanted.every((segment, i) => isVariable(segment) || isVariable(have[i] ?? '') || segment === have[i]);
}

function isVariable(segment: string): boolean {
  return segment.startsWith('{') && segment.endsWith('}');
}

/** Body fields that Envoy cannot read. */
function fieldProblems(flows: readonly Flow[]): ReferenceProblem[] {
  const problems: ReferenceProblem[] = [];
  flows.forEach((flow, i) => {
    const sources = { account: flow.account, 'fields.amount': flow.amount, 'fields.counterparty': flow.counterparty };
    for (const [field, source] of Object.entries(sources)) {
      if (source?.from.case !== 'requestField' || !/\/\d+(\/|$)/.test(source.from.value)) continue;
      problems.push({
        reason: 'FieldNotReadable',
        message: `spec.flows[${i}].${field}.requestField: Envoy does not look into arrays; name a field of an object`,
      });
    }
  });
  return problems;
}

/** Rules that ask for a match key which nothing verifies. */
function matchKeyProblems(api: ProtectedAPI): ReferenceProblem[] {
  const problems: ReferenceProblem[] = [];
  (api.spec.identity?.principals ?? []).forEach((rule, i) => {
    const unverified = rule.from.jwtClaim !== undefined || (rule.from.header !== undefined && rule.enforceAs?.value);
    if (!rule.enforceAs || !unverified) return;
    problems.push({
      reason: 'NoSafeMatchKey',
      message:
        `spec.identity.principals[${i}].enforceAs: nothing verified this ${rule.kind}, so it is watched and never matched; ` +
        'take it from dynamicMetadata of jwt_authn, from clientCertificate, or give a non-secret prefix of a header',
    });
  });
  return problems;
}

/** All that the hot path needs of one policy, compiled once per change. */
import { type CompiledPolicy, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { ApiOperations, OperationRegistry } from '../operations/registry.ts';
import { apiIdOf } from '../operations/template.ts';
import { type CompiledFlows, compileFlows } from './flows.ts';
import { createObjectFinder, type ObjectFinder } from './objects.ts';
import type { OutcomeLearner } from './outcome.ts';
import { compilePrincipalRules, type PrincipalExtractor } from './principals.ts';
import { type Pseudonymiser, ValueKind } from './pseudonym.ts';
import { compileStanding, type Standing } from './standing.ts';

export interface ApiContext {
  policy: CompiledPolicy;
  api: string;
  hosts: readonly string[];
  pathPrefix: string;
  lo: number;
  hi: number;
  operations: ApiOperations;
  flows: CompiledFlows;
  objects: ObjectFinder;
  standing: Standing;
  extractors: readonly PrincipalExtractor[];
  /** Sessions and tokens that come in cookies: a login's answer sets them. */
  issued: readonly PrincipalExtractor[];
}

export interface CompileWarnings {
  oversized(): void;
  invalidCidr(api: string, text: string): void;
}

/** @param learners outcome learners of the API, kept across changes. */
export function compileApiContext(
  policy: CompiledPolicy,
  registry: OperationRegistry,
  pseudonyms: Pseudonymiser,
  learners: Map<string, OutcomeLearner>,
  warnings: CompileWarnings,
): ApiContext {
  registry.setContract(policy.api, {
    declared: policy.operations.map((o) => ({
      method: o.method.toUpperCase(),
      template: o.template,
      deprecated: o.deprecated,
    })),
    named: policy.flows.map((flow) => ({ method: flow.method.toUpperCase(), template: flow.path })),
  });
  const id = apiIdOf(policy.api);
  const extractors = compilePrincipalRules(policy.principals, warnings.oversized);
  return {
    policy,
    api: policy.api,
    hosts: policy.hosts,
    pathPrefix: policy.pathPrefix,
    lo: id.lo,
    hi: id.hi,
    operations: registry.api(policy.api),
    flows: compileFlows(policy.flows, learners),
    objects: createObjectFinder(policy.objects, id, pseudonyms.key(ValueKind.Object)),
    standing: compileStanding(policy, pseudonyms, (text) => warnings.invalidCidr(policy.api, text)),
    extractors,
    issued: [PrincipalKind.SESSION, PrincipalKind.TOKEN].flatMap(
      (kind) => extractors.find((e) => e.kind === kind && e.cookie !== '') ?? [],
    ),
  };
}

/** The inferred policies as manifests that `picket up` and Kubernetes accept. */
import {
  type Flow,
  FlowType,
  type ObjectRule,
  PrincipalKind,
  type PrincipalRule,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Document } from 'yaml';
import type { InferredApi, LogInference } from './infer.ts';

export interface ManifestFile {
  /** For example `shop-example-com.yaml`. */
  name: string;
  content: string;
}

/** One file per API: a ProtectedAPI and a BehaviorPolicy in Observe. APIs that no sampled request belongs to are left out. */
export function starterManifests(inference: LogInference): ManifestFile[] {
  return inference.apis.filter((api) => api.requests > 0).map(manifestOf);
}

function manifestOf(api: InferredApi): ManifestFile {
  const { policy } = api;
  const [namespace = 'default', name = 'site'] = policy.api.split('/');
  const spec: Record<string, unknown> = { hosts: policy.hosts };
  if (policy.principals.length > 0) spec.identity = { principals: policy.principals.map(principalSpec) };
  if (policy.flows.length > 0) spec.flows = policy.flows.map(flowSpec);
  if (policy.objects.length > 0) spec.objects = policy.objects.map(objectSpec);
  const protectedApi = new Document({
    apiVersion: 'picket.dev/v1alpha1',
    kind: 'ProtectedAPI',
    metadata: { name, namespace },
    spec,
  });
  protectedApi.commentBefore = [
    ` Inferred from ${api.requests} ${api.requests === 1 ? 'request' : 'requests'} in an access log. Check it, then keep it in Git.`,
    ...api.notes.map((note) => ` - ${note}`),
  ].join('\n');
  const behaviorPolicy = new Document({
    apiVersion: 'picket.dev/v1alpha1',
    kind: 'BehaviorPolicy',
    metadata: { name, namespace },
    spec: { targetRefs: [{ kind: 'ProtectedAPI', name }], mode: 'Observe' },
  });
  behaviorPolicy.commentBefore = ' Scores and reports only. DryRun shows what would be done, Enforce does it.';
  return { name: `${name}.yaml`, content: `${protectedApi.toString()}---\n${behaviorPolicy.toString()}` };
}

const kindNames: Partial<Record<PrincipalKind, string>> = {
  [PrincipalKind.USER]: 'User',
  [PrincipalKind.APP]: 'App',
  [PrincipalKind.TOKEN]: 'Token',
  [PrincipalKind.SESSION]: 'Session',
  [PrincipalKind.DEVICE]: 'Device',
  [PrincipalKind.WORKLOAD]: 'Workload',
};

function principalSpec(rule: PrincipalRule): object {
  const { from, enforceAs } = rule;
  const source =
    from.case === 'header' || from.case === 'cookie'
      ? { [from.case]: { name: from.value } }
      : from.case === 'jwtClaim'
        ? { jwtClaim: { header: from.value.header, claim: from.value.claim } }
        : from.case === 'dynamicMetadata'
          ? { dynamicMetadata: { namespace: from.value.namespace, path: from.value.path } }
          : { clientCertificate: {} };
  return {
    kind: kindNames[rule.kind],
    from: source,
    ...(enforceAs.case === undefined ? {} : { enforceAs: { [enforceAs.case]: enforceAs.value } }),
  };
}

const flowTypeNames: Readonly<Record<FlowType, string>> = {
  [FlowType.UNSPECIFIED]: 'Search',
  [FlowType.LOGIN]: 'Login',
  [FlowType.SIGN_UP]: 'SignUp',
  [FlowType.LOGOUT]: 'Logout',
  [FlowType.PASSWORD_RESET]: 'PasswordReset',
  [FlowType.PAYMENT]: 'Payment',
  [FlowType.TRANSFER]: 'Transfer',
  [FlowType.CART]: 'Cart',
  [FlowType.CHECKOUT]: 'Checkout',
  [FlowType.COUPON]: 'Coupon',
  [FlowType.REVIEW]: 'Review',
  [FlowType.SEARCH]: 'Search',
  [FlowType.EXPORT]: 'Export',
  [FlowType.RECORD_ACCESS]: 'RecordAccess',
  [FlowType.ADMIN]: 'Admin',
};

function flowSpec(flow: Flow): object {
  const { account } = flow;
  const clauses = flow.success.map((clause) => {
    const tests = clause.all.flatMap(({ test }) => (test.case === 'status' ? [{ status: test.value.codes }] : []));
    return tests.length === 1 ? tests[0] : { all: tests };
  });
  return {
    name: flow.name,
    type: flowTypeNames[flow.type],
    match: { ...(flow.method === '' ? {} : { method: flow.method }), path: flow.path },
    ...(account?.from.case === undefined ? {} : { account: { [account.from.case]: account.from.value } }),
    ...(clauses.length === 0 ? {} : { success: { anyOf: clauses } }),
  };
}

function objectSpec(rule: ObjectRule): object {
  return {
    match: { ...(rule.method === '' ? {} : { method: rule.method }), path: rule.path },
    variable: rule.variable,
    kind: rule.kind,
  };
}

import type { BehaviorPolicy, PolicyExemption, ProtectedAPI } from '@picket/crds/gen/types.ts';
import type { CompiledPolicy, Reputation } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { StoredObject } from '@picket/runtime/objects/object-store.ts';
import { attachPolicies } from '../../compile/attachment.ts';
import type { Claims, LostClaim } from '../../compile/claims.ts';
import { findUngranted } from '../../compile/grants.ts';
import type { ContractText } from '../../compile/policy.ts';
import { nameOf } from '../../compile/precedence.ts';
import type { ReferenceProblem } from '../../compile/problem.ts';
import type { PolicyProgramming } from '../../envoy/fleet.ts';
import type { ObjectCache } from '../object-cache.ts';

export interface ProtectedApiFacts {
  api: ProtectedAPI;
  fleet: string;
  hosts: string[];
  lost: LostClaim[];
  /** Why no sensor grants the API its hosts; undefined = it may have them. */
  ungranted: string | undefined;
  targetProblems: ReferenceProblem[];
  contract: ContractText;
  behavior: BehaviorPolicy | undefined;
  exemptions: PolicyExemption[];
  reputation: Reputation[];
  /** What the policy bucket holds. */
  previous: CompiledPolicy | undefined;
  /** How far Envoys have what was compiled before. */
  programming: PolicyProgramming;
  enforcement: { active: number; programmedEnvoys: number; totalEnvoys: number };
}

export interface ProtectedApiSources {
  objects: ObjectCache;
  claims: Pick<Claims, 'settle'>;
  /** What the policy bucket holds of an API. */
  previous(api: string): Promise<CompiledPolicy | undefined>;
  fleet: string;
  /** Lists in force of a namespace. */
  reputation(namespace: string): Reputation[];
  programming(api: string): PolicyProgramming;
  enforcement(api: string): ProtectedApiFacts['enforcement'];
}

/** Everything that is known of an API; undefined when it is gone. */
export async function gather(
  sources: ProtectedApiSources,
  key: { namespace: string; name: string },
): Promise<ProtectedApiFacts | undefined> {
  const { objects } = sources;
  const api = objects.get('ProtectedAPI', key.namespace, key.name);
  if (!api) return undefined;
  const settled = sources.claims.settle(nameOf(api));
  const asked = resolveHosts(api, objects);
  return {
    api,
    fleet: sources.fleet,
    hosts: settled.hosts,
    lost: settled.lost,
    ungranted: findUngranted(api, asked.hosts, objects.list('TrafficSensor')),
    targetProblems: asked.problems,
    contract: readContract(api, objects),
    behavior: attachPolicies(api, objects.list('BehaviorPolicy')).winner?.policy,
    exemptions: objects.list('PolicyExemption'),
    reputation: sources.reputation(api.metadata.namespace),
    previous: await sources.previous(nameOf(api)),
    programming: sources.programming(nameOf(api)),
    enforcement: sources.enforcement(nameOf(api)),
  };
}

/** Hosts that an API claims: those it names, else those of the routes it points to. */
export function resolveHosts(
  api: ProtectedAPI,
  objects: ObjectCache,
): { hosts: string[]; problems: ReferenceProblem[] } {
  if (api.spec.hosts) return { hosts: api.spec.hosts.map((host) => host.toLowerCase()), problems: [] };
  const hosts = new Set<string>();
  const problems: ReferenceProblem[] = [];
  (api.spec.targetRefs ?? []).forEach((ref, i) => {
    const { namespace } = api.metadata;
    const target = objects.referenced({ kind: ref.kind, namespace, name: ref.name });
    const field = `spec.targetRefs[${i}]`;
    if (!target) {
      problems.push({
        reason: 'TargetNotFound',
        message: `${field}: no ${ref.kind} ${ref.name} in namespace ${namespace}; create it or name spec.hosts`,
      });
      return;
    }
    const found = hostsOfTarget(target, ref.sectionName);
    for (const host of found) hosts.add(host.toLowerCase());
    if (found.length === 0) {
      problems.push({
        reason: 'TargetHasNoHost',
        message: `${field}: ${ref.kind} ${ref.name} names no host; name spec.hosts`,
      });
    }
  });
  return { hosts: [...hosts], problems };
}

function hostsOfTarget(target: StoredObject, section: string | undefined): string[] {
  const { name, namespace } = target.metadata;
  if (target.kind === 'Service') {
    return [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`];
  }
  const spec = (target.spec ?? {}) as { hostnames?: string[]; listeners?: { name?: string; hostname?: string }[] };
  if (target.kind !== 'Gateway') return spec.hostnames ?? [];
  return (spec.listeners ?? [])
    .filter((listener) => section === undefined || listener.name === section)
    .flatMap((listener) => listener.hostname ?? []);
}

function readContract(api: ProtectedAPI, objects: ObjectCache): ContractText {
  const { contract } = api.spec;
  if (!contract) return undefined;
  if (contract.inline !== undefined) return { text: contract.inline, field: 'spec.contract' };
  if (!contract.configMapKeyRef) {
    return {
      problem: {
        reason: 'ContractNotFound',
        message: 'spec.contract.file: files can be read by "picket up" only; use configMapKeyRef',
      },
    };
  }
  const { name, key } = contract.configMapKeyRef;
  const field = 'spec.contract.configMapKeyRef';
  const { namespace } = api.metadata;
  const text = configMapText(objects.referenced({ kind: 'ConfigMap', namespace, name }), key);
  if (text.found) return { text: text.text, field };
  return {
    problem: {
      reason: 'ContractNotFound',
      message: text.exists
        ? `${field}.key: ConfigMap ${name} has no key ${key}; add it or correct the key`
        : `${field}.name: no ConfigMap ${name} in namespace ${namespace}; create it or correct the name`,
    },
  };
}

/** Text under a key of a ConfigMap. */
export function configMapText(
  object: StoredObject | undefined,
  key: string,
): { found: true; text: string } | { found: false; exists: boolean } {
  if (!object) return { found: false, exists: false };
  const { data } = object as StoredObject & { data?: Record<string, string> };
  const text = data?.[key];
  return text === undefined ? { found: false, exists: true } : { found: true, text };
}

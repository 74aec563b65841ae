/** Asks the API server for everything that the doctor wants to know. */
import type { Condition } from '@picket/crds/gen/types.ts';
import { kinds } from '@picket/crds/kinds/kinds.ts';
import { customResourceDefinition, schemaDigestAnnotation } from '@picket/crds/schema/document.ts';
import { API_VERSION, GROUP } from '@picket/crds/schema/kind.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import type { Cluster } from '../cluster.ts';
import type { ComponentHealth, CrdFact, Facts, ObjectFact, PodFact, Read, RightFact, WorkloadFact } from './facts.ts';

const healthWithinMs = 3_000;

/** @param namespace objects of this one only; left out, of all */
export async function gatherFacts(cluster: Cluster, namespace: string | undefined, now: number): Promise<Facts> {
  const { api, context, server } = cluster;
  // First alone: a server that does not answer ends everything with one error.
  const version = await read(async () => (await api.request<{ gitVersion: string }>('GET', '/version')).gitVersion);
  const [crds, rights, workloads, objects] = await Promise.all([
    read(() => readCrds(api)),
    read(() => readRights(api, namespace)),
    read(() => readWorkloads(api)),
    read(() => readObjects(api, namespace, now)),
  ]);
  return { context, server, version, crds, rights, workloads, objects, now };
}

/** What a person may not see is no failure of the doctor; a server that cannot be reached is. */
async function read<T>(ask: () => Promise<T>): Promise<Read<T>> {
  try {
    return { value: await ask() };
  } catch (error) {
    if (!(error instanceof PicketError) || error.code === 'Unavailable' || error.code === 'Timeout') throw error;
    return { refused: error.message };
  }
}

interface Crd {
  metadata: { annotations?: Record<string, string> };
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

async function readCrds(api: ApiServer): Promise<CrdFact[]> {
  return Promise.all(
    kinds.map(async (kind) => {
      const wanted = customResourceDefinition(kind).metadata;
      const fact = { kind: kind.kind, name: wanted.name, wanted: wanted.annotations[schemaDigestAnnotation] ?? '' };
      const crd = await api
        .request<Crd>('GET', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${wanted.name}`)
        .catch(unlessMissing);
      if (!crd) return fact;
      const conditions = crd.status?.conditions ?? [];
      const established = conditions.some(({ type, status }) => type === 'Established' && status === 'True');
      const digest = crd.metadata.annotations?.[schemaDigestAnnotation];
      const why = conditions.find(({ status }) => status === 'False')?.message;
      return { ...fact, present: { established, digest, why } };
    }),
  );
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof PicketError && error.code === 'NotFound') return undefined;
  throw error;
}

const purposes: Omit<RightFact, 'allowed'>[] = [
  { purpose: 'read APIs', verb: 'list', resource: 'protectedapis' },
  { purpose: 'read policies', verb: 'list', resource: 'behaviorpolicies' },
  { purpose: 'read verdicts', verb: 'list', resource: 'riskverdicts' },
  { purpose: 'review verdicts', verb: 'patch', resource: 'riskverdicts' },
  { purpose: 'change the mode of policies', verb: 'patch', resource: 'behaviorpolicies' },
  { purpose: 'make exemptions', verb: 'create', resource: 'policyexemptions' },
];

async function readRights(api: ApiServer, namespace: string | undefined): Promise<RightFact[]> {
  return Promise.all(
    purposes.map(async (purpose) => {
      const { verb, resource } = purpose;
      const review = await api.request<{ status: { allowed: boolean } }>(
        'POST',
        '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        {
          body: {
            apiVersion: 'authorization.k8s.io/v1',
            kind: 'SelfSubjectAccessReview',
            spec: { resourceAttributes: { group: GROUP, resource, verb, ...(namespace ? { namespace } : {}) } },
          },
        },
      );
      return { ...purpose, allowed: review.status.allowed };
    }),
  );
}

interface Workload {
  metadata: { name: string; namespace: string; labels?: Record<string, string> };
  spec: {
    replicas?: number;
    selector: { matchLabels?: Record<string, string> };
    template: { spec: { containers: { image: string }[] } };
  };
  status?: { readyReplicas?: number };
}

interface Pod {
  metadata: { name: string };
  status?: {
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    containerStatuses?: {
      restartCount: number;
      state?: { waiting?: Ended; terminated?: Ended };
      lastState?: { terminated?: Ended };
    }[];
  };
}

interface Ended {
  reason?: string;
  message?: string;
}

async function readWorkloads(api: ApiServer): Promise<WorkloadFact[]> {
  const labelSelector = 'app.kubernetes.io/part-of=picket';
  const lists = await Promise.all(
    ['deployments', 'statefulsets'].map((plural) =>
      api.request<{ items: Workload[] }>('GET', `/apis/apps/v1/${plural}`, { query: { labelSelector } }),
    ),
  );
  return Promise.all(lists.flatMap(({ items }) => items).map((workload) => readWorkload(api, workload)));
}

async function readWorkload(api: ApiServer, { metadata, spec, status }: Workload): Promise<WorkloadFact> {
  const { name, namespace, labels = {} } = metadata;
  const component = labels['app.kubernetes.io/component'] ?? name;
  const labelSelector = Object.entries(spec.selector.matchLabels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const pods = await api.request<{ items: Pod[] }>('GET', `/api/v1/namespaces/${namespace}/pods`, {
    query: { labelSelector },
  });
  const ready = status?.readyReplicas ?? 0;
  return {
    component,
    namespace,
    name,
    wanted: spec.replicas ?? 1,
    ready,
    image: spec.template.spec.containers[0]?.image ?? '',
    pods: pods.items.map(podFact),
    // NATS has a health port of its own kind, and says nothing about others.
    ...(component === 'nats' || pods.items.length === 0 ? {} : { health: await askHealth(api, namespace, name) }),
  };
}

function podFact({ metadata, status }: Pod): PodFact {
  const container = status?.containerStatuses?.[0];
  const condition = (type: string) => status?.conditions?.find((c) => c.type === type);
  const unscheduled = condition('PodScheduled')?.status === 'False' ? condition('PodScheduled') : undefined;
  const waiting = container?.state?.waiting ?? container?.state?.terminated;
  const ended = container?.lastState?.terminated;
  return {
    name: metadata.name,
    ready: condition('Ready')?.status === 'True',
    restarts: container?.restartCount ?? 0,
    // A crash loop says nothing; what ended says why.
    reason:
      unscheduled?.reason ??
      (waiting?.reason === 'CrashLoopBackOff' ? ended?.reason : undefined) ??
      waiting?.reason ??
      ended?.reason,
    message: unscheduled?.message ?? ended?.message ?? waiting?.message,
  };
}

/** Through the API server, so that nothing needs to be forwarded. A pod that does not answer is a finding, no end. */
async function askHealth(api: ApiServer, namespace: string, name: string): Promise<Read<ComponentHealth>> {
  const service = `${name}-health`;
  try {
    const path = `/api/v1/namespaces/${namespace}/services/http:${service}:http/proxy/status`;
    const signal = AbortSignal.timeout(healthWithinMs);
    return { value: await api.request<ComponentHealth>('GET', path, { signal }) };
  } catch (error) {
    const denied = error instanceof PicketError && error.code === 'PermissionDenied';
    return { refused: denied ? error.message : `nothing answers behind the Service ${namespace}/${service}` };
  }
}

interface StatusObject {
  metadata: { name: string; namespace: string; generation: number; creationTimestamp: string };
  spec: { expiresAt?: string };
  status?: {
    conditions?: Condition[];
    traffic?: { completeness?: number };
    enforcement?: { programmedEnvoys?: number; totalEnvoys?: number };
  };
}

async function readObjects(api: ApiServer, namespace: string | undefined, now: number): Promise<ObjectFact[]> {
  const root = namespace ? `/apis/${API_VERSION}/namespaces/${namespace}` : `/apis/${API_VERSION}`;
  // Verdicts come and go, and are no part of what a person set up.
  const lists = await Promise.all(
    kinds
      .filter(({ writer }) => writer === 'Person')
      .map(async ({ kind, plural }) => {
        const list = await api.request<{ items: StatusObject[] }>('GET', `${root}/${plural}`).catch(unlessMissing);
        return (list?.items ?? []).map((object) => objectFact(kind, object, now));
      }),
  );
  return lists.flat();
}

function objectFact(kind: string, { metadata, spec, status }: StatusObject, now: number): ObjectFact {
  const { programmedEnvoys, totalEnvoys } = status?.enforcement ?? {};
  return {
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
    generation: metadata.generation,
    ageMs: now - Date.parse(metadata.creationTimestamp),
    conditions: status?.conditions ?? [],
    ...(status?.traffic?.completeness === undefined ? {} : { completeness: status.traffic.completeness }),
    ...(totalEnvoys === undefined ? {} : { envoys: { programmed: programmedEnvoys ?? 0, total: totalEnvoys } }),
    ...(kind === 'PolicyExemption' && spec.expiresAt ? { endsAt: Date.parse(spec.expiresAt) } : {}),
  };
}

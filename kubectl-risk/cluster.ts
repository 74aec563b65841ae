/** A cluster as kubectl reaches it, and the objects of Picket in it. */
import { type Command, Option } from 'commander';
import type { KindName, ObjectByKind, RiskVerdict } from '@picket/crds/gen/types.ts';
import { kinds } from '@picket/crds/kinds/kinds.ts';
import { API_VERSION, GROUP } from '@picket/crds/schema/kind.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import { PicketError, toPicketError } from '@picket/runtime/errors.ts';
import type { Host } from '@picket/runtime/host.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { type ApiServer, connectApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { loadKubeConfig } from '@picket/runtime/objects/kubernetes/kube-config.ts';
import { openKubernetesStore } from '@picket/runtime/objects/kubernetes/kubernetes-store.ts';
import type { ApplyObject, ObjectStore, StoredObject } from '@picket/runtime/objects/object-store.ts';
import type { RiskSource } from './source.ts';

/** Owner of fields that the plugin sets. */
const fieldManager = 'kubectl-risk';

export interface ClusterFlags extends Record<string, unknown> {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  allNamespaces?: true;
}

export interface Cluster extends RiskSource {
  readonly api: ApiServer;
  readonly server: string;
  readonly context: string;
  /** The one that the command line or the context names. */
  readonly namespace: string;
  /** Sets some fields of an object, and makes it where it is not there. */
  apply<O extends StoredObject>(object: ApplyObject): Promise<O>;
  whoAmI(): Promise<string | undefined>;
  close(): Promise<void>;
}

export function clusterOptions(command: Command): Command {
  return command
    .option('-n, --namespace <name>', 'only this namespace; default: that of the context')
    .addOption(new Option('-A, --all-namespaces', 'every namespace').conflicts('namespace'))
    .option('--context <name>', 'context of the kubeconfig')
    .option('--kubeconfig <file>', 'default: KUBECONFIG, then ~/.kube/config');
}

/** @throws PicketError InvalidConfig when the kubeconfig is of no use */
export function openCluster(flags: ClusterFlags, host: Host, clock: Clock): Cluster {
  const config = loadKubeConfig({ kubeconfig: flags.kubeconfig, context: flags.context });
  const api = explained(
    connectApiServer({ config, userAgent: 'kubectl-risk/0.1.0', random: host.random }),
    config.getCurrentCluster()?.server ?? '',
    config.getCurrentContext(),
  );
  const objects: ObjectStore = openKubernetesStore({
    api,
    resources: Object.fromEntries(kinds.map(({ kind, plural }) => [kind, { apiVersion: API_VERSION, plural }])),
    namespaces: [],
    clock,
    log: silentLogger,
    random: host.random,
    reporter: { component: fieldManager, instance: 'plugin' },
  });
  const namespace = flags.namespace ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  return {
    api,
    server: config.getCurrentCluster()?.server ?? '',
    context: config.getCurrentContext(),
    namespace,
    allNamespaces: flags.allNamespaces === true,
    list: async <K extends KindName>(kind: K) => {
      const found = await objects.list(kind, flags.allNamespaces ? undefined : namespace);
      if (found.length === 0) await requireKind(api, kind);
      return found as unknown as ObjectByKind[K][];
    },
    review: async ({ apiVersion, kind, metadata: { name, namespace } }, review) =>
      (await objects.apply(
        { apiVersion, kind, metadata: { name, namespace }, spec: { review } },
        fieldManager,
      )) as unknown as RiskVerdict,
    apply: (object) => objects.apply(object, fieldManager),
    async whoAmI() {
      try {
        const review = await api.request<{ status?: { userInfo?: { username?: string } } }>(
          'POST',
          '/apis/authentication.k8s.io/v1/selfsubjectreviews',
          { body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' } },
        );
        return review.status?.userInfo?.username;
      } catch {
        return undefined;
      }
    },
    close: () => objects.close(),
  };
}

/** Contexts that the kubeconfig has. */
export function contextNames({ kubeconfig }: ClusterFlags): string[] {
  return loadKubeConfig({ kubeconfig, context: undefined })
    .getContexts()
    .map(({ name }) => name);
}

export async function namespaceNames({ api }: Cluster): Promise<string[]> {
  const { items } = await api.request<{ items: { metadata: { name: string } }[] }>('GET', '/api/v1/namespaces');
  return items.map(({ metadata }) => metadata.name);
}

/** No objects and no kind look the same to a list. */
async function requireKind(api: ApiServer, kind: KindName): Promise<void> {
  const served = await api
    .request<{ resources: { kind: string }[] }>('GET', `/apis/${API_VERSION}`)
    .catch((error: unknown) => {
      if (error instanceof PicketError && error.code === 'NotFound') return { resources: [] };
      throw error;
    });
  if (served.resources.some((resource) => resource.kind === kind)) return;
  throw new PicketError(
    'NotFound',
    `this cluster does not serve ${kind} of ${GROUP}: install the chart picket-crds, then see "kubectl risk doctor"`,
  );
}

/** A server that cannot be reached is named with its context: most often it is the wrong one. */
function explained(api: ApiServer, server: string, context: string): ApiServer {
  return {
    ...api,
    async request(method, path, options) {
      try {
        return await api.request(method, path, options);
      } catch (thrown) {
        const error = toPicketError(thrown, `${method} ${path}`);
        if (error.code !== 'Unavailable' && error.code !== 'Timeout') throw error;
        throw new PicketError(
          error.code,
          `the API server of context "${context}" at ${server} cannot be reached (${error.message}); name another with --context`,
          { cause: error },
        );
      }
    },
  };
}

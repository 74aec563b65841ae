/** A real Kubernetes control plane on free ports of loopback: etcd, kube-apiserver and, where asked, controllers. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, connectApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { loadKubeConfig } from '@picket/runtime/objects/kubernetes/kube-config.ts';
import { parse } from 'yaml';
import { freePorts } from './ports.ts';
import { type RunningProcess, startProcess, waitFor } from './processes.ts';
import { findTool, repositoryRoot, requireTool } from './tools.ts';

export interface Kubernetes {
  /** `https://ADDRESS:PORT` */
  readonly url: string;
  /** As the administrator. */
  readonly kubeconfig: string;
  /** As one of `users`. */
  kubeconfigOf(user: string): string;
  readonly folder: string;
  readonly apiServer: RunningProcess;
  readonly etcd: RunningProcess;
  /** Runs kube-apiserver again, on the same port and etcd, after it was stopped. */
  restartApiServer(): Promise<void>;
  stop(): Promise<void>;
}

export interface KubernetesOptions {
  /** Garbage collection, namespaces, service accounts: kube-controller-manager. */
  controllers?: boolean;
  /** Audit log of requests at level Metadata, in `audit.log` of the folder. */
  audit?: boolean;
  /** Further flags of kube-apiserver. */
  apiServerFlags?: readonly string[];
  /** Where the API server listens, for what cannot reach loopback; Services then have an endpoint for it. */
  address?: string;
  /** Addresses of Services. */
  serviceRange?: string;
  /** Further users, each with a kubeconfig: name and groups. */
  users?: Readonly<Record<string, readonly string[]>>;
}

/** What is missing to start one, or undefined. */
export function kubernetesMissing(options: KubernetesOptions = {}): string | undefined {
  const needed = [
    'etcd',
    'kube-apiserver',
    ...(options.controllers ? ['kube-controller-manager' as const] : []),
  ] as const;
  return needed.map((name) => findTool(name).missing).find((missing) => missing !== undefined);
}

/** Ready in 5 to 15 s, about 300 MB resident. */
export async function startKubernetes(options: KubernetesOptions = {}): Promise<Kubernetes> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-kubernetes-'));
  const [clientPort = 0, peerPort = 0, securePort = 0, controllerPort = 0] = await freePorts(4);
  const { address = '127.0.0.1', serviceRange = '10.99.0.0/24' } = options;
  const url = `https://${address}:${securePort}`;
  const users = Object.entries({ admin: ['system:masters'], ...options.users }).map(([name, groups]) => ({
    ...{ name, groups, token: randomBytes(16).toString('hex') },
  }));
  const kubeconfigOf = (user: string): string => join(folder, `${user.replaceAll(':', '-')}.kubeconfig`);
  const kubeconfig = kubeconfigOf('admin');
  const processes: RunningProcess[] = [];
  const start = (
    name: 'etcd' | 'kube-apiserver' | 'kube-controller-manager',
    args: readonly string[],
  ): RunningProcess => {
    const process = startProcess({ command: requireTool(name), args, logPath: join(folder, `${name}.log`) });
    processes.push(process);
    return process;
  };
  const stop = async (): Promise<void> => {
    // Clients before servers: none of them then waits for the other.
    for (const process of processes.toReversed()) await process.stop({ graceMs: 5_000, keepLog: true });
    rmSync(folder, { recursive: true, force: true });
  };

  try {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(join(folder, 'sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(join(folder, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    writeFileSync(
      join(folder, 'tokens.csv'),
      users.map(({ name, groups, token }) => `${token},${name},${name},"${groups.join(',')}"\n`).join(''),
      { mode: 0o600 },
    );
    writeFileSync(
      join(folder, 'audit-policy.yaml'),
      'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{ level: Metadata }]\n',
    );
    const client = `http://127.0.0.1:${clientPort}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    const etcd = start('etcd', [
      ...['--name=test', `--data-dir=${join(folder, 'etcd')}`, '--unsafe-no-fsync', '--log-level=warn'],
      ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=test=${peer}`],
    ]);
    await waitFor('etcd healthy', () => answers(`${client}/health`), { process: etcd });

    const startApiServer = (): RunningProcess =>
      start('kube-apiserver', [
        ...[`--etcd-servers=${client}`, `--bind-address=${address}`, `--secure-port=${securePort}`],
        ...[`--cert-dir=${join(folder, 'certificates')}`, `--service-cluster-ip-range=${serviceRange}`],
        ...['--service-account-issuer=https://picket.test', `--service-account-key-file=${join(folder, 'sa.pub')}`],
        ...[
          `--service-account-signing-key-file=${join(folder, 'sa.key')}`,
          `--token-auth-file=${join(folder, 'tokens.csv')}`,
        ],
        ...['--authorization-mode=Node,RBAC', '--allow-privileged=true'],
        // An endpoint on loopback is refused.
        ...(options.address === undefined ? ['--endpoint-reconciler-type=none'] : []),
        ...(options.audit
          ? [
              `--audit-policy-file=${join(folder, 'audit-policy.yaml')}`,
              `--audit-log-path=${join(folder, 'audit.log')}`,
            ]
          : []),
        ...(options.apiServerFlags ?? []),
      ]);
    let apiServer = startApiServer();
    const certificate = join(folder, 'certificates/apiserver.crt');
    await waitFor('API server certificate', () => exists(certificate), { process: apiServer });
    for (const { name, token } of users) {
      writeFileSync(kubeconfigOf(name), renderKubeconfig(url, readFileSync(certificate), token), { mode: 0o600 });
    }
    const ready = async (): Promise<void> => {
      const admin = adminApi(kubeconfig);
      await waitFor('API server ready', () => isReady(admin), { timeoutMs: 120_000, everyMs: 200, process: apiServer });
      admin.close();
    };
    await ready();
    if (options.controllers) {
      const manager = start('kube-controller-manager', [
        ...[
          `--kubeconfig=${kubeconfig}`,
          '--leader-elect=false',
          `--secure-port=${controllerPort}`,
          '--bind-address=127.0.0.1',
        ],
        ...[
          `--service-account-private-key-file=${join(folder, 'sa.key')}`,
          `--cert-dir=${join(folder, 'certificates')}`,
          `--root-ca-file=${certificate}`,
        ],
        // A kubelet that a busy machine keeps waiting is not gone, and its pods go on serving.
        ...['--concurrent-gc-syncs=5', '--node-monitor-grace-period=10m'],
      ]);
      await waitFor('controllers', () => (manager.output().includes('garbage-collector') ? true : undefined), {
        process: manager,
      });
    }
    return {
      url,
      kubeconfig,
      kubeconfigOf,
      folder,
      etcd,
      get apiServer() {
        return apiServer;
      },
      async restartApiServer() {
        processes.splice(processes.indexOf(apiServer), 1);
        apiServer = startApiServer();
        await ready();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The API as the administrator of a kubeconfig. */
export function adminApi(kubeconfig: string): ApiServer {
  return connectApiServer({ config: loadKubeConfig({ kubeconfig }), userAgent: 'picket-test', random: () => 0.5 });
}

/** Writes a kubeconfig with a token of a ServiceAccount, and nobody else's rights. */
export async function accountKubeconfig(
  kubernetes: Kubernetes,
  { namespace, name }: { namespace: string; name: string },
  path: string,
): Promise<string> {
  const api = adminApi(kubernetes.kubeconfig);
  const { status } = await api.request<{ status: { token: string } }>(
    'POST',
    `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    { body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} } },
  );
  api.close();
  const { clusters } = parse(readFileSync(kubernetes.kubeconfig, 'utf8')) as {
    clusters: { cluster: { 'certificate-authority-data': string } }[];
  };
  const certificate = Buffer.from(clusters[0]?.cluster['certificate-authority-data'] ?? '', 'base64');
  writeFileSync(path, renderKubeconfig(kubernetes.url, certificate, status.token), { mode: 0o600 });
  return path;
}

export function renderKubeconfig(url: string, certificate: Buffer, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'test', cluster: { server: url, 'certificate-authority-data': certificate.toString('base64') } },
    ],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
    'current-context': 'test',
  });
}

async function answers(url: string): Promise<true | undefined> {
  try {
    return (await fetch(url)).ok || undefined;
  } catch {
    return undefined;
  }
}

async function isReady(api: ApiServer): Promise<true | undefined> {
  try {
    // Set last of all that a first client needs.
    await api.request('GET', '/api/v1/namespaces/default', { signal: AbortSignal.timeout(2_000) });
    return true;
  } catch {
    return undefined;
  }
}

function exists(path: string): true | undefined {
  try {
    return readFileSync(path).length > 0 || undefined;
  } catch {
    return undefined;
  }
}

/** Applies the definitions of `picket.dev` and waits until the API server serves them. */
export async function installDefinitions(kubeconfig: string): Promise<void> {
  const api = adminApi(kubeconfig);
  const folder = join(repositoryRoot, 'crds/gen');
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  await applyDefinitions(
    api,
    files.map((file) => parse(readFileSync(join(folder, file), 'utf8')) as Definition),
  );
  api.close();
}

/** A CustomResourceDefinition. */
export interface Definition {
  kind: string;
  metadata: { name: string };
  spec: { group: string; names: { kind: string; plural: string } };
}

/** Applies definitions and waits until the API server serves them. */
export async function applyDefinitions(api: ApiServer, bodies: readonly Definition[]): Promise<void> {
  for (const body of bodies) {
    await api.request('PATCH', `${definitions}/${body.metadata.name}`, {
      query: { fieldManager: 'picket-test', force: true },
      contentType: 'application/apply-patch+yaml',
      body,
    });
  }
  await waitFor('definitions served', async () => {
    for (const { metadata } of bodies) {
      const { status } = await api.request<{ status?: { conditions?: { type: string; status: string }[] } }>(
        'GET',
        `${definitions}/${metadata.name}`,
      );
      if (!status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True'))
        return undefined;
    }
    return true;
  });
}

/** Makes a namespace, unless it is there. */
export async function createNamespace(api: ApiServer, name: string): Promise<void> {
  await api.request('PATCH', `/api/v1/namespaces/${name}`, {
    query: { fieldManager: 'picket-test' },
    contentType: 'application/apply-patch+yaml',
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
  });
}

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

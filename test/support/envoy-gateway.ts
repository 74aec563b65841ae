/** Envoy Gateway's own control plane against a real API server, and the real Envoy with the bootstrap that it made. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { runToEnd } from './commands.ts';
import { type Envoy, startEnvoy } from './envoy.ts';
import { createNamespace } from './kubernetes.ts';
import { type RunningProcess, startProcess, waitFor } from './processes.ts';
import { findTool, requireTool } from './tools.ts';

const namespace = 'envoy-gateway-system';
/** Ports that it takes and cannot be told others. */
const ports = [8081, 9443, 18000, 18001, 18002, 19001];

/** Why it cannot run here, or undefined. It reads its certificate from a folder in the root of the file system. */
export async function envoyGatewayMissing(): Promise<string | undefined> {
  const { missing } = findTool('envoy-gateway');
  if (missing !== undefined) return missing;
  if (process.getuid?.() !== 0)
    return 'Envoy Gateway takes /certs: its test gives it a root of its own, which takes root';
  for (const port of ports) if (!(await isFree(port))) return `Envoy Gateway needs port ${port}, which is taken`;
  return undefined;
}

export interface EnvoyGateway {
  readonly process: RunningProcess;
  /** The proxy of a Gateway, started here with what its Deployment would run. */
  startProxy(gateway: { namespace: string; name: string }): Promise<Envoy>;
  stop(): Promise<void>;
}

interface Secret {
  data: Record<string, string>;
}

interface Deployment {
  metadata: { name: string };
  spec: { template: { spec: { containers: { name: string; args?: string[] }[] } } };
}

export async function startEnvoyGateway(options: {
  api: ApiServer;
  kubeconfig: string;
  /** `extensionApis.enableEnvoyPatchPolicy` */
  patchPolicies: boolean;
}): Promise<EnvoyGateway> {
  const { api, kubeconfig } = options;
  const root = mkdtempSync(join(tmpdir(), 'picket-envoy-gateway-'));
  await createNamespace(api, namespace);
  const certgen = await runToEnd(requireTool('envoy-gateway'), ['certgen', '--disable-topology-injector'], {
    env: { KUBECONFIG: kubeconfig, ENVOY_GATEWAY_NAMESPACE: namespace, HOME: root },
  });
  if (certgen.code !== 0) throw new Error(`envoy-gateway certgen: ${certgen.err}${certgen.out}`);
  const writeSecret = async (name: string, folder: string): Promise<void> => {
    const { data } = await api.request<Secret>('GET', `/api/v1/namespaces/${namespace}/secrets/${name}`);
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of Object.entries(data)) {
      writeFileSync(join(folder, file), Buffer.from(text, 'base64'), { mode: 0o600 });
    }
  };
  await writeSecret('envoy-gateway', join(root, 'certs'));
  await writeSecret('envoy', join(root, 'envoy'));
  mkdirSync(join(root, 'tmp'));
  copyFileSync(requireTool('envoy-gateway'), join(root, 'envoy-gateway'));
  chmodSync(join(root, 'envoy-gateway'), 0o755);
  copyFileSync(kubeconfig, join(root, 'kubeconfig'));
  writeFileSync(
    join(root, 'config.yaml'),
    JSON.stringify({
      apiVersion: 'gateway.envoyproxy.io/v1alpha1',
      kind: 'EnvoyGateway',
      gateway: { controllerName: 'gateway.envoyproxy.io/gatewayclass-controller' },
      provider: {
        type: 'Kubernetes',
        kubernetes: { leaderElection: { disable: true }, proxyTopologyInjector: { disabled: true } },
      },
      admin: { address: { host: '127.0.0.1', port: 19000 } },
      logging: { level: { default: 'info' } },
      extensionApis: { enableEnvoyPatchPolicy: options.patchPolicies },
    }),
  );
  const process = startProcess({
    command: '/usr/sbin/chroot',
    args: [root, '/envoy-gateway', 'server', '--config-path', '/config.yaml'],
    env: { KUBECONFIG: '/kubeconfig', ENVOY_GATEWAY_NAMESPACE: namespace, HOME: '/', PATH: '/' },
    logPath: join(root, 'envoy-gateway.log'),
  });

  return {
    process,
    async startProxy(gateway) {
      const owned = `gateway.envoyproxy.io/owning-gateway-name=${gateway.name},gateway.envoyproxy.io/owning-gateway-namespace=${gateway.namespace}`;
      const found = await waitFor(
        'Deployment of the proxy',
        async () => {
          const { items } = await api.request<{ items: Deployment[] }>(
            'GET',
            `/apis/apps/v1/namespaces/${namespace}/deployments`,
            { query: { labelSelector: owned } },
          );
          return items[0];
        },
        { everyMs: 200, process },
      );
      const container = found.spec.template.spec.containers.find(({ name }) => name === 'envoy');
      const text = argumentOf(container?.args ?? [], '--config-yaml');
      const sds = await api.request<{ data: Record<string, string> }>(
        'GET',
        `/api/v1/namespaces/${namespace}/configmaps/${found.metadata.name}`,
      );
      for (const [file, content] of Object.entries(sds.data)) {
        writeFileSync(join(root, file), content.replaceAll('/certs/', `${root}/envoy/`));
      }
      return startEnvoy({
        // Only where things lie differs from what a pod is given.
        bootstrap: text
          .replaceAll(/envoy-gateway\.envoy-gateway-system\.svc\.[a-z.]+/g, '127.0.0.1')
          .replaceAll('/sds/', `${root}/`)
          .replaceAll(/port_value: 1900[01]\b/g, 'port_value: 0'),
        nodeId: `${found.metadata.name}-0`,
        cluster: `${gateway.namespace}/${gateway.name}`,
        readyTimeoutMs: 120_000,
      });
    },
    async stop() {
      await process.stop({ graceMs: 10_000 });
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function argumentOf(args: readonly string[], name: string): string {
  const at = args.indexOf(name);
  const text = at >= 0 ? args[at + 1] : args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);
  if (text === undefined) throw new Error(`the proxy is started without ${name}`);
  return text;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

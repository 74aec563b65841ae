/**
 * A whole Kubernetes with one real node: the control plane of `kubernetes.ts`, a scheduler, and in namespaces of their own
 * containerd, kubelet, kube-proxy and DNS. Needs root, the built tools and a few Debian packages.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runToEnd } from '../commands.ts';
import { exportImage, imagesMissing, programImage } from '../images.ts';
import { adminApi, type Kubernetes, kubernetesMissing, startKubernetes } from '../kubernetes.ts';
import { createPki, missingOpenssl } from '../pki.ts';
import { freePort } from '../ports.ts';
import { type RunningProcess, startProcess, waitFor } from '../processes.ts';
import { findProgram, findTool, requireTool, type ToolName } from '../tools.ts';
import { createCgroups } from './cgroups.ts';
import { containerdConfig, corefile, kubeletConfig, networkPlugins, podNetwork, proxyConfig } from './config.ts';
import { claimNetwork, type NodeNetwork } from './network.ts';
import { startSandbox } from './sandbox.ts';
import { addVolumes } from './volumes.ts';

export interface ClusterNode {
  readonly kubernetes: Kubernetes;
  /** As the administrator. */
  readonly kubeconfig: string;
  readonly network: NodeNetwork;
  /** Logs and data of what runs on the node. */
  readonly folder: string;
  /** Socket of containerd, for `ctr`. */
  readonly socket: string;
  /** Makes images of buildah's storage known to the node, under their names. */
  load(images: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export interface NodeOptions {
  /** Told what is being started, for who waits. */
  onProgress?: (line: string) => void;
  /** Ends it before it is up; what was started is stopped. */
  signal?: AbortSignal;
  /** Audit log of requests, in `audit.log` of the control plane's folder. */
  audit?: boolean;
}

const name = 'picket';

/** Packages of Debian by a program of theirs. */
const debianPackages = {
  containerd: 'containerd',
  runc: 'runc',
  nft: 'nftables',
  ip: 'iproute2',
  [join(networkPlugins, 'ptp')]: 'containernetworking-plugins',
};

/** What is missing to run a node, or undefined. */
export function nodeMissing(): string | undefined {
  if (process.platform !== 'linux') return 'a node needs Linux';
  if (process.getuid?.() !== 0) return 'a node runs as root only';
  const absent = Object.entries(debianPackages).filter(([program]) => findProgram(program) === undefined);
  if (absent.length > 0) return `not installed: ${absent.map(([, name]) => name).join(', ')}; run make tools-node`;
  const tools: readonly ToolName[] = ['kube-scheduler', 'kubelet', 'kube-proxy', 'cluster-dns', 'pause'];
  return (
    kubernetesMissing({ controllers: true }) ??
    tools.map((tool) => findTool(tool).missing).find((missing) => missing !== undefined) ??
    imagesMissing() ??
    missingOpenssl
  );
}

/** Ready in 20 to 40 s, about 0.7 GB resident. */
export async function startNode(options: NodeOptions = {}): Promise<ClusterNode> {
  const say = options.onProgress ?? (() => undefined);
  const folder = mkdtempSync(join(tmpdir(), 'picket-node-'));
  const file = (path: string): string => join(folder, path);
  const { signal } = options;
  const undo: (() => Promise<unknown>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    say('starting etcd, API server, controllers and scheduler');
    const sandbox = await startSandbox(folder);
    undo.push(() => sandbox.stop());
    const network = await claimNetwork(sandbox.pid);
    const cgroups = createCgroups(network.name);
    undo.push(
      () => network.release(),
      () => cgroups.remove(),
    );
    const pki = createPki(folder);
    const { certificate, key } = pki.issue('api-server', 'DNS:api-server');
    const kubernetes = await startKubernetes({
      ...{ controllers: true, address: network.hostAddress, serviceRange: network.serviceRange },
      audit: options.audit ?? false,
      users: {
        'system:kube-scheduler': [],
        'system:kube-proxy': [],
        [`system:node:${name}`]: ['system:nodes'],
      },
      apiServerFlags: [
        ...[`--kubelet-client-certificate=${certificate}`, `--kubelet-client-key=${key}`],
        '--kubelet-preferred-address-types=InternalIP',
      ],
    });
    undo.push(() => kubernetes.stop());
    signal?.throwIfAborted();
    const scheduler = await startScheduler(kubernetes, folder);
    undo.push(
      () => scheduler.stop({ graceMs: 1_000, keepLog: true }),
      // The first to end: everything on the node with it.
      () => sandbox.stop(),
    );

    say('starting containerd, kubelet, kube-proxy and DNS');
    const socket = file('containerd.sock');
    mkdirSync(file('cni'));
    writeFileSync(file('cni/10-picket.conflist'), JSON.stringify(podNetwork(network)));
    const pause = await programImage('pause');
    writeFileSync(file('containerd.toml'), containerdConfig(folder, socket, pause));
    const containerd = sandbox.start('containerd', 'containerd', ['--config', file('containerd.toml')]);
    await waitFor('containerd', () => containerd.output().includes('successfully booted') || undefined, {
      process: containerd,
    });
    const load = async (images: readonly string[]): Promise<void> => {
      for (const image of images) {
        signal?.throwIfAborted();
        await importImage(socket, image, file('image.tar'));
      }
    };
    await load([pause]);
    const api = adminApi(kubernetes.kubeconfig);
    await addVolumes(api, folder, name);

    writeFileSync(file('resolv.conf'), '');
    const files = { folder, socket, clientAuthority: pki.ca, cgroupRoot: cgroups.root };
    writeFileSync(file('kubelet.json'), JSON.stringify(kubeletConfig(network, files)));
    const kubelet = sandbox.start('kubelet', requireTool('kubelet'), [
      ...[`--config=${file('kubelet.json')}`, `--kubeconfig=${kubernetes.kubeconfigOf(`system:node:${name}`)}`],
      ...[`--hostname-override=${name}`, `--node-ip=${network.nodeAddress}`],
      ...[`--root-dir=${file('kubelet')}`, `--cert-dir=${file('kubelet-certificates')}`],
    ]);
    writeFileSync(file('proxy.json'), JSON.stringify(proxyConfig(network, kubernetes)));
    const proxy = sandbox.start('kube-proxy', requireTool('kube-proxy'), [
      ...[`--config=${file('proxy.json')}`, `--hostname-override=${name}`],
    ]);
    writeFileSync(file('Corefile'), corefile(network, kubernetes));
    const dns = sandbox.start('cluster-dns', requireTool('cluster-dns'), ['-conf', file('Corefile')]);
    await waitFor(
      'node ready',
      async () => {
        const node = await api.request<Node>('GET', `/api/v1/nodes/${name}`).catch(() => undefined);
        return node?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') || undefined;
      },
      { timeoutMs: 300_000, everyMs: 300, process: kubelet, ...(signal ? { signal } : {}) },
    );
    api.close();
    await waitFor('kube-proxy', () => answers(`http://${network.nodeAddress}:10256/livez`), { process: proxy });
    await waitFor('DNS', () => answers(`http://${network.nodeAddress}:8181/ready`), { process: dns });
    return { kubernetes, kubeconfig: kubernetes.kubeconfig, network, folder, socket, load, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Node {
  status?: { conditions?: { type: string; status: string }[] };
}

async function startScheduler(kubernetes: Kubernetes, folder: string): Promise<RunningProcess> {
  const kubeconfig = kubernetes.kubeconfigOf('system:kube-scheduler');
  return startProcess({
    command: requireTool('kube-scheduler'),
    args: [
      ...[`--kubeconfig=${kubeconfig}`, `--authentication-kubeconfig=${kubeconfig}`],
      ...[`--authorization-kubeconfig=${kubeconfig}`, '--leader-elect=false', '--bind-address=127.0.0.1'],
      ...[`--secure-port=${await freePort()}`, `--cert-dir=${join(folder, 'scheduler')}`],
    ],
    logPath: join(folder, 'scheduler.log'),
  });
}

async function importImage(socket: string, image: string, archive: string): Promise<void> {
  await exportImage(image, archive);
  const { code, out, err } = await runToEnd('ctr', [
    ...['--address', socket, '--namespace', 'k8s.io', 'images', 'import', archive],
  ]);
  rmSync(archive);
  if (code !== 0) throw new Error(`${image} was not imported: ${err || out}`);
}

async function answers(url: string): Promise<true | undefined> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok || undefined;
  } catch {
    return undefined;
  }
}

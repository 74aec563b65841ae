/** Configuration of what runs on a node. */
import { join } from 'node:path';
import type { Kubernetes } from '../kubernetes.ts';
import type { NodeNetwork } from './network.ts';

/** Where Debian puts the plugins. */
export const networkPlugins = '/usr/lib/cni';

export function containerdConfig(folder: string, socket: string, pauseImage: string): string {
  const file = (name: string): string => JSON.stringify(join(folder, name));
  return `version = 2
root = ${file('containerd')}
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]

[grpc]
address = ${JSON.stringify(socket)}

[plugins."io.containerd.internal.v1.opt"]
path = ${file('opt')}

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
# Who runs it may not be allowed to lower a score.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${networkPlugins}"
conf_dir = ${file('cni')}

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
`;
}

/** Every pod has an interface and a route of its own: no bridge, so no bridge filter to turn on for Services. */
export function podNetwork(network: NodeNetwork): object {
  const ranges = [[{ subnet: network.podRange }]];
  return {
    cniVersion: '0.4.0',
    name: 'picket',
    plugins: [{ type: 'ptp', ipMasq: false, ipam: { type: 'host-local', ranges, routes: [{ dst: '0.0.0.0/0' }] } }],
  };
}

export interface KubeletFiles {
  folder: string;
  socket: string;
  /** Authority of those who may use the kubelet. */
  clientAuthority: string;
  cgroupRoot: string;
}

export function kubeletConfig(network: NodeNetwork, files: KubeletFiles): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: network.nodeAddress,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: files.clientAuthority },
    },
    authorization: { mode: 'AlwaysAllow' },
    containerRuntimeEndpoint: `unix://${files.socket}`,
    clusterDomain: 'cluster.local',
    clusterDNS: [network.nodeAddress],
    resolvConf: join(files.folder, 'resolv.conf'),
    podLogsDir: join(files.folder, 'pods'),
    volumePluginDir: join(files.folder, 'volume-plugins'),
    cgroupDriver: 'cgroupfs',
    cgroupRoot: files.cgroupRoot,
    failCgroupV1: false,
    enforceNodeAllocatable: [],
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    localStorageCapacityIsolation: false,
    // The disk is the machine's: its fill level says nothing about the node.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '0%', 'imagefs.available': '0%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
  };
}

export function proxyConfig(network: NodeNetwork, kubernetes: Kubernetes): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: kubernetes.kubeconfigOf('system:kube-proxy') },
    mode: 'nftables',
    clusterCIDR: network.podRange,
    detectLocalMode: 'ClusterCIDR',
    healthzBindAddress: `${network.nodeAddress}:10256`,
    metricsBindAddress: `${network.nodeAddress}:10249`,
    // Tables of connections belong to the machine.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}

/** Names of Services and pods, and no others: the node has no way out. */
export function corefile(network: NodeNetwork, kubernetes: Kubernetes): string {
  return `.:53 {
  bind ${network.nodeAddress}
  ready ${network.nodeAddress}:8181
  errors
  cache 5
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${kubernetes.kubeconfig}
  }
}
`;
}

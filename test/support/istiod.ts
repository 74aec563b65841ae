/** Istio's own control plane against a real API server, and a gateway of it: the real Envoy with a bootstrap like its agent's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Envoy, startEnvoy } from './envoy.ts';
import { freePorts } from './ports.ts';
import { type RunningProcess, startProcess, waitFor } from './processes.ts';
import { requireTool } from './tools.ts';

export interface Istiod {
  readonly process: RunningProcess;
  /** A gateway pod's Envoy, started here: what it is comes with its node, as Istio's agent says it. */
  startGateway(namespace: string, labels: Readonly<Record<string, string>>): Promise<Envoy>;
  stop(): Promise<void>;
}

/** Discovery alone: no certificates are issued, no pods injected, no objects checked as they are written. */
export async function startIstiod(kubeconfig: string): Promise<Istiod> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-istiod-'));
  const [http = 0, grpc = 0, monitoring = 0, introspection = 0] = await freePorts(4);
  const process = startProcess({
    command: requireTool('pilot-discovery'),
    args: [
      ...['discovery', '--kubeconfig', kubeconfig, '--registries', 'Kubernetes', '--shutdownDuration', '1s'],
      ...['--httpAddr', `127.0.0.1:${http}`, '--grpcAddr', `127.0.0.1:${grpc}`],
      ...['--monitoringAddr', `127.0.0.1:${monitoring}`, '--ctrlz_port', String(introspection)],
      // No TLS: what needs it is switched off.
      ...['--httpsAddr', '', '--secureGRPCAddr', ''],
    ],
    cwd: folder,
    env: {
      ENABLE_CA_SERVER: 'false',
      // Filters that Istio's build of Envoy has, and the plain one does not.
      PILOT_ENABLE_METADATA_EXCHANGE: 'false',
      PILOT_ENABLE_ALPN_FILTER: 'false',
      // Only clusters that a route names: nothing else is here.
      PILOT_FILTER_GATEWAY_CLUSTER_CONFIG: 'true',
      PILOT_CERT_PROVIDER: 'none',
      POD_NAMESPACE: 'istio-system',
      POD_NAME: 'istiod-0',
    },
    logPath: join(folder, 'istiod.log'),
  });
  const stop = async (): Promise<void> => {
    await process.stop({ graceMs: 10_000 });
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await waitFor('istiod ready', () => answers(`http://127.0.0.1:${http}/ready`), { timeoutMs: 120_000, process });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    process,
    startGateway: (namespace, labels) => startEnvoy({ bootstrap: bootstrap(grpc, namespace, labels) }),
    stop,
  };
}

function bootstrap(discovery: number, namespace: string, labels: Readonly<Record<string, string>>): object {
  const ads = { ads: {}, initial_fetch_timeout: '0s', resource_api_version: 'V3' };
  return {
    node: {
      id: `router~127.0.0.1~gateway-0.${namespace}~${namespace}.svc.cluster.local`,
      cluster: `gateway.${namespace}`,
      metadata: { NAMESPACE: namespace, LABELS: labels, ISTIO_VERSION: '1.31.0', CLUSTER_ID: 'Kubernetes' },
    },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: 'xds-grpc',
          type: 'STATIC',
          connect_timeout: '1s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'xds-grpc',
            endpoints: [
              {
                lb_endpoints: [
                  {
                    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: discovery } } },
                  },
                ],
              },
            ],
          },
        },
      ],
    },
  };
}

async function answers(url: string): Promise<true | undefined> {
  try {
    return (await fetch(url)).ok || undefined;
  } catch {
    return undefined;
  }
}

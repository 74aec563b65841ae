import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { renderStatsSink } from './access-log.ts';
import {
  type ClientTls,
  type Endpoint,
  renderPicketCluster,
  renderUpstreamCluster,
  socketAddress,
} from './clusters.ts';
import { type ListenerOptions, renderListener } from './listener.ts';
import type { Json } from './matcher.ts';
import { alsCluster, xdsCluster } from './names.ts';
import { renderRoutes } from './routes.ts';

export interface BootstrapOptions {
  /** Envoy's node id: one name per process. */
  node: string;
  /** Fleet, sent as the node's cluster: Envoys that are configured together. */
  fleet: string;
  admin: Endpoint;
  upstream: Endpoint;
  /** Where the operator serves filters. */
  xds: Endpoint;
  /** Where the analyzer takes access logs. */
  als: Endpoint;
  /** How to reach both when they are not on loopback. */
  picketTls?: ClientTls;
  listener: Omit<ListenerOptions, 'upstreamCluster'>;
}

const upstreamCluster = 'upstream';

/**
 * A complete bootstrap for one Envoy in front of one upstream, in protobuf's JSON form.
 *
 * The headers to log and, without `routesFile`, the flow routes are those of the policies given; decisions and identity
 * rules arrive later by ECDS.
 */
export function renderBootstrap(policies: readonly CompiledPolicy[], options: BootstrapOptions): Json {
  return {
    node: { id: options.node, cluster: options.fleet },
    admin: { address: socketAddress(options.admin) },
    staticResources: {
      listeners: [renderListener(policies, { ...options.listener, upstreamCluster })],
      clusters: [
        renderUpstreamCluster(upstreamCluster, options.upstream),
        renderPicketCluster(xdsCluster, options.xds, options.picketTls),
        renderPicketCluster(alsCluster, options.als, options.picketTls),
      ],
    },
    statsFlushInterval: '5s',
    statsSinks: [renderStatsSink()],
    layeredRuntime: { layers: [{ name: 'admin', adminLayer: {} }] },
  };
}

/** Content of the file that `listener.routesFile` names; replace it by rename, Envoy watches its folder for moves. */
export function renderRoutesFile(policies: readonly CompiledPolicy[]): Json {
  return {
    resources: [
      {
        '@type': 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
        ...renderRoutes(policies, upstreamCluster),
      },
    ],
  };
}

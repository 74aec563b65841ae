import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { accessLogOptions, loggedHeaders, renderAccessLog, renderStatsSink } from './access-log.ts';
import { type ClientTls, type Endpoint, renderPicketCluster } from './clusters.ts';
import { flowRoutes } from './flow-facts.ts';
import { renderHttpFilters, tlsInspector } from './listener.ts';
import type { Json } from './matcher.ts';
import { alsCluster, routerFilter, xdsCluster } from './names.ts';
import { toYaml } from './yaml.ts';

export interface SnippetOptions {
  node: string;
  fleet: string;
  xds: Endpoint;
  als: Endpoint;
  picketTls?: ClientTls;
  shapeHeaders: readonly string[];
  /** Whether the listener computes JA4 fingerprints. */
  ja4: boolean;
  /** Statistics prefix of the connection manager, which completeness is counted against. */
  statPrefix: string;
}

/** YAML to paste into one's own bootstrap, part by part, with what to watch out for. */
export function renderSnippet(policies: readonly CompiledPolicy[], options: SnippetOptions): string {
  const filters = renderHttpFilters().filter((filter) => filter['name'] !== routerFilter);
  const headers = loggedHeaders(policies, options.shapeHeaders);
  const parts: [string, Json][] = [
    [
      `1. Node. The cluster is the name of the fleet; Envoys with another name are turned away.
The id must differ from process to process.`,
      { node: { id: options.node, cluster: options.fleet } },
    ],
    [
      '2. Clusters that reach Picket: into static_resources.clusters.',
      {
        clusters: [
          renderPicketCluster(xdsCluster, options.xds, options.picketTls),
          renderPicketCluster(alsCluster, options.als, options.picketTls),
        ],
      },
    ],
    [
      `3. Access log: into every http_connection_manager.
log_name must be its stat_prefix, or completeness stays Unknown. A buffer_flush_interval of 0 would turn off batching
and with it the bound on memory. Requests that take longer than access_log_flush_interval report on themselves.`,
      {
        accessLog: [renderAccessLog({ logName: options.statPrefix, headers, ja4: options.ja4 })],
        accessLogOptions,
      },
    ],
    [
      `4. Statistics: into the top level, so that Picket can say how much of the traffic it saw. All of them are sent each
time: with thousands of clusters leave this out; completeness is then Unknown, unless "picket up --envoy-admin" asks.`,
      { statsFlushInterval: '5s', statsSinks: [renderStatsSink()] },
    ],
    [
      `5. Filters, in this order, in front of the router: into http_filters. Your own authentication belongs between
picket.address and picket.identify. With a dead operator every one of them lets requests pass.
Set use_remote_address and xff_num_trusted_hops, or the address of a client is whatever it claims.`,
      { httpFilters: filters },
    ],
  ];
  if (options.ja4) {
    parts.push([
      `6. Fingerprints of TLS clients: into listener_filters of the listener. Start "picket up" with --ja4, so that decisions
can name them.`,
      { listenerFilters: [tlsInspector] },
    ]);
  }
  const routes = policies.flatMap(flowRoutes);
  if (routes.length > 0) {
    parts.push([
      `${options.ja4 ? 7 : 6}. Routes of flows that declare body fields: in front of your other routes, each with your own action.
picket.flow buffers bodies on these routes and nowhere else; a body over per_connection_buffer_limit_bytes is answered
413 there.`,
      { routes: routes.map((route) => ({ ...route, route: { cluster: 'your-cluster' } })) },
    ]);
  }
  return parts.map(([comment, part]) => `${asComment(comment)}\n${toYaml(part)}`).join('\n');
}

function asComment(text: string): string {
  return text
    .split('\n')
    .map((line) => `# ${line}`)
    .join('\n');
}

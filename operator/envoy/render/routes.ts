import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { byPrecedence } from './api-match.ts';
import { flowRoutes } from './flow-facts.ts';
import type { Json } from './matcher.ts';

/**
 * Route configuration: everything to one upstream, and in front of that the routes on which declared flows read
 * bodies. Hosts share a virtual host when the same APIs claim them.
 */
export function renderRoutes(policies: readonly CompiledPolicy[], upstreamCluster: string): Json {
  const ordered = [...policies].sort(byPrecedence);
  const hosts = new Set(ordered.flatMap((policy) => policy.hosts));
  hosts.delete('*');
  const groups = new Map<string, { domains: string[]; own: CompiledPolicy[] }>();
  for (const host of hosts) {
    const own = ordered.filter((policy) => policy.hosts.some((claimed) => covers(claimed, host)));
    const key = own.map((policy) => policy.apiUid).join();
    const group = groups.get(key) ?? { domains: [], own };
    group.domains.push(host);
    groups.set(key, group);
  }
  const rest = ordered.filter((policy) => policy.hosts.includes('*'));
  return {
    name: 'picket',
    ignorePortInHostMatching: true,
    virtualHosts: [
      ...[...groups.values()].map(({ domains, own }, index) => ({
        name: `apis-${index}`,
        domains,
        routes: routesOf(own, upstreamCluster),
      })),
      { name: 'rest', domains: ['*'], routes: routesOf(rest, upstreamCluster) },
    ],
  };
}

function routesOf(policies: readonly CompiledPolicy[], cluster: string): Json[] {
  const flows = policies.flatMap(flowRoutes);
  // Without a limit for the whole answer, which would be 15 s; a stream on which nothing moves still ends after 5 min.
  const route = { cluster, timeout: '0s' };
  return [...flows.map((flow) => ({ ...flow, route })), { match: { prefix: '/' }, route }];
}

function covers(pattern: string, host: string): boolean {
  return pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
}

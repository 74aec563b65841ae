import type { Json } from './matcher.ts';
import { type ResourceName, typeUrls, xdsCluster } from './names.ts';

/**
 * A filter that Picket fills by delta ECDS. Until the first resource arrives, and when heartbeats stop, an empty
 * configuration stands in, so that a dead control plane neither holds up the listener nor refuses anybody.
 */
export function renderPushedFilter(name: ResourceName): Json {
  const identify = name === 'picket.identify';
  return {
    name,
    configDiscovery: {
      configSource: {
        resourceApiVersion: 'V3',
        apiConfigSource: {
          apiType: 'DELTA_GRPC',
          transportApiVersion: 'V3',
          setNodeOnFirstMessageOnly: true,
          grpcServices: [{ envoyGrpc: { clusterName: xdsCluster } }],
        },
      },
      defaultConfig: { '@type': identify ? typeUrls.setFilterState : typeUrls.rbac },
      applyDefaultConfigWithoutWarming: true,
      typeUrls: identify ? [typeUrls.setFilterState, typeUrls.extensionWithMatcher] : [typeUrls.rbac],
    },
  };
}

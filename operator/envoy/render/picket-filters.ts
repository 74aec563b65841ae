import type { Json } from './matcher.ts';
import { fleetMetadata, type ResourceName, typeUrls, xdsCluster } from './names.ts';

/**
 * A filter that Picket fills by delta ECDS. Until the first resource arrives, and when heartbeats stop, an empty
 * configuration stands in, so that a dead control plane neither holds up the listener nor refuses anybody.
 *
 * @param fleet said with the stream; left out, Envoy's node says it
 */
export function renderPushedFilter(name: ResourceName, fleet?: string): Json {
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
          grpcServices: [
            {
              envoyGrpc: { clusterName: xdsCluster },
              ...(fleet === undefined ? {} : { initialMetadata: [{ key: fleetMetadata, value: fleet }] }),
            },
          ],
        },
      },
      defaultConfig: { '@type': identify ? typeUrls.setFilterState : typeUrls.rbac },
      applyDefaultConfigWithoutWarming: true,
      typeUrls: identify ? [typeUrls.setFilterState, typeUrls.extensionWithMatcher] : [typeUrls.rbac],
    },
  };
}

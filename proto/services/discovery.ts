import { AggregatedDiscoveryService } from '../gen/envoy/service/discovery/v3/ads_pb.js';
import { ExtensionConfigDiscoveryService } from '../gen/envoy/service/extension/v3/config_discovery_pb.js';
import { grpcService } from './grpc-service.ts';

/** `envoy.service.discovery.v3.AggregatedDiscoveryService`. */
export const aggregatedDiscoveryService = grpcService(AggregatedDiscoveryService);

/** `envoy.service.extension.v3.ExtensionConfigDiscoveryService`. */
export const extensionConfigDiscoveryService = grpcService(ExtensionConfigDiscoveryService);

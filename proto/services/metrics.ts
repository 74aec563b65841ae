import type { ServiceDefinition } from '@grpc/grpc-js';

const asBytes = (bytes: Buffer): Buffer => bytes;

/**
 * `envoy.service.metrics.v3.MetricsService`; messages arrive as bytes. Not made from a descriptor: what it sends are
 * Prometheus's messages, whose file is not among Envoy's, and of which two numbers are read.
 */
export const metricsService = {
  streamMetrics: {
    path: '/envoy.service.metrics.v3.MetricsService/StreamMetrics',
    requestStream: true,
    responseStream: false,
    requestSerialize: asBytes,
    requestDeserialize: asBytes,
    // `StreamMetricsResponse` has no fields.
    responseSerialize: asBytes,
    responseDeserialize: asBytes,
  },
} satisfies ServiceDefinition;

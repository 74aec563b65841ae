import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { AccessLogService, StreamAccessLogsMessageSchema } from '../gen/envoy/service/accesslog/v3/als_pb.js';
import { DeltaDiscoveryRequestSchema } from '../gen/envoy/service/discovery/v3/discovery_pb.js';
import { accessLogService } from './access-log.ts';
import { aggregatedDiscoveryService, extensionConfigDiscoveryService } from './discovery.ts';
import { externalProcessorService } from './external-processor.ts';
import { grpcService } from './grpc-service.ts';

describe('grpcService', () => {
  it('names methods as gRPC puts them on the wire', () => {
    expect(accessLogService['streamAccessLogs']?.path).toBe(
      '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs',
    );
    expect(aggregatedDiscoveryService['deltaAggregatedResources']?.path).toBe(
      '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
    );
    expect(Object.keys(extensionConfigDiscoveryService)).toContain('deltaExtensionConfigs');
  });

  it('tells the four kinds of methods apart', () => {
    const kinds = (method: { requestStream: boolean; responseStream: boolean } | undefined) => [
      method?.requestStream,
      method?.responseStream,
    ];
    expect(kinds(accessLogService['streamAccessLogs'])).toEqual([true, false]);
    expect(kinds(externalProcessorService['process'])).toEqual([true, true]);
    expect(kinds(extensionConfigDiscoveryService['fetchExtensionConfigs'])).toEqual([false, false]);
  });

  it('carries messages over the wire format and back', () => {
    const method = aggregatedDiscoveryService['deltaAggregatedResources'];
    const request = create(DeltaDiscoveryRequestSchema, { typeUrl: 'type', resourceNamesSubscribe: ['a', 'b'] });
    const bytes = method?.requestSerialize(request) as Buffer;
    expect(fromBinary(DeltaDiscoveryRequestSchema, bytes)).toEqual(request);
    expect(method?.requestDeserialize(bytes)).toEqual(request);
  });

  it('leaves raw requests as the bytes that arrived', () => {
    const bytes = Buffer.from(
      toBinary(StreamAccessLogsMessageSchema, create(StreamAccessLogsMessageSchema, { identifier: { logName: 'x' } })),
    );
    expect(accessLogService['streamAccessLogs']?.requestDeserialize(bytes)).toBe(bytes);
  });

  it('refuses a raw method that the service does not have', () => {
    expect(() => grpcService(AccessLogService, { rawRequests: ['stream'] })).toThrow(
      'envoy.service.accesslog.v3.AccessLogService has no method stream',
    );
  });
});

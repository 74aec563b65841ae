import { AccessLogService } from '../gen/envoy/service/accesslog/v3/als_pb.js';
import { grpcService } from './grpc-service.ts';

/** `envoy.service.accesslog.v3.AccessLogService`; messages arrive as bytes, because decoding them whole costs most. */
export const accessLogService = grpcService(AccessLogService, { rawRequests: ['streamAccessLogs'] });

import { ExternalProcessor } from '../gen/envoy/service/ext_proc/v3/external_processor_pb.js';
import { grpcService } from './grpc-service.ts';

/** `envoy.service.ext_proc.v3.ExternalProcessor`. */
export const externalProcessorService = grpcService(ExternalProcessor);

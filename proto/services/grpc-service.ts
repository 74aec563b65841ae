import {
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

/** Options of `grpcService`. */
export interface GrpcServiceOptions {
  /** Methods (by local name) whose requests stay bytes: whoever serves them decodes selectively. */
  rawRequests?: readonly string[];
}

/**
 * A grpc-js service definition made from a protobuf-es service descriptor; keys are the methods' local names
 * (`streamAccessLogs`). Serves servers and, through `makeGenericClientConstructor`, clients.
 *
 * @throws Error when `rawRequests` names a method that the service does not have.
 */
export function grpcService(service: DescService, options: GrpcServiceOptions = {}): ServiceDefinition {
  const raw = new Set(options.rawRequests);
  const definition: Record<string, MethodDefinition<unknown, unknown>> = {};
  for (const method of service.methods) {
    definition[method.localName] = methodDefinition(service, method, raw.delete(method.localName));
  }
  if (raw.size > 0) throw new Error(`${service.typeName} has no method ${[...raw].join(', ')}`);
  return definition;
}

function methodDefinition(
  service: DescService,
  method: DescMethod,
  rawRequest: boolean,
): MethodDefinition<unknown, unknown> {
  const bytes = { serialize: (value: unknown) => value as Buffer, deserialize: (value: Buffer) => value };
  const request = rawRequest ? bytes : codec(method.input);
  const response = codec(method.output);
  return {
    path: `/${service.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: request.serialize,
    requestDeserialize: request.deserialize,
    responseSerialize: response.serialize,
    responseDeserialize: response.deserialize,
  };
}

function codec(schema: DescMessage) {
  return {
    serialize(value: unknown): Buffer {
      const bytes = toBinary(schema, value as Message as MessageShape<DescMessage>);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    deserialize: (bytes: Buffer): unknown => fromBinary(schema, bytes),
  };
}

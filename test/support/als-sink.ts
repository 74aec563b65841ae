/** A gRPC server that keeps every access log entry Envoy sends, decoded with the full protobuf library. */
import { type ServerReadableStream, Server, ServerCredentials } from '@grpc/grpc-js';
import { fromBinary } from '@bufbuild/protobuf';
import type { HTTPAccessLogEntry } from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { accessLogService } from '@picket/proto/services/access-log.ts';

export interface AlsSink {
  port: number;
  entries: HTTPAccessLogEntry[];
  close(): void;
}

export async function startAlsSink(): Promise<AlsSink> {
  const entries: HTTPAccessLogEntry[] = [];
  const server = new Server();
  server.addService(accessLogService, {
    streamAccessLogs(call: ServerReadableStream<Buffer, unknown>) {
      call.on('data', (bytes: Buffer) => {
        const { logEntries } = fromBinary(StreamAccessLogsMessageSchema, bytes);
        if (logEntries.case === 'httpLogs') entries.push(...logEntries.value.logEntry);
      });
      call.on('error', () => undefined);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, entries, close: () => server.forceShutdown() };
}

/** An access log server that counts entries and does nothing else, so that the other end can be measured. */
import { Server, ServerCredentials, type ServerReadableStream } from '@grpc/grpc-js';
import { readAlsEnvelope } from '@picket/analyzer/ingest/als-envelope.ts';
import { createWireReader } from '@picket/analyzer/ingest/wire-reader.ts';
import { accessLogService } from '@picket/proto/services/access-log.ts';

export interface CountingAls {
  port: number;
  entries(): number;
  close(): void;
}

export async function startCountingAls(): Promise<CountingAls> {
  const reader = createWireReader();
  let entries = 0;
  const server = new Server();
  server.addService(accessLogService, {
    streamAccessLogs(call: ServerReadableStream<Buffer, unknown>) {
      call.on('data', (bytes: Buffer) => {
        entries += readAlsEnvelope(reader, bytes).entries;
      });
      call.on('error', () => undefined);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, entries: () => entries, close: () => server.forceShutdown() };
}

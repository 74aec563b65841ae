/** An access log stream as Envoy opens it, for tests that need more or worse traffic than an Envoy would make. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type ClientWritableStream, credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { FLOW_METADATA_NAMESPACE } from '@picket/proto/flow-metadata.ts';
import { RequestMethod } from '@picket/proto/gen/envoy/config/core/v3/base_pb.js';
import {
  AccessLogType,
  type HTTPAccessLogEntrySchema,
} from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { accessLogService } from '@picket/proto/services/access-log.ts';

export type EntryInit = MessageInitShape<typeof HTTPAccessLogEntrySchema>;

export interface AlsClient {
  /** Resolves when the transport has taken it; false when the stream is broken. */
  send(entries: readonly EntryInit[]): Promise<boolean>;
  sendBytes(bytes: Uint8Array): Promise<boolean>;
  /** Half-closes the stream and waits for the server's end of it. */
  close(): Promise<void>;
  /** Drops the connection in the middle of whatever is under way. */
  cut(): void;
}

const Client = makeGenericClientConstructor(accessLogService, 'AccessLogService');

export function openAlsStream(port: number, nodeId = 'test-envoy'): AlsClient {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  let broken = false;
  let resolve: () => void;
  const ended = new Promise<void>((r) => {
    resolve = r;
  });
  const open = client['streamAccessLogs'] as (
    done: (error: ServiceError | null) => void,
  ) => ClientWritableStream<Buffer>;
  const call = open.call(client, () => {
    broken = true;
    resolve();
  });
  call.on('error', () => {
    broken = true;
  });
  let identified = false;
  const sendBytes = async (bytes: Uint8Array): Promise<boolean> => {
    if (broken) return false;
    if (!call.write(Buffer.from(bytes)))
      await Promise.race([new Promise<void>((drained) => call.once('drain', drained)), ended]);
    return !broken;
  };
  return {
    sendBytes,
    send(entries) {
      const identifier = identified ? {} : { identifier: { node: { id: nodeId, cluster: 'test' }, logName: 'picket' } };
      identified = true;
      const logEntries = { case: 'httpLogs' as const, value: { logEntry: [...entries] } };
      return sendBytes(
        toBinary(StreamAccessLogsMessageSchema, create(StreamAccessLogsMessageSchema, { ...identifier, logEntries })),
      );
    },
    async close() {
      if (!broken) call.end();
      await ended;
      client.close();
    },
    cut() {
      broken = true;
      call.cancel();
      client.close();
    },
  };
}

export interface EntryOptions {
  /** Completion, Unix ms. */
  at: number;
  address: string;
  path: string;
  method?: 'GET' | 'POST';
  status?: number;
  userAgent?: string;
  headers?: Record<string, string>;
  login?: { account: string; ok: boolean };
}

export function entry(options: EntryOptions): EntryInit {
  const startedAt = Math.floor(options.at - 5);
  const seconds = Math.floor(startedAt / 1000);
  const address = {
    address: {
      case: 'socketAddress' as const,
      value: { address: options.address, portSpecifier: { case: 'portValue' as const, value: 40_000 } },
    },
  };
  const { login } = options;
  return {
    commonProperties: {
      accessLogType: AccessLogType.DownstreamEnd,
      startTime: { seconds: BigInt(seconds), nanos: (startedAt - seconds * 1000) * 1e6 },
      duration: { seconds: 0n, nanos: 5_000_000 },
      downstreamRemoteAddress: address,
      downstreamDirectRemoteAddress: address,
      ...(login
        ? {
            metadata: {
              filterMetadata: {
                [FLOW_METADATA_NAMESPACE]: { 'login:request.username': login.account, 'login:response.ok': login.ok },
              },
            },
          }
        : {}),
    },
    request: {
      requestMethod: RequestMethod[login ? 'POST' : (options.method ?? 'GET')],
      scheme: 'http',
      authority: 'shop.example',
      path: login ? '/v1/login' : options.path,
      userAgent: options.userAgent ?? 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0',
      requestId: `request-${options.at}-${options.address}`,
      requestHeaders: { accept: '*/*', ...options.headers },
    },
    response: { responseCode: options.status ?? 200, responseBodyBytes: 512n },
  };
}

import { Server, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from '@picket/proto/gen/envoy/service/discovery/v3/discovery_pb.js';
import { extensionConfigDiscoveryService } from '@picket/proto/services/discovery.ts';
import { fleetMetadata } from '../render/names.ts';
import { type ServerTls, serverCredentials } from './credentials.ts';
import type { EcdsResource } from './resource.ts';
import { createEcdsStream, type EcdsStream } from './stream.ts';

type Call = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

export interface EcdsServerOptions {
  host: string;
  /** 0 for a free one. */
  port: number;
  tls?: ServerTls;
  /** Only Envoys that say this name are served, in the metadata of the stream or else as the cluster of their node. */
  fleet: string;
  /** Lifetime of a pushed filter without heartbeat, milliseconds. */
  ttlMs: number;
  /** An Envoy that owes an answer for longer is let go; milliseconds. */
  answerPatienceMs: number;
  /** How long a refusal may stay unresolved before heartbeats for that filter stop, milliseconds. */
  refusalGraceMs: number;
  known(resource: string): boolean;
  current(resource: string): EcdsResource | undefined;
  /** Durations, milliseconds. */
  elapsed(): number;
  onConnected(envoy: string): void;
  onDisconnected(envoy: string): void;
  onAccepted(envoy: string, resource: string, hash: string): void;
  onRefused(envoy: string, resource: string, hash: string, message: string): void;
  onNewerElsewhere(resource: string, revision: number): void;
  onForeign(envoy: string, reason: string): void;
  /** A stream was ended by us. */
  onDropped(envoy: string, reason: string): void;
}

/** Delta ECDS over gRPC. Every filter of an Envoy comes with a stream of its own. */
export interface EcdsServer {
  readonly port: number;
  push(resource: string): void;
  /** Whether no Envoy owes an answer for the resource. */
  allAnswered(resource: string): boolean;
  /** Envoys with at least one stream. */
  envoys(): string[];
  close(): Promise<void>;
}

/**
 * Messages that an Envoy has not read yet, beyond what the connection itself holds. One that answers has one; more is a
 * peer that asks again and again and does not read.
 */
const maxUnread = 32;
/** Streams at a time; six per Envoy, so this is room for thousands of Envoys. */
const maxStreams = 50_000;
const closeGraceMs = 1_000;

export async function startEcdsServer(options: EcdsServerOptions): Promise<EcdsServer> {
  const streams = new Map<EcdsStream, { envoy: string; drop(code: status, why: string): void }>();
  const perEnvoy = new Map<string, number>();

  function deltaExtensionConfigs(call: Call): void {
    let envoy: string | undefined;
    let ended = false;
    const stream = createEcdsStream({
      current: options.current,
      known: options.known,
      ttlMs: options.ttlMs,
      refusalGraceMs: options.refusalGraceMs,
      elapsed: options.elapsed,
      send(response) {
        if (call.writableLength < maxUnread) call.write(response);
        else drop(status.RESOURCE_EXHAUSTED, 'what was sent is not read');
      },
      events: {
        accepted: (name, hash) => options.onAccepted(envoy ?? '', name, hash),
        refused: (name, hash, message) => options.onRefused(envoy ?? '', name, hash, message),
        newerElsewhere: options.onNewerElsewhere,
      },
    });
    const drop = (code: status, details: string): void => {
      if (ended) return;
      options.onDropped(envoy ?? '', details);
      end();
      call.emit('error', { code, details });
    };
    const end = (): void => {
      if (ended) return;
      ended = true;
      streams.delete(stream);
      if (envoy === undefined) return;
      const left = (perEnvoy.get(envoy) ?? 1) - 1;
      if (left > 0) perEnvoy.set(envoy, left);
      else {
        perEnvoy.delete(envoy);
        options.onDisconnected(envoy);
      }
    };
    call.on('data', (request: DeltaDiscoveryRequest) => {
      if (ended) return;
      if (envoy === undefined) {
        const refusal = whyRefused(call, request, streams.size);
        if (refusal !== undefined) {
          ended = true;
          options.onForeign(request.node?.id ?? '', refusal);
          call.emit('error', { code: status.PERMISSION_DENIED, details: refusal });
          return;
        }
        // The node comes in the first message of a stream only.
        envoy = request.node?.id ?? '';
        streams.set(stream, { envoy, drop });
        const before = perEnvoy.get(envoy) ?? 0;
        perEnvoy.set(envoy, before + 1);
        if (before === 0) options.onConnected(envoy);
      }
      stream.onRequest(request);
    });
    call.on('end', () => {
      end();
      call.end();
    });
    call.on('error', end);
    call.on('cancelled', end);
    call.on('close', end);
  }

  function whyRefused(call: Call, request: DeltaDiscoveryRequest, open: number): string | undefined {
    if (open >= maxStreams) return 'too many streams';
    if (!request.node?.id) return 'node.id: an Envoy needs a name';
    const said = call.metadata.get(fleetMetadata)[0]?.toString();
    const fleet = said ?? request.node.cluster;
    if (fleet !== options.fleet) {
      return `${said === undefined ? 'node.cluster' : fleetMetadata} is "${fleet}": this fleet is "${options.fleet}"`;
    }
    const allowed = options.tls?.allowedNames;
    if (!allowed) return undefined;
    const certificate = call.getAuthContext().sslPeerCertificate;
    const names = [certificate?.subject?.CN, ...(certificate?.subjectaltname ?? '').split(', ').map(bareName)];
    return names.some((name) => typeof name === 'string' && allowed.includes(name))
      ? undefined
      : 'the client certificate carries none of the names that may connect';
  }

  const server = new Server({
    'grpc.max_receive_message_length': 16 * 1024 * 1024,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  server.addService(extensionConfigDiscoveryService, { deltaExtensionConfigs });
  const address = options.host.includes(':') ? `[${options.host.replace(/^\[|\]$/g, '')}]` : options.host;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${address}:${options.port}`, serverCredentials(options.host, options.tls), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  // A third of the lifetime: two heartbeats may be lost.
  const heartbeats = setInterval(() => {
    for (const stream of streams.keys()) stream.heartbeat();
  }, options.ttlMs / 3);
  // One that does not answer must not be waited for: what others get depends on what every connected Envoy holds.
  const patience = setInterval(() => {
    const late = new Set<string>();
    for (const [stream, { envoy }] of streams) if (stream.overdueMs() > options.answerPatienceMs) late.add(envoy);
    for (const { envoy, drop } of streams.values())
      if (late.has(envoy)) drop(status.DEADLINE_EXCEEDED, 'a push was not answered');
  }, options.answerPatienceMs / 4);
  patience.unref();
  heartbeats.unref();

  return {
    port,
    push(resource) {
      for (const stream of streams.keys()) stream.push(resource);
    },
    allAnswered(resource) {
      for (const stream of streams.keys()) if (stream.awaits(resource)) return false;
      return true;
    },
    envoys: () => [...perEnvoy.keys()],
    async close() {
      clearInterval(heartbeats);
      clearInterval(patience);
      await new Promise<void>((resolve) => {
        const force = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, closeGraceMs);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      });
    },
  };
}

/** "DNS:envoy.example" → "envoy.example" */
function bareName(san: string): string {
  return san.replace(/^(DNS|URI|IP Address):/, '');
}

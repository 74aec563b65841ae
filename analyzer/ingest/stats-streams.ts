import { type ServerReadableStream, type sendUnaryData, status } from '@grpc/grpc-js';
import type { EnvoyCounters } from './envoy-counters.ts';
import type { FleetOf } from './fleet-of.ts';
import { readStatsMessage } from './stats-message.ts';
import { createWireReader } from './wire-reader.ts';

export interface StatsStreams {
  /** Serves one stream on which an Envoy sends its statistics, again and again. */
  serve(call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void;
  /** Ends them all. */
  close(): void;
}

const answer = Buffer.alloc(0);

/** @param options.fleetOf whose certificates are taken; without it everybody who reaches the listener is trusted */
export function createStatsStreams(options: {
  fleetOf?: FleetOf;
  onCounters(nodeId: string, counters: EnvoyCounters): void;
}): StatsStreams {
  const reader = createWireReader();
  const open = new Set<() => void>();
  return {
    serve(call, callback) {
      const { fleetOf } = options;
      if (fleetOf && fleetOf(call.getAuthContext().sslPeerCertificate) === undefined) {
        callback({ code: status.PERMISSION_DENIED, details: 'the certificate belongs to no fleet of this server' });
        return;
      }
      let nodeId = '';
      const end = (): void => {
        if (open.delete(end)) callback(null, answer);
      };
      open.add(end);
      call.on('data', (bytes: Buffer) => {
        const { identifier, counters } = readStatsMessage(reader, bytes);
        if (identifier) ({ nodeId } = identifier);
        if (counters && nodeId !== '') options.onCounters(nodeId, counters);
      });
      call.on('end', end);
      for (const event of ['error', 'cancelled']) call.on(event, () => void open.delete(end));
    },
    close() {
      for (const end of open) end();
    },
  };
}

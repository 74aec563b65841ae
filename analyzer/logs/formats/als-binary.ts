/**
 * Captures of `StreamAccessLogsMessage`s, each behind its length as a varint. Decoded whole and read as the JSON form
 * is: a capture is read once, and entries outlive the message, so the live feed's selective decoder would gain nothing.
 */
import { fromBinary, toJson } from '@bufbuild/protobuf';
import {
  type StreamAccessLogsMessage,
  StreamAccessLogsMessageSchema,
} from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import type { UnitReader } from '../log-format.ts';
import { readAlsMessage } from './als-json.ts';

export function createAlsBinaryReader(): UnitReader {
  return {
    read: () => 'unrecognised',
    readMessage(bytes, sink) {
      let json: unknown;
      try {
        const message = fromBinary(StreamAccessLogsMessageSchema, bytes);
        dropOpaque(message);
        json = toJson(StreamAccessLogsMessageSchema, message);
      } catch {
        return 'malformed';
      }
      return readAlsMessage(json as Record<string, unknown>, sink) ?? 'malformed';
    },
  };
}

/** `Any` values of types nobody here knows have no JSON form, and nothing of them is read. */
function dropOpaque(message: StreamAccessLogsMessage): void {
  if (message.identifier?.node) message.identifier.node.extensions = [];
  if (message.logEntries.case === undefined) return;
  for (const { commonProperties: common } of message.logEntries.value.logEntry) {
    if (!common) continue;
    common.filterStateObjects = {};
    if (common.metadata) common.metadata.typedFilterMetadata = {};
  }
}

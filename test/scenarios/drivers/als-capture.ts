/**
 * Writes a stretch of modelled traffic as the access log an Envoy wired by Picket would have sent: real
 * `StreamAccessLogsMessage`s in a capture file. The shop itself answers the requests, so bodies,
 * tokens and outcomes are what they would have been.
 */
import { createAlsCaptureFile } from '@picket/analyzer/ingest/als-capture.ts';
import type { HTTPAccessLogEntry } from '@picket/proto/gen/envoy/data/accesslog/v3/accesslog_pb.js';
import type { RequestEvent } from '../request-event.ts';
import { answerEvent, encodeMessage, type EntryOptions } from './als-entry.ts';

export interface CaptureOptions extends EntryOptions {
  path: string;
  events: Iterable<RequestEvent>;
  /** Node id and log name of the Envoy that is imitated. */
  nodeId?: string;
}

export interface CaptureSummary {
  entries: number;
  bytes: number;
  /** Completion of the first and the last request, Unix ms. */
  from: number;
  until: number;
  actors: number;
}

/** Envoy flushes at this size or sooner; replays read message by message. */
const entriesPerMessage = 64;

export async function writeAlsCapture(options: CaptureOptions): Promise<CaptureSummary> {
  const file = createAlsCaptureFile(options.path);
  const summary: CaptureSummary = { entries: 0, bytes: 0, from: Number.NaN, until: Number.NaN, actors: 0 };
  const actors = new Set<string>();
  let batch: HTTPAccessLogEntry[] = [];
  const flush = async () => {
    if (batch.length === 0) return;
    const bytes = encodeMessage(batch, summary.bytes === 0 ? (options.nodeId ?? 'shop-day') : undefined);
    batch = [];
    summary.bytes += bytes.length;
    await file.write(bytes);
  };
  for (const event of options.events) {
    const { entry, endedAt } = answerEvent(event, options);
    batch.push(entry);
    summary.entries += 1;
    if (Number.isNaN(summary.from)) summary.from = endedAt;
    summary.until = Number.isNaN(summary.until) ? endedAt : Math.max(summary.until, endedAt);
    actors.add(event.actor.id);
    if (batch.length >= entriesPerMessage) await flush();
  }
  await flush();
  await file.close();
  return { ...summary, actors: actors.size };
}

/** What completeness needs of a `StreamMetricsMessage`, in which an Envoy sends all its statistics. */
import { type AlsIdentifier, readIdentifier } from './als-envelope.ts';
import { createFoundCounters, type EnvoyCounters } from './envoy-counters.ts';
import { closeWire, openWire, readExtent, readTag, skipField, type WireReader } from './wire-reader.ts';

export interface StatsMessage {
  /** Only the first message of a stream has one. */
  identifier?: AlsIdentifier;
  /** Undefined when the message lacks the uptime or is damaged. */
  counters: EnvoyCounters | undefined;
}

export function readStatsMessage(r: WireReader, bytes: Uint8Array): StatsMessage {
  openWire(r, bytes);
  const message: StatsMessage = { counters: undefined };
  const found = createFoundCounters();
  const end = bytes.byteLength;
  while (r.pos < end) {
    const tag = readTag(r, end);
    if (tag === 0x0a) readIdentifier(r, readExtent(r, end), message);
    else if (tag === 0x12) readFamily(r, readExtent(r, end), found.take);
    else skipField(r, tag, end);
  }
  if (r.fault === 'none') message.counters = found.counters();
  closeWire(r);
  return message;
}

/** `MetricFamily`: name = 1, metric = 4. */
function readFamily(r: WireReader, end: number, take: (name: string, value: number) => void): void {
  let name = '';
  while (r.pos < end) {
    const tag = readTag(r, end);
    if (tag === 0x0a) {
      const nameEnd = readExtent(r, end);
      name = r.bytes.toString('utf8', r.pos, Math.min(nameEnd, end));
      r.pos = nameEnd;
    } else if (tag === 0x22) take(name, readMetric(r, readExtent(r, end)));
    else skipField(r, tag, end);
  }
}

/** `Metric`: gauge = 2, counter = 3, each with a double as value = 1; NaN for other kinds. */
function readMetric(r: WireReader, end: number): number {
  let value = Number.NaN;
  while (r.pos < end) {
    const tag = readTag(r, end);
    if (tag !== 0x12 && tag !== 0x1a) {
      skipField(r, tag, end);
      continue;
    }
    const valueEnd = readExtent(r, end);
    // An empty message is a zero.
    value = 0;
    while (r.pos < valueEnd) {
      const valueTag = readTag(r, valueEnd);
      if (valueTag === 0x09 && r.pos + 8 <= valueEnd) value = r.bytes.readDoubleLE(r.pos);
      skipField(r, valueTag, valueEnd);
    }
  }
  return value;
}

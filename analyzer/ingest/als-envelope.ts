import { closeWire, openWire, readExtent, readTag, skipField, type WireReader } from './wire-reader.ts';

/** What a `StreamAccessLogsMessage` says about itself and its stream. */
export interface AlsEnvelope {
  /** Only the first message of a stream has one. */
  identifier?: AlsIdentifier;
  /** Entries of any kind; an unreadable rest counts as one. Equals the sum of what `AlsDecoder.decode` counts. */
  entries: number;
}

export interface AlsIdentifier {
  nodeId: string;
  cluster: string;
  logName: string;
}

/** Longer ids are cut: they become map keys and metric-free labels, not data. */
const MAX_IDENTIFIER_BYTES = 512;

/**
 * Walks the outermost two levels of a message: enough to tell who sent it and how much would be lost by dropping it,
 * at a few nanoseconds per entry.
 */
export function readAlsEnvelope(r: WireReader, bytes: Uint8Array): AlsEnvelope {
  openWire(r, bytes);
  const envelope: AlsEnvelope = { entries: 0 };
  const end = bytes.byteLength;
  while (r.pos < end) {
    const tag = readTag(r, end);
    if (tag === 0x0a) {
      const identifierEnd = readExtent(r, end);
      if (r.fault !== 'none') break;
      readIdentifier(r, identifierEnd, envelope);
      // A damaged identifier says nothing, and spoils nothing behind it.
      r.fault = 'none';
      r.pos = identifierEnd;
    }
    // http_logs and tcp_logs: repeated log_entry = 1.
    else if (tag === 0x12 || tag === 0x1a) {
      const logsEnd = readExtent(r, end);
      while (r.pos < logsEnd) {
        const entryTag = readTag(r, logsEnd);
        skipField(r, entryTag, logsEnd);
        if (entryTag === 0x0a && r.fault === 'none') envelope.entries++;
      }
    } else skipField(r, tag, end);
  }
  if (r.fault !== 'none') envelope.entries++;
  closeWire(r);
  return envelope;
}

/** `Identifier`: node = 1, log_name = 2. That of a statistics stream has no log name. */
export function readIdentifier(r: WireReader, end: number, envelope: { identifier?: AlsIdentifier }): void {
  const identifier = envelope.identifier ?? { nodeId: '', cluster: '', logName: '' };
  while (r.pos < end) {
    const tag = readTag(r, end);
    if (tag === 0x0a) {
      const nodeEnd = readExtent(r, end);
      while (r.pos < nodeEnd) {
        const nodeTag = readTag(r, nodeEnd);
        if (nodeTag === 0x0a) identifier.nodeId = readShortText(r, nodeEnd);
        else if (nodeTag === 0x12) identifier.cluster = readShortText(r, nodeEnd);
        else skipField(r, nodeTag, nodeEnd);
      }
    } else if (tag === 0x12) identifier.logName = readShortText(r, end);
    else skipField(r, tag, end);
  }
  if (r.fault === 'none') envelope.identifier = identifier;
}

function readShortText(r: WireReader, end: number): string {
  const textEnd = readExtent(r, end);
  const text = r.bytes.toString('utf8', r.pos, Math.min(textEnd, r.pos + MAX_IDENTIFIER_BYTES));
  r.pos = textEnd;
  return text;
}

import { JA4_CUSTOM_TAG } from '@picket/proto/access-log.ts';
import { type AccessRecord, createAccessRecord, Feed, resetAccessRecord } from './access-record.ts';
import {
  addressText,
  certificateName,
  clearAddress,
  clearCertificate,
  clearTime,
  createWireAddress,
  createWireCertificate,
  createWireTime,
  durationOf,
  milliseconds,
  readAddress,
  readCertificate,
  readTime,
} from './als-parts.ts';
import { shapeHeaderSet } from '../observation.ts';
import { createDynamicMetadata } from './dynamic-metadata.ts';
import { WireHeaders } from './header-fields.ts';
import { createStringCache } from './string-cache.ts';
import {
  closeWire,
  createWireReader,
  openWire,
  readExtent,
  readTag,
  readUint64,
  readVarint32,
  skipField,
} from './wire-reader.ts';

/**
 * Selective decoder of `envoy.service.accesslog.v3.StreamAccessLogsMessage`: reads the fields that `AccessRecord`
 * names straight from the wire format. Decoding messages whole would be most of the analyzer's work, see
 * `test/bench/als-decode.ts` for both figures.
 *
 * One entry that cannot be read is dropped alone. Both `http_logs` and `tcp_logs` of a message are looked at, although
 * protobuf would let the later one win: what arrived is counted.
 */
export interface AlsDecoder {
  /**
   * Calls `sink` for every HTTP entry of `bytes`, always with the same record, valid during the call only. Never throws
   * for any bytes (what `sink` throws passes through).
   */
  decode(bytes: Uint8Array, stream: AlsStream, arrivedAtMs: number, sink: AlsSink): AlsCounts;
}

/** What is known of the stream that a message came on. */
export interface AlsStream {
  /** Becomes `AccessRecord.source`. */
  source: string;
}

export interface AlsSink {
  /** Finished requests. */
  finished(record: AccessRecord): void;
  /** Requests in flight (`DownstreamStart`, `DownstreamPeriodic`, tunnels established). */
  periodic?(record: AccessRecord): void;
}

/** One outcome per entry; the sum is the number of entries. */
export interface AlsCounts {
  finished: number;
  periodic: number;
  /** Entries of upstream access logs: the same requests seen from the other side. */
  upstream: number;
  tcp: number;
  malformed: number;
  truncated: number;
  /** Without common properties, start time or request. */
  missingProperties: number;
  /** Beyond `MAX_ENTRY_BYTES` or `MAX_HEADERS`. */
  tooLarge: number;
}

/** Envoy refuses requests whose headers are over 60 KiB by default; this leaves room where that was raised. */
export const MAX_ENTRY_BYTES = 512 * 1024;
/** Envoy refuses more than 100 headers by default; per direction. */
export const MAX_HEADERS = 256;

const methods = ['', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

export interface AlsDecoderOptions {
  /** `als` unless told; `replay` for captures. */
  feed?: Feed;
  /**
   * Take `original_path`, what the client sent before a route rewrote it, for the path. Envoy fills it from a header
   * that it strips from clients' requests only on edges (`use_remote_address: true`). Anywhere else clients could name
   * any path they like, so false unless told.
   */
  trustOriginalPath?: boolean;
  /** Records are copied and outlive their message: each gets a metadata lookup of its own. */
  detached?: boolean;
}

export function createAlsDecoder(options: AlsDecoderOptions = {}): AlsDecoder {
  const { feed = Feed.als, trustOriginalPath = false, detached = false } = options;
  const r = createWireReader();
  const metadata = createDynamicMetadata(r);
  const record = createAccessRecord(feed, '');
  record.metadata = metadata.get;
  const requestHeaders = new WireHeaders(r);
  const responseHeaders = new WireHeaders(r);
  record.requestHeaders = requestHeaders;
  record.responseHeaders = responseHeaders;
  const strings = createStringCache();
  // Apart from the rest, for paths with an id of their own would push those out.
  const paths = createStringCache();
  const headerNames = createStringCache({ slots: 512, maxBytes: 64, map: (name) => name.toLowerCase() });

  // State of the entry being read, beyond what the record holds. Fields of messages that come twice merge, so nothing
  // is reset before the next entry.
  let hasCommon = false;
  let hasRequest = false;
  let hasResponse = false;
  let tooLarge = false;
  let type = 0;
  let intermediate = false;
  let requestBodyBytes = 0;
  let responseBodyBytes = 0;
  let originalPath = '';
  const start = createWireTime();
  const sent = createWireTime();
  const total = createWireTime();
  const upstream = createWireTime();
  const remote = createWireAddress();
  const direct = createWireAddress();
  const certificate = createWireCertificate();

  return {
    decode(bytes, stream, arrivedAtMs, sink) {
      const counts: AlsCounts = {
        finished: 0,
        periodic: 0,
        upstream: 0,
        tcp: 0,
        malformed: 0,
        truncated: 0,
        missingProperties: 0,
        tooLarge: 0,
      };
      record.source = stream.source;
      record.arrivedAtMs = arrivedAtMs;
      record.loggedRequestHeaders = shapeHeaderSet;
      openWire(r, bytes);
      try {
        readMessage(bytes.byteLength, counts, sink);
      } finally {
        resetAccessRecord(record);
        metadata.clear();
        closeWire(r);
      }
      return counts;
    },
  };

  function readMessage(end: number, counts: AlsCounts, sink: AlsSink): void {
    while (r.pos < end) {
      const tag = readTag(r, end);
      if (tag !== 0x12 && tag !== 0x1a) {
        skipField(r, tag, end);
        continue;
      }
      const logsEnd = readExtent(r, end);
      while (r.pos < logsEnd) {
        const entryTag = readTag(r, logsEnd);
        if (entryTag !== 0x0a) {
          skipField(r, entryTag, logsEnd);
          continue;
        }
        const entryEnd = readExtent(r, logsEnd);
        if (r.fault !== 'none') break;
        if (tag === 0x1a) counts.tcp++;
        else readEntry(entryEnd, counts, sink);
        // An entry that could not be read does not spoil its neighbours: its extent is known.
        r.fault = 'none';
        r.pos = entryEnd;
      }
    }
    if (r.fault === 'malformed') counts.malformed++;
    else if (r.fault === 'truncated') counts.truncated++;
  }

  function readEntry(end: number, counts: AlsCounts, sink: AlsSink): void {
    if (end - r.pos > MAX_ENTRY_BYTES) {
      counts.tooLarge++;
      return;
    }
    resetEntry();
    while (r.pos < end) {
      const tag = readTag(r, end);
      switch (tag) {
        case 0x0a:
          hasCommon = true;
          readCommon(readExtent(r, end));
          break;
        case 0x1a:
          hasRequest = true;
          readRequest(readExtent(r, end));
          break;
        case 0x22:
          hasResponse = true;
          readResponse(readExtent(r, end));
          break;
        default:
          skipField(r, tag, end);
      }
    }
    if (r.fault === 'malformed') counts.malformed++;
    else if (r.fault === 'truncated') counts.truncated++;
    else if (tooLarge) counts.tooLarge++;
    else if (isUpstream(type)) counts.upstream++;
    else if (!hasCommon || !hasRequest || Number.isNaN(milliseconds(start))) counts.missingProperties++;
    else {
      completeRecord();
      if (record.finished) {
        counts.finished++;
        if (detached) record.metadata = metadata.detach();
        sink.finished(record);
      } else {
        counts.periodic++;
        sink.periodic?.(record);
      }
    }
  }

  function resetEntry(): void {
    resetAccessRecord(record);
    metadata.clear();
    hasCommon = hasRequest = hasResponse = tooLarge = intermediate = false;
    type = requestBodyBytes = responseBodyBytes = 0;
    originalPath = '';
    clearTime(start);
    clearTime(sent);
    clearTime(total);
    clearTime(upstream);
    clearAddress(remote);
    clearAddress(direct);
    clearCertificate(certificate);
  }

  function completeRecord(): void {
    record.finished = type === 6 || (type === 0 && !intermediate);
    record.startedAtMs = milliseconds(start);
    record.durationMs = durationOf(sent);
    if (Number.isNaN(record.durationMs)) record.durationMs = durationOf(total);
    record.upstreamMs = durationOf(upstream);
    record.remoteAddress = addressText(remote);
    record.directAddress = addressText(direct);
    // Where a route rewrites the path, `path` is what went upstream.
    if (trustOriginalPath && originalPath !== '') record.path = originalPath;
    record.requestBytes = requestBodyBytes;
    if (hasResponse) record.responseBytes = responseBodyBytes;
    record.peerCertificate = certificateName(certificate);
    if (record.method === '') record.method = (record.requestHeaders.get(':method') ?? '').toUpperCase();
  }

  /** AccessLogCommon. */
  function readCommon(end: number): void {
    while (r.pos < end) {
      const tag = readTag(r, end);
      switch (tag) {
        case 0x12: // downstream_remote_address = 2
          readAddress(r, readExtent(r, end), remote, strings);
          break;
        case 0x22: // tls_properties = 4
          readTls(readExtent(r, end));
          break;
        case 0x2a: // start_time = 5
          readTime(r, readExtent(r, end), start);
          break;
        case 0x52: // time_to_last_upstream_rx_byte = 10
          readTime(r, readExtent(r, end), upstream);
          break;
        case 0x62: // time_to_last_downstream_tx_byte = 12
          readTime(r, readExtent(r, end), sent);
          break;
        case 0x7a: // upstream_cluster = 15
          record.upstreamCluster = readCachedText(end);
          break;
        case 0x8a: {
          // metadata = 17
          const extent = readExtent(r, end);
          if (r.fault === 'none') metadata.add(r.pos, extent);
          r.pos = extent;
          break;
        }
        case 0x9a: // route_name = 19
          record.routeName = readCachedText(end);
          break;
        case 0xa2: // downstream_direct_remote_address = 20
          readAddress(r, readExtent(r, end), direct, strings);
          break;
        case 0xb2: // custom_tags = 22
          readCustomTag(readExtent(r, end));
          break;
        case 0xba: // duration = 23
          readTime(r, readExtent(r, end), total);
          break;
        case 0xd8: // intermediate_log_entry = 27
          intermediate = readVarint32(r, end) !== 0;
          break;
        case 0x108: // access_log_type = 33
          type = readVarint32(r, end);
          break;
        default:
          skipField(r, tag, end);
      }
    }
  }

  /** HTTPRequestProperties. */
  function readRequest(end: number): void {
    while (r.pos < end) {
      const tag = readTag(r, end);
      switch (tag) {
        case 0x08: // request_method = 1
          record.method = methods[readVarint32(r, end)] ?? '';
          break;
        case 0x1a: // authority = 3
          record.authority = readCachedText(end);
          break;
        case 0x2a: // path = 5
          record.path = paths.read(r, readExtent(r, end));
          break;
        case 0x32: // user_agent = 6
          record.userAgent = readCachedText(end);
          break;
        case 0x3a: // referer = 7
          record.referer = readCachedText(end);
          break;
        case 0x4a: // request_id = 9
          record.requestId = readText(end);
          break;
        case 0x52: // original_path = 10
          originalPath = readText(end);
          break;
        case 0x60: // request_body_bytes = 12
          requestBodyBytes = readUint64(r, end);
          break;
        case 0x6a: // request_headers = 13
          readHeader(readExtent(r, end), requestHeaders);
          break;
        default:
          skipField(r, tag, end);
      }
    }
  }

  /** HTTPResponseProperties. */
  function readResponse(end: number): void {
    while (r.pos < end) {
      const tag = readTag(r, end);
      switch (tag) {
        case 0x0a: {
          // response_code = 1, a UInt32Value
          const wrapperEnd = readExtent(r, end);
          while (r.pos < wrapperEnd) {
            const valueTag = readTag(r, wrapperEnd);
            if (valueTag === 0x08) record.status = readVarint32(r, wrapperEnd);
            else skipField(r, valueTag, wrapperEnd);
          }
          break;
        }
        case 0x18: // response_body_bytes = 3
          responseBodyBytes = readUint64(r, end);
          break;
        case 0x22: // response_headers = 4
          readHeader(readExtent(r, end), responseHeaders);
          break;
        case 0x32: // response_code_details = 6
          record.responseCodeDetails = readCachedText(end);
          break;
        default:
          skipField(r, tag, end);
      }
    }
  }

  function readHeader(end: number, headers: WireHeaders): void {
    let name = '';
    let start = 0;
    let valueEnd = 0;
    while (r.pos < end) {
      const tag = readTag(r, end);
      if (tag === 0x0a) name = headerNames.read(r, readExtent(r, end));
      else if (tag === 0x12) {
        valueEnd = readExtent(r, end);
        start = r.pos;
        r.pos = valueEnd;
      } else skipField(r, tag, end);
    }
    if (r.fault !== 'none') return;
    if (headers.size >= MAX_HEADERS && !headers.has(name)) {
      tooLarge = true;
      return;
    }
    headers.add(name, start, valueEnd);
  }

  function readCustomTag(end: number): void {
    let name = '';
    let value = '';
    while (r.pos < end) {
      const tag = readTag(r, end);
      if (tag === 0x0a) name = readCachedText(end);
      else if (tag === 0x12) value = readCachedText(end);
      else skipField(r, tag, end);
    }
    // "-" is how Envoy's formatter writes a value that is not there.
    if (name === JA4_CUSTOM_TAG && r.fault === 'none') record.ja4 = value === '-' ? '' : value;
  }

  /** TLSProperties. */
  function readTls(end: number): void {
    while (r.pos < end) {
      const tag = readTag(r, end);
      if (tag === 0x2a) readCertificate(r, readExtent(r, end), certificate, strings);
      else if (tag === 0x3a) record.ja3 = readCachedText(end);
      else skipField(r, tag, end);
    }
  }

  function readText(end: number): string {
    const textEnd = readExtent(r, end);
    const text = r.bytes.toString('utf8', r.pos, textEnd);
    r.pos = textEnd;
    return text;
  }

  function readCachedText(end: number): string {
    return strings.read(r, readExtent(r, end));
  }
}

/** UpstreamPoolReady, UpstreamPeriodic, UpstreamEnd and everything TCP or UDP says about itself. */
function isUpstream(type: number): boolean {
  return !(type === 0 || type === 4 || type === 5 || type === 6 || type === 10);
}

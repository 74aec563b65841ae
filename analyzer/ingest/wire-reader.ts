/**
 * Protobuf wire format, read without decoding what is not asked for.
 *
 * Nothing here throws: the first fault is kept in `fault` and the position moves past every end, so that all loops
 * (`while (r.pos < end)`) stop and reads answer 0. Plain functions over one object shape, because this is the hottest
 * code of ingest: a method per field would cost a dispatch each.
 */
export interface WireReader {
  /** Always a Buffer: its `toString` is several times faster than TextDecoder on short strings. */
  bytes: Buffer;
  /** The same bytes, for words of four. */
  view: DataView;
  pos: number;
  fault: WireFault;
  /** Low and high 32 bits of the last `readVarint64`, unsigned. */
  low: number;
  high: number;
}

/** `truncated`: something reaches past the end of what encloses it. `malformed`: no encoder writes this. */
export type WireFault = 'none' | 'truncated' | 'malformed';

/** Nesting of unknown groups that is followed; protobuf implementations stop at 100. */
const MAX_GROUP_DEPTH = 32;
const PAST_EVERY_END = 0x7fffffff;
const empty = Buffer.alloc(0);
const emptyView = new DataView(new ArrayBuffer(0));

export function createWireReader(): WireReader {
  return { bytes: empty, view: emptyView, pos: 0, fault: 'none', low: 0, high: 0 };
}

/** Points the reader at `bytes` without copying them. */
export function openWire(r: WireReader, bytes: Uint8Array): void {
  r.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  r.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  r.pos = 0;
  r.fault = 'none';
}

/** Lets go of the bytes. */
export function closeWire(r: WireReader): void {
  r.bytes = empty;
  r.view = emptyView;
  r.pos = PAST_EVERY_END;
}

export function failWire(r: WireReader, fault: WireFault): 0 {
  if (r.fault === 'none') r.fault = fault;
  r.pos = PAST_EVERY_END;
  return 0;
}

/** Field number and wire type in one number, as the schema's `field << 3 | type`. */
export function readTag(r: WireReader, end: number): number {
  const first = r.bytes[r.pos];
  if (first !== undefined && first < 0x80 && r.pos < end) {
    r.pos++;
    return first > 7 ? first : failWire(r, 'malformed');
  }
  const tag = readVarint32(r, end);
  return tag > 7 ? tag : failWire(r, 'malformed');
}

/** The low 32 bits of a varint, unsigned. */
export function readVarint32(r: WireReader, end: number): number {
  const first = r.bytes[r.pos];
  if (first !== undefined && first < 0x80 && r.pos < end) {
    r.pos++;
    return first;
  }
  readVarint64(r, end);
  return r.low;
}

/** Into `low` and `high`. */
export function readVarint64(r: WireReader, end: number): void {
  const { bytes } = r;
  let pos = r.pos;
  let low = 0;
  let high = 0;
  r.low = r.high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (pos >= end) {
      failWire(r, 'truncated');
      return;
    }
    const byte = bytes[pos++] as number;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else if (shift < 63) high |= bits << (shift - 32);
    else high |= (bits & 1) << 31;
    if (byte < 0x80) {
      r.low = low >>> 0;
      r.high = high >>> 0;
      r.pos = pos;
      return;
    }
  }
  failWire(r, 'malformed');
}

/** Exact up to 2^53. */
export function readUint64(r: WireReader, end: number): number {
  readVarint64(r, end);
  return r.high * 4294967296 + r.low;
}

/** Exact up to ±2^53. */
export function readInt64(r: WireReader, end: number): number {
  readVarint64(r, end);
  return (r.high | 0) * 4294967296 + r.low;
}

/**
 * Reads a length and answers where what it covers ends; its start is `r.pos`. After a fault both are past every end, so
 * that loops over the extent do not run and going on behind it changes nothing.
 */
export function readExtent(r: WireReader, end: number): number {
  let length = r.bytes[r.pos];
  if (length !== undefined && length < 0x80 && r.pos < end) {
    r.pos++;
  } else {
    readVarint64(r, end);
    length = r.high === 0 ? r.low : PAST_EVERY_END;
  }
  const extent = r.pos + length;
  if (extent <= end) return extent;
  failWire(r, 'truncated');
  return PAST_EVERY_END;
}

/** Skips the value of a field that nobody asked for. */
export function skipField(r: WireReader, tag: number, end: number, depth = 0): void {
  switch (tag & 7) {
    case 0:
      readVarint64(r, end);
      return;
    case 1:
      advance(r, 8, end);
      return;
    case 2:
      r.pos = readExtent(r, end);
      return;
    case 5:
      advance(r, 4, end);
      return;
    case 3:
      skipGroup(r, tag, end, depth + 1);
      return;
    default:
      failWire(r, 'malformed');
  }
}

function advance(r: WireReader, count: number, end: number): void {
  if (r.pos + count > end) failWire(r, 'truncated');
  else r.pos += count;
}

function skipGroup(r: WireReader, startTag: number, end: number, depth: number): void {
  if (depth > MAX_GROUP_DEPTH) {
    failWire(r, 'malformed');
    return;
  }
  while (r.pos < end) {
    const tag = readTag(r, end);
    if ((tag & 7) === 4) {
      if (tag >>> 3 !== startTag >>> 3) failWire(r, 'malformed');
      return;
    }
    skipField(r, tag, end, depth);
  }
  failWire(r, 'truncated');
}

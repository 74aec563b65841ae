/**
 * Observation ↔ row of `observations`. Every word of the binary record has a column, so that a replay reads the bytes
 * that were processed, bit by bit.
 *
 * Written and read as RowBinary, read in the order of the record, which makes a row's first 256 bytes the record itself.
 */
import { F, type ObservationBatch, STRIDE } from '../observation.ts';
import { createRowBytes } from './row-bytes.ts';
import { type ObservationRow, StoreError } from './store.ts';

/** How a field is kept: whole number, float64, float64 or unknown, 64-bit hash, 32-bit number. */
type FieldKind = 'whole' | 'float' | 'optional' | 'hash' | 'word';

interface ObservationField {
  field: keyof typeof F;
  column: string;
  kind: FieldKind;
  codec?: string;
}

const hash = (field: keyof typeof F, column: string): ObservationField => ({ field, column, kind: 'hash' });

/** In the order of the record. */
export const observationFields: readonly ObservationField[] = [
  { field: 'seq', column: 'seq', kind: 'whole', codec: 'Delta, ZSTD' },
  { field: 'eventAt', column: 'event_at', kind: 'float', codec: 'Gorilla, ZSTD' },
  { field: 'startedAt', column: 'started_at', kind: 'float', codec: 'Gorilla, ZSTD' },
  { field: 'arrivedAt', column: 'arrived_at', kind: 'float', codec: 'Gorilla, ZSTD' },
  { field: 'durationMs', column: 'duration_ms', kind: 'optional' },
  { field: 'upstreamMs', column: 'upstream_ms', kind: 'optional' },
  { field: 'requestBytes', column: 'request_bytes', kind: 'optional' },
  { field: 'responseBytes', column: 'response_bytes', kind: 'optional' },
  { field: 'amount', column: 'amount', kind: 'optional' },
  { field: 'objectDelta', column: 'object_delta', kind: 'optional' },
  hash('user', 'user'),
  hash('app', 'app'),
  hash('token', 'token'),
  hash('session', 'session'),
  hash('device', 'device'),
  hash('address', 'address'),
  hash('network', 'network'),
  hash('workload', 'workload'),
  hash('account', 'account'),
  hash('operation', 'operation'),
  hash('userAgent', 'user_agent'),
  hash('ja4', 'ja4'),
  hash('object', 'object'),
  hash('path', 'path'),
  hash('counterparty', 'counterparty'),
  hash('api', 'api_hash'),
  { field: 'asn', column: 'asn', kind: 'word' },
  { field: 'flags', column: 'flags', kind: 'word' },
  { field: 'signals', column: 'signals', kind: 'word' },
  { field: 'headerShape', column: 'header_shape', kind: 'word' },
  { field: 'status', column: 'status', kind: 'word' },
  { field: 'kinds', column: 'kinds', kind: 'word' },
  hash('target', 'target'),
  { field: 'source', column: 'source', kind: 'word' },
];

const typeOf: Readonly<Record<FieldKind, string>> = {
  whole: 'UInt64',
  float: 'Float64',
  optional: 'Nullable(Float64)',
  hash: 'UInt64',
  word: 'UInt32',
};

/** Column definitions of `observations`, without those that the server fills in. */
export const observationColumns: readonly string[] = [
  'api LowCardinality(String)',
  'method LowCardinality(String)',
  'template LowCardinality(String)',
  'request_id String CODEC(ZSTD)',
  ...observationFields.map((f) => `${f.column} ${typeOf[f.kind]}${f.codec ? ` CODEC(${f.codec})` : ''}`),
];

/** Columns of an insert, in the order in which `encodeObservationRows` writes them. */
export const observationInsertColumns: readonly [string, ...string[]] = [
  'api',
  'method',
  'template',
  'request_id',
  ...observationFields.map((f) => f.column),
];

const binaryOf: Readonly<Record<FieldKind, (column: string) => string>> = {
  whole: (column) => `toFloat64(${column})`,
  float: (column) => column,
  optional: (column) => `ifNull(${column}, nan)`,
  hash: (column) => column,
  word: (column) => column,
};

/** Select list whose RowBinary form is the record followed by the request id. */
export const observationSelectList: string = [
  ...observationFields.map((f) => binaryOf[f.kind](f.column)),
  // Words 61 to 63 of the record are unused.
  'toUInt32(0)',
  'toUInt64(0)',
  'request_id',
].join(', ');

const offsets = Uint8Array.from(observationFields, (f) => F[f.field]);
const WHOLE = 0;
const FLOAT = 1;
const OPTIONAL = 2;
const HASH = 3;
const WORD = 4;
const codeOf: Readonly<Record<FieldKind, number>> = {
  whole: WHOLE,
  float: FLOAT,
  optional: OPTIONAL,
  hash: HASH,
  word: WORD,
};
const codes = Uint8Array.from(observationFields, (f) => codeOf[f.kind]);
/** Typical size of an encoded row; a wrong guess costs one copy. */
const EXPECTED_ROW_BYTES = 360;
/** Longest that a field becomes. */
const MAX_FIELD_BYTES = 9;

/** Rows as RowBinary, in the order of `observationInsertColumns`. */
export function encodeObservationRows(rows: readonly ObservationRow[]): Buffer {
  const out = createRowBytes(rows.length * EXPECTED_ROW_BYTES);
  const fields = offsets.length;
  for (const row of rows) {
    const { u32, f64 } = row.batch;
    const base = row.index * STRIDE;
    out.text(row.api);
    out.text(row.method);
    out.text(row.template);
    out.text(row.batch.requestIds[row.index] ?? '');
    out.reserve(fields * MAX_FIELD_BYTES);
    for (let i = 0; i < fields; i++) {
      const word = base + (offsets[i] as number);
      switch (codes[i]) {
        case HASH:
          out.uint32(u32[word] as number);
          out.uint32(u32[word + 1] as number);
          break;
        case WORD:
          out.uint32(u32[word] as number);
          break;
        case FLOAT:
          out.float64(f64[word >> 1] as number);
          break;
        case OPTIONAL:
          out.nullable(f64[word >> 1] as number);
          break;
        default:
          out.uint64(f64[word >> 1] as number);
      }
    }
  }
  return out.bytes();
}

const RECORD_BYTES = STRIDE * 4;

/**
 * Appends the rows of a RowBinary answer to `page`.
 * @throws StoreError `unreadable` when the bytes end inside a row.
 */
export function decodeObservationRows(bytes: Uint8Array, page: ObservationBatch): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    let cursor = at + RECORD_BYTES;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[cursor++];
      if (byte === undefined || shift > 28) throw new StoreError('unreadable', 'observation row cut short', true);
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if (cursor + length > bytes.length) throw new StoreError('unreadable', 'observation row cut short', true);
    const base = page.append();
    for (let word = 0; word < STRIDE; word++) page.u32[base + word] = view.getUint32(at + word * 4, true);
    page.requestIds[page.length - 1] = text.toString('utf8', cursor, cursor + length);
    at = cursor + length;
  }
}

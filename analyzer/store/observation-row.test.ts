import { expect, it } from 'vitest';
import { F, ObservationBatch, STRIDE } from '../observation.ts';
import {
  decodeObservationRows,
  encodeObservationRows,
  observationFields,
  observationInsertColumns,
} from './observation-row.ts';

it('has a column for every field of a record, in the order of the record', () => {
  expect(observationFields.map((f) => f.field).sort()).toEqual(Object.keys(F).sort());
  const offsets = observationFields.map((f) => F[f.field]);
  expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
});

it('covers the words of a record without a hole up to the unused end', () => {
  let word = 0;
  for (const { field, kind } of observationFields) {
    expect(F[field]).toBe(word);
    word += kind === 'word' ? 1 : 2;
  }
  expect(word).toBe(61);
});

it('writes a row per observation in the order of the columns', () => {
  const batch = new ObservationBatch();
  for (let i = 0; i < 3; i++) {
    const base = batch.append();
    batch.f64[base >> 1] = i + 1;
    batch.u32[base + F.user] = 1;
    batch.u32[base + F.user + 1] = 0x80000000;
    batch.f64[(base + F.durationMs) >> 1] = Number.NaN;
    batch.requestIds[i] = `id "${i}"`;
  }
  const rows = [0, 2].map((index) => ({ batch, index, api: 'shop/shop', method: 'GET', template: '/a/{id}' }));
  const bytes = encodeObservationRows(rows);
  const texts = 'shop/shop'.length + 'GET'.length + '/a/{id}'.length + 'id "0"'.length + 4;
  // Of six optional numbers of eight bytes and a mark each, one is null.
  const numbers = 61 * 4 + 6 - 8;
  expect(bytes.length).toBe(2 * (texts + numbers));
  const second = bytes.subarray(texts + numbers);
  expect(second.toString('latin1', 0, texts)).toBe('\x09shop/shop\x03GET\x07/a/{id}\x06id "2"');
  expect(second.readBigUInt64LE(texts)).toBe(3n);
  expect(second[texts + 32]).toBe(1);
  expect(second.readBigUInt64LE(texts + 32 + 1 + 5 * 9)).toBe(9223372036854775809n);
  expect(observationInsertColumns.slice(0, 5)).toEqual(['api', 'method', 'template', 'request_id', 'seq']);
});

it('reads records back from their binary rows and refuses bytes that end inside a row', () => {
  const source = new ObservationBatch();
  for (let i = 0; i < 4; i++) {
    const base = source.append();
    for (let word = 0; word < 61; word++) source.u32[base + word] = (i * 61 + word) * 0x9e3779b1;
    source.requestIds[i] = 'é'.repeat(i * 50);
  }
  const rows = Buffer.concat(
    source.requestIds.map((id, i) => {
      const name = Buffer.from(id);
      const length = name.length < 128 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
      return Buffer.concat([
        Buffer.from(source.buffer as ArrayBuffer, i * STRIDE * 4, STRIDE * 4),
        Buffer.from(length),
        name,
      ]);
    }),
  );
  const page = new ObservationBatch(1);
  decodeObservationRows(rows, page);
  expect(page.length).toBe(4);
  expect(page.u32.slice(0, 4 * STRIDE)).toEqual(source.u32.slice(0, 4 * STRIDE));
  expect(page.requestIds).toEqual(source.requestIds);
  for (const end of [1, 255, 256, rows.length - 1]) {
    expect(() => decodeObservationRows(rows.subarray(0, end), new ObservationBatch())).toThrow('cut short');
  }
});

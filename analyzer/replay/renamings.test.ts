import { expect, it } from 'vitest';
import { createKeyRing, retireKey, rotateKeyRing } from '../identify/key-ring.ts';
import { renamingsFromRow, renamingsToRow } from './renamings.ts';

let made = 0;
const random = (count: number): Uint8Array => new Uint8Array(count).fill(++made);
const renaming = { seq: 7, at: 1_790_000_000_000, from: { lo: 1, hi: 0xffffffff }, to: { lo: 3, hi: 4 } };

it('can be read back while the key lives that they were sealed under, and not by the key before', () => {
  const old = createKeyRing(random, 0);
  const ring = rotateKeyRing(old, random, 0, 1000);
  const row = renamingsToRow([renaming], ring.active, random(12));
  expect(renamingsFromRow(row, ring)).toEqual([renaming]);
  expect(renamingsFromRow(row, retireKey(ring))).toEqual([renaming]);
  const next = rotateKeyRing(retireKey(ring), random, 2000, 1000);
  expect(renamingsFromRow(row, next)).toEqual([renaming]);
  for (const without of [retireKey(next), old, undefined]) expect(renamingsFromRow(row, without)).toBeUndefined();
});

it('say nothing in clear, and nothing at all when they were tampered with', () => {
  const ring = createKeyRing(random, 0);
  const row = renamingsToRow([renaming], ring.active, random(12));
  expect(Buffer.from(row.body, 'base64').toString('latin1')).not.toContain('4294967295');
  const bytes = Buffer.from(row.body, 'base64');
  bytes[20] = (bytes[20] as number) ^ 1;
  for (const body of [bytes.toString('base64'), '', 'AAAA'])
    expect(renamingsFromRow({ ...row, body }, ring)).toBeUndefined();
});

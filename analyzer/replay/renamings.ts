/**
 * Renamings as they are logged among the inputs: which pseudonym came in the place of which. Whoever knows them and an
 * old key could follow people across a rotation, so they are sealed under the new key and can be read as long as it lives.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { KeyRing, RingKey } from '../identify/key-ring.ts';
import type { Renaming } from '../profile/aliases.ts';
import type { InputRow } from '../store/store.ts';

/** In force for records from this sequence number on. */
export interface LoggedRenaming extends Renaming {
  seq: number;
  /** Event time, Unix ms. */
  at: number;
}

export const RENAMED = 'key';

/** Per row, so that none grows beyond what a store takes. */
export const maxRenamingsPerRow = 2_000;

const cipher = 'aes-256-gcm';

/** @param nonce 12 bytes that are never used again under this key */
export function renamingsToRow(
  renamings: readonly LoggedRenaming[],
  key: RingKey,
  nonce: Uint8Array,
): Pick<InputRow, 'kind' | 'key' | 'body'> {
  const plain = JSON.stringify(renamings.map(({ seq, at, from, to }) => [seq, at, from.lo, from.hi, to.lo, to.hi]));
  const seal = createCipheriv(cipher, sealingKey(key), nonce);
  const body = Buffer.concat([nonce, seal.update(plain, 'utf8'), seal.final(), seal.getAuthTag()]);
  return { kind: RENAMED, key: key.id, body: body.toString('base64') };
}

/** Undefined when none of the ring's keys is the one it was sealed under, or the row is none of ours. */
export function renamingsFromRow(
  row: Pick<InputRow, 'key' | 'body'>,
  ring: KeyRing | undefined,
): LoggedRenaming[] | undefined {
  const key = [ring?.active, ring?.previous].find((k) => k?.id === row.key);
  if (!key) return undefined;
  const bytes = Buffer.from(row.body, 'base64');
  try {
    const open = createDecipheriv(cipher, sealingKey(key), bytes.subarray(0, 12));
    open.setAuthTag(bytes.subarray(-16));
    const plain = Buffer.concat([open.update(bytes.subarray(12, -16)), open.final()]).toString('utf8');
    return (JSON.parse(plain) as [number, number, number, number, number, number][]).map(
      ([seq, at, fromLo, fromHi, toLo, toHi]) => ({
        seq,
        at,
        from: { lo: fromLo, hi: fromHi },
        to: { lo: toLo, hi: toHi },
      }),
    );
  } catch {
    return undefined;
  }
}

function sealingKey(key: RingKey): Buffer {
  return Buffer.from(hkdfSync('sha256', key.secret, new Uint8Array(0), 'picket/renamings/v1', 32));
}

/**
 * From raw value to 64-bit pseudonym: SipHash-2-4 under a subkey per kind of value, which HKDF-SHA-256 derives from the
 * ring, so that the same text as a session and as an account gives two unrelated numbers.
 *
 * Pseudonyms are not scoped by API: one person on two APIs is one principal. What must stay apart has its own ring.
 */
import { hkdfSync } from 'node:crypto';
import { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createGenerationMap, hashKey } from './generation-map.ts';
import type { KeyRing, RingKey } from './key-ring.ts';
import type { Renaming } from '../profile/aliases.ts';
import { digest, type SipKey, siphash } from './siphash.ts';

/** What a pseudonym stands for: the principal kinds, and the values that are none. Numbers are stored: never renumber. */
export const ValueKind = {
  User: PrincipalKind.USER,
  App: PrincipalKind.APP,
  Token: PrincipalKind.TOKEN,
  Session: PrincipalKind.SESSION,
  Device: PrincipalKind.DEVICE,
  Address: PrincipalKind.ADDRESS,
  Network: PrincipalKind.NETWORK,
  Workload: PrincipalKind.WORKLOAD,
  Account: 32,
  UserAgent: 33,
  Ja4: 34,
  Object: 35,
  Counterparty: 36,
  Path: 37,
} as const;
export type ValueKind = (typeof ValueKind)[keyof typeof ValueKind];

/** Hashed under the rotating key: whoever rotates wants old rows to stop naming these. */
const rotating: readonly ValueKind[] = [1, 2, 3, 4, 6, 7, 8, 32, 36];
const fixed: readonly ValueKind[] = [5, 33, 34, 35, 37];
const kinds = 38;

export interface Pseudonymiser {
  /** Id of the active key, for the inputs log. */
  readonly keyId: string;
  /** Hashes `text` into `digest`. During an overlap also reports the renaming, once per value. */
  hash(kind: ValueKind, text: string, eventAt: number): void;
  /** Subkey of a kind, for hashes with a scope. */
  key(kind: ValueKind): SipKey;
}

/**
 * @param onRename called once per value and process while event time is within the overlap. Within a bound: of more
 *   than 2^19 values some are reported twice, so the receiver must not mind.
 */
export function createPseudonymiser(
  ring: KeyRing,
  onRename: (renaming: Renaming, eventAt: number) => void,
): Pseudonymiser {
  const active = deriveKeys(ring, ring.active);
  const previous = ring.previous ? deriveKeys(ring, ring.previous) : undefined;
  const migrated = createGenerationMap<number, true>(1 << 18);
  const rotates = new Set<ValueKind>(rotating);
  return {
    keyId: ring.active.id,
    key: (kind) => active[kind] as SipKey,
    hash(kind, text, eventAt) {
      siphash(active[kind] as SipKey, text);
      if (previous === undefined || eventAt >= ring.overlapUntilMs || !rotates.has(kind)) return;
      const { lo, hi } = digest;
      const key = hashKey(lo, hi);
      if (migrated.get(key)) return;
      migrated.set(key, true);
      siphash(previous[kind] as SipKey, text);
      onRename({ from: { lo: digest.lo, hi: digest.hi }, to: { lo, hi } }, eventAt);
      digest.lo = lo;
      digest.hi = hi;
    },
  };
}

function deriveKeys(ring: KeyRing, key: RingKey): SipKey[] {
  const keys: SipKey[] = Array.from({ length: kinds }, () => new Uint32Array(4));
  for (const kind of rotating) keys[kind] = derive(key.secret, kind);
  for (const kind of fixed) keys[kind] = derive(ring.contentSecret, kind);
  return keys;
}

function derive(secret: Uint8Array, kind: ValueKind): SipKey {
  return new Uint32Array(hkdfSync('sha256', secret, new Uint8Array(0), `picket/pseudonym/v1/${kind}`, 16));
}

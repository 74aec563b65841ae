/**
 * The only place that can turn a pseudonym back into a value: bounded, in memory, never logged or written. A decision
 * asks it for a match value, `picket analyze` for names to show.
 */
import { createGenerationMap, hashKey } from './generation-map.ts';
import type { ValueKind } from './pseudonym.ts';

export interface EscrowedValue {
  /** The value itself, or the part of it that is no secret. */
  value: string;
  /** Envoy vouched for the value at least once. */
  verified: boolean;
  /** How the value may become a match key; `none` = only to be shown. */
  matchAs: 'value' | 'prefix' | 'none';
}

export interface Escrow {
  /** Secrets are kept only where this says `all`. */
  readonly retain: EscrowRetention;
  put(
    kind: ValueKind,
    lo: number,
    hi: number,
    value: string,
    verified: boolean,
    matchAs: EscrowedValue['matchAs'],
  ): void;
  /** What was put or touched at generation g is held through g + 1: no need to touch it again before. */
  generation(kind: ValueKind): number;
  /** True when held; keeps it from being forgotten. */
  touch(kind: ValueKind, lo: number, hi: number): boolean;
  reveal(kind: ValueKind, lo: number, hi: number): EscrowedValue | undefined;
  /** Forgets one value, for an erasure request. */
  erase(kind: ValueKind, lo: number, hi: number): void;
  size(): number;
}

/** `enforceable`: what may become a match key or is no secret. `all`: everything, for a run that stores nothing. */
export type EscrowRetention = 'enforceable' | 'all';

interface Entry extends EscrowedValue {
  lo: number;
}

/** @param capacityPerKind values per kind and generation; at most twice as many are held. */
export function createEscrow(options: { capacityPerKind?: number; retain?: EscrowRetention } = {}): Escrow {
  const capacity = options.capacityPerKind ?? 65_536;
  const tables = Array.from({ length: 38 }, () => createGenerationMap<number, Entry>(capacity));

  function find(kind: ValueKind, lo: number, hi: number): Entry | undefined {
    const entry = tables[kind]?.get(hashKey(lo, hi));
    return entry !== undefined && entry.lo === lo ? entry : undefined;
  }

  return {
    retain: options.retain ?? 'enforceable',
    put(kind, lo, hi, value, verified, matchAs) {
      const held = find(kind, lo, hi);
      if (held) {
        held.verified ||= verified;
        if (matchAs !== 'none') {
          held.value = value;
          held.matchAs = matchAs;
        }
      } else tables[kind]?.set(hashKey(lo, hi), { value, verified, matchAs, lo });
    },
    generation: (kind) => tables[kind]?.generation() ?? 0,
    touch: (kind, lo, hi) => find(kind, lo, hi) !== undefined,
    reveal(kind, lo, hi) {
      const entry = find(kind, lo, hi);
      return entry && { value: entry.value, verified: entry.verified, matchAs: entry.matchAs };
    },
    erase(kind, lo, hi) {
      tables[kind]?.delete(hashKey(lo, hi));
    },
    size: () => tables.reduce((sum, table) => sum + table.size(), 0),
  };
}

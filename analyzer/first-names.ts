/**
 * Observations as the analysis sees them: every pseudonym is the first of its principal. Rows are stored under the active
 * key, so a record is turned for the analysis only and while a tick is open it stays as it came.
 */
import { F } from './observation.ts';
import { hex16 } from './profile/hash.ts';
import { Aliases, type AliasesState, type Renaming } from './profile/aliases.ts';

export interface FirstNames {
  /** Records that come after this may carry the new pseudonym. False when that is known already. */
  rename(renaming: Renaming, at: number): boolean;
  /** Puts record `base` under first pseudonyms, until `leave` puts back what it carried. */
  enter(u32: Uint32Array, base: number, at: number): void;
  leave(u32: Uint32Array): void;
  /** The records that were entered since the last call, to be turned for good when their tick runs. */
  takeTurned(): Turned;
  /** The latest pseudonym of a principal, 16 hex digits both. */
  latest(pseudonym: string): string;
  save(): AliasesState;
  load(state: AliasesState): void;
}

/** Word offset, low and high, one after the other. */
export type Turned = number[];

/** Fields hashed under the rotating key. */
const renamed = [F.user, F.app, F.token, F.session, F.address, F.network, F.workload, F.account, F.counterparty];

export function createFirstNames(): FirstNames {
  const aliases = new Aliases();
  let turned: Turned = [];
  /** What the record that is entered came with. */
  const carried: Turned = [];
  return {
    rename: (renaming, at) => aliases.add(renaming, (at / 1000) >>> 0),
    enter(u32, base, at) {
      if (aliases.isEmpty) return;
      const seconds = (at / 1000) >>> 0;
      for (let i = 0; i < renamed.length; i++) {
        const field = base + (renamed[i] as number);
        const [lo, hi] = [u32[field] as number, u32[field + 1] as number];
        if ((lo | hi) === 0 || !aliases.toFirst(lo, hi, seconds)) continue;
        carried.push(field, lo, hi);
        turned.push(field, aliases.lo, aliases.hi);
        u32[field] = aliases.lo;
        u32[field + 1] = aliases.hi;
      }
    },
    leave(u32) {
      if (carried.length === 0) return;
      turn(u32, carried);
      carried.length = 0;
    },
    takeTurned() {
      const taken = turned;
      turned = [];
      return taken;
    },
    latest(pseudonym) {
      const [lo, hi] = [Number.parseInt(pseudonym.slice(8), 16), Number.parseInt(pseudonym.slice(0, 8), 16)];
      if (!aliases.toLatest(lo, hi)) return pseudonym;
      return hex16(aliases.lo, aliases.hi);
    },
    save: () => aliases.save(),
    load: (state) => aliases.load(state),
  };
}

/** Turns the records of a tick that is about to run. */
export function turn(u32: Uint32Array, turned: Turned): void {
  for (let i = 0; i < turned.length; i += 3) {
    const at = turned[i] as number;
    u32[at] = turned[i + 1] as number;
    u32[at + 1] = turned[i + 2] as number;
  }
}

/**
 * Identities that belong together. What was seen in one successful login is one party, and so is a verified user and
 * the session or token that it uses: what one earned, the others inherit.
 *
 * Everything is read from the observation record, so that a replay of stored rows finds the same links.
 */
import { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { F, Flag, Outcome } from '../observation.ts';
import { FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createGenerationMap, hashKey } from './generation-map.ts';
import { ValueKind } from './pseudonym.ts';

export interface IdentityLink {
  a: { kind: ValueKind; lo: number; hi: number };
  b: { kind: ValueKind; lo: number; hi: number };
  /** Event time of the request that showed it, Unix ms. */
  at: number;
}

export interface IdentityLinker {
  /** Reports the links that record `base` of the batch shows for the first time. */
  read(u32: Uint32Array, f64: Float64Array, base: number): void;
}

interface Field {
  kind: ValueKind;
  offset: number;
}

const loginFields: readonly Field[] = [
  { kind: ValueKind.Account, offset: F.account },
  { kind: ValueKind.User, offset: F.user },
  { kind: ValueKind.Session, offset: F.session },
  { kind: ValueKind.Token, offset: F.token },
  { kind: ValueKind.Address, offset: F.address },
];
const holders: readonly Field[] = [
  { kind: PrincipalKind.SESSION, offset: F.session },
  { kind: PrincipalKind.TOKEN, offset: F.token },
];

/**
 * @param onLink called once per pair while it is remembered; of more than `2 × capacity` pairs some come twice, so the
 *   receiver must not mind.
 */
export function createIdentityLinker(onLink: (link: IdentityLink) => void, capacity = 65_536): IdentityLinker {
  const known = createGenerationMap<number, true>(capacity);

  function link(u32: Uint32Array, base: number, a: Field, b: Field, at: number): void {
    const aLo = u32[base + a.offset] as number;
    const aHi = u32[base + a.offset + 1] as number;
    const bLo = u32[base + b.offset] as number;
    const bHi = u32[base + b.offset + 1] as number;
    if ((aLo | aHi) === 0 || (bLo | bHi) === 0) return;
    // Pseudonyms of different kinds are unrelated, so their sum names the pair.
    const key = hashKey((aLo + Math.imul(bLo, 31)) >>> 0, (aHi ^ Math.imul(bHi, 0x9e3779b1)) >>> 0);
    if (known.get(key)) return;
    known.set(key, true);
    onLink({ a: { kind: a.kind, lo: aLo, hi: aHi }, b: { kind: b.kind, lo: bLo, hi: bHi }, at });
  }

  return {
    read(u32, f64, base) {
      const kinds = u32[base + F.kinds] as number;
      const flags = u32[base + F.flags] as number;
      const at = f64[(base + F.eventAt) >> 1] as number;
      if (((kinds >>> 8) & 255) === FlowType.LOGIN && ((kinds >>> 16) & 255) === Outcome.success) {
        for (let i = 0; i < loginFields.length; i++) {
          for (let j = i + 1; j < loginFields.length; j++) {
            const a = loginFields[i] as Field;
            // A user nobody verified may be anybody: it earns nothing and lends nothing.
            if (a.kind === ValueKind.User && (flags & Flag.userVerified) === 0) continue;
            const b = loginFields[j] as Field;
            if (b.kind === ValueKind.User && (flags & Flag.userVerified) === 0) continue;
            link(u32, base, a, b, at);
          }
        }
      } else if ((flags & Flag.userVerified) !== 0) {
        const user = loginFields[1] as Field;
        for (const holder of holders) link(u32, base, user, holder, at);
      }
    },
  };
}

/** Whether and how a principal can be named to Envoy. */
import { type CompiledPolicy, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Escrow } from './escrow.ts';
import type { ValueKind } from './pseudonym.ts';

export type MatchKey =
  | {
      ok: true;
      /** The verified value, the non-secret prefix, the address ("192.0.2.7", "2001:db8::/64") or network in CIDR. */
      value: string;
      as: 'value' | 'prefix';
    }
  | { ok: false; reason: 'NoSafeMatchKey' | 'Unverified' | 'ValueForgotten'; message: string };

/** @param policy of the API the decision is for; undefined when it is gone. */
export function resolveMatchKey(
  escrow: Escrow,
  policy: CompiledPolicy | undefined,
  kind: ValueKind,
  lo: number,
  hi: number,
): MatchKey {
  const isAddress = kind === PrincipalKind.ADDRESS || kind === PrincipalKind.NETWORK;
  if (!isAddress && !policy?.principals.some((rule) => rule.kind === kind && rule.enforceAs.case !== undefined)) {
    return {
      ok: false,
      reason: 'NoSafeMatchKey',
      message: `no principal rule of ${policy?.api ?? 'the API'} for this kind sets enforceAs`,
    };
  }
  const held = escrow.reveal(kind, lo, hi);
  if (!held) {
    return { ok: false, reason: 'ValueForgotten', message: 'the value was not seen lately and is no longer held' };
  }
  if (isAddress) return { ok: true, value: held.value, as: 'value' };
  if (held.matchAs === 'none') {
    return { ok: false, reason: 'NoSafeMatchKey', message: 'the value came by a rule without enforceAs' };
  }
  if (held.matchAs === 'value' && !held.verified) {
    return { ok: false, reason: 'Unverified', message: 'Envoy never vouched for this value, so anybody can claim it' };
  }
  return { ok: true, value: held.value, as: held.matchAs };
}

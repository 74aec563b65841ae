/** Requests of a made-up shop as observation records, for tests of who belongs to whom. */
import { FlowType } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { F, Flag, ObservationBatch, Outcome } from '../../observation.ts';
import { fold, hex16 } from '../../profile/hash.ts';

export interface Asked {
  at: number;
  account?: string;
  /** A login, and whether it succeeded. */
  login?: 'success' | 'failure';
  session?: string;
  token?: string;
  tokenIssued?: boolean;
  user?: string;
  /** Envoy did not vouch for `user`. */
  unverified?: boolean;
  exempt?: boolean;
  network?: string;
  address?: string;
  agent?: string;
  seq?: number;
}

/** Deterministic stand-in for a pseudonym. */
export function pseudonymOf(text: string): [lo: number, hi: number] {
  let a = 7;
  for (let i = 0; i < text.length; i++) a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
  return [fold(a, text.length), fold(~a, 77)];
}

export function hexOf(text: string): string {
  return hex16(...pseudonymOf(text));
}

/** A batch with this one record, at base 0. */
export function recordOf(asked: Asked): ObservationBatch {
  const batch = new ObservationBatch(1);
  const base = batch.append();
  const { u32, f64 } = batch;
  const put = (field: number, text: string | undefined): void => {
    if (text !== undefined) [u32[base + field], u32[base + field + 1]] = pseudonymOf(text);
  };
  const { network = '198.51.100', agent = 'browser' } = asked;
  f64[(base + F.eventAt) >> 1] = asked.at;
  f64[(base + F.seq) >> 1] = asked.seq ?? 0;
  put(F.account, asked.account);
  put(F.session, asked.session);
  put(F.token, asked.token);
  put(F.user, asked.user);
  put(F.network, network);
  put(F.address, asked.address ?? `${network}.1`);
  put(F.userAgent, agent);
  u32[base + F.flags] =
    (asked.session ? Flag.sessionVerified : 0) |
    (asked.token ? Flag.tokenVerified : 0) |
    (asked.tokenIssued ? Flag.tokenIssued : 0) |
    (asked.exempt ? Flag.exempt : 0) |
    (asked.user && !asked.unverified ? Flag.userVerified : 0);
  const outcome = asked.login === 'success' ? Outcome.success : asked.login ? Outcome.failure : Outcome.unknown;
  u32[base + F.kinds] = 1 | ((asked.login ? FlowType.LOGIN : 0) << 8) | (outcome << 16);
  return batch;
}

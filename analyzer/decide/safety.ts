/**
 * Limits on what may be acted on (invariant 9). Shares are counted over principals in good standing before the incident,
 * so that an attacker's own numbers neither raise nor spend them, and what is in force is never lifted.
 */
import type { PrincipalKind, Safety } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Standing } from '../profile/standing-count.ts';
import type { Tally } from './in-force.ts';

export interface SafetyView {
  /** Principals in good standing by kind; undefined until the first count. */
  standing: Standing | undefined;
  /** Decisions in force by kind that refuse or slow, without the one on the principal that is judged. */
  inForce: (kind: PrincipalKind) => Tally;
}

export type SafetyAnswer =
  | { ok: true }
  /** Too much is in force: act more mildly than Deny. */
  | { ok: false; soften: true; message: string }
  /** Established principals would be hit: these look like false positives, so the policy stops here. */
  | { ok: false; soften: false; message: string };

export interface SafetyLimits {
  maxShareOfPrincipals: number;
  maxShareOfRequests: number;
  minBaselineMs: number;
  maxPrincipalsPerAddress: number;
}

/** Product defaults, for a policy that says nothing of safety. */
const defaultSafety: SafetyLimits = {
  maxShareOfPrincipals: 0.01,
  maxShareOfRequests: 0.02,
  minBaselineMs: 86_400_000,
  maxPrincipalsPerAddress: 5,
};

/** The limits of a policy. A zero that somebody wrote is a zero: the compiler has filled in what was left out. */
export function limitsOf(safety: Safety | undefined): SafetyLimits {
  if (!safety) return defaultSafety;
  const { maxShareOfPrincipals, maxShareOfRequests, minBaselineMs, maxPrincipalsPerAddress } = safety;
  return { maxShareOfPrincipals, maxShareOfRequests, minBaselineMs: Number(minBaselineMs), maxPrincipalsPerAddress };
}

/** Decisions that a small population may always have in force, lest 1 % of 80 users be none. */
const floor = { established: 3, all: 50 } as const;

export function checkSafety(
  kind: PrincipalKind,
  established: boolean,
  shareOfRequests: number,
  limits: SafetyLimits,
  view: SafetyView,
): SafetyAnswer {
  const { maxShareOfPrincipals: share, maxShareOfRequests: requests } = limits;
  const standing = view.standing?.principals[kind] ?? 0;
  const inForce = view.inForce(kind);
  const total = view.standing?.requests[kind] ?? 0;
  const shareInForce = total > 0 ? inForce.requests / total : 0;
  const percent = (value: number): string => `${Math.round(value * 1000) / 10}%`;
  const atLeast = (least: number): number => (share > 0 ? Math.max(least, share * standing) : 0);
  if (established && inForce.established >= atLeast(floor.established))
    return {
      ok: false,
      soften: false,
      message: `${inForce.established} of ${standing} established principals are acted on, the limit is ${percent(share)}; these look like false positives`,
    };
  if (established && shareInForce + shareOfRequests > requests)
    return {
      ok: false,
      soften: true,
      message: `established principals with ${percent(shareInForce + shareOfRequests)} of the requests in good standing would be acted on, the limit is ${percent(requests)}`,
    };
  if (inForce.all >= atLeast(floor.all))
    return {
      ok: false,
      soften: true,
      message: `${inForce.all} decisions are in force, the limit is ${percent(share)} of ${standing} principals`,
    };
  return { ok: true };
}

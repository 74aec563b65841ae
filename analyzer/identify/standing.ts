/** What people have said about callers: exemptions that are never acted on, and reputation lists that only inform. */
import {
  type CompiledPolicy,
  type ExemptSubject,
  PrincipalKind,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { AccessRecord } from '../ingest/access-record.ts';
import { F, Flag, reputationFlags } from '../observation.ts';
import { addressText, networkText, parseAddress } from './address.ts';
import { type AddressFacts, restoreAddress } from './caller.ts';
import { createCidrTable } from './cidr-table.ts';
import { createGenerationMap, hashKey } from './generation-map.ts';
import type { Pseudonymiser } from './pseudonym.ts';
import { digest } from './siphash.ts';

export interface Standing {
  /** Nothing to look up. */
  readonly empty: boolean;
  /** Expiry of the exemption that covers the address parsed last, Unix ms; 0 when none. */
  exemptAddressUntil(): number;
  exemptPrincipalUntil(kind: number, lo: number, hi: number): number;
  exemptWorkloadUntil(workload: string): number;
  /** Weight 0..1 of the address parsed last. */
  addressWeight(): number;
  userAgentWeight(userAgent: string): number;
  tokenWeight(lo: number, hi: number): number;
  /** Remembers that a principal was seen listed; `weightOf` answers for it later. */
  remember(kind: number, lo: number, hi: number, weight: number): void;
  weightOf(kind: number, lo: number, hi: number): number;
}

/** @param onInvalid called with each CIDR that is none. */
export function compileStanding(
  policy: CompiledPolicy,
  pseudonyms: Pseudonymiser,
  onInvalid: (text: string) => void,
): Standing {
  const cidrs: [string, number][] = [];
  const principals = new Map<string, number>();
  const workloads = new Map<string, number>();
  for (const exemption of policy.exemptions) {
    const until = Number(exemption.expiresAtMs);
    for (const { subject } of exemption.subjects) exempt(subject, until);
  }

  function exempt(subject: ExemptSubject['subject'], until: number): void {
    if (subject.case === 'cidr') cidrs.push([subject.value, until]);
    else if (subject.case === 'workload') raise(workloads, subject.value, until);
    else if (subject.case === 'principal') {
      const { kind, value } = subject.value;
      if (kind === PrincipalKind.ADDRESS || kind === PrincipalKind.NETWORK) {
        cidrs.push([prefixOf(kind, value), until]);
      } else {
        pseudonyms.hash(kind as 1, value, 0);
        raise(principals, `${kind}:${digest.lo}:${digest.hi}`, until);
      }
    }
  }

  const listed: [string, number][] = [];
  const userAgents = new Map<string, number>();
  const tokens = new Map<string, number>();
  for (const list of policy.reputation) {
    if (!(list.weight > 0)) continue;
    for (const cidr of list.cidrs) listed.push([cidr, list.weight]);
    for (const userAgent of list.userAgents) raise(userAgents, userAgent.toLowerCase(), list.weight);
    for (const id of list.tokenIds) {
      pseudonyms.hash(PrincipalKind.TOKEN, id, 0);
      raise(tokens, `${digest.lo}:${digest.hi}`, list.weight);
    }
  }
  const exemptCidrs = createCidrTable(cidrs, onInvalid);
  const listedCidrs = createCidrTable(listed, onInvalid);
  const seen = createGenerationMap<number, number>(16_384);
  return {
    empty: exemptCidrs.size + listedCidrs.size + principals.size + workloads.size + userAgents.size + tokens.size === 0,
    exemptAddressUntil: () => (exemptCidrs.size === 0 ? 0 : exemptCidrs.lookup()),
    exemptPrincipalUntil: (kind, lo, hi) => (principals.size === 0 ? 0 : (principals.get(`${kind}:${lo}:${hi}`) ?? 0)),
    exemptWorkloadUntil: (workload) => workloads.get(workload) ?? 0,
    addressWeight: () => (listedCidrs.size === 0 ? 0 : listedCidrs.lookup()),
    userAgentWeight: (userAgent) => (userAgents.size === 0 ? 0 : (userAgents.get(userAgent.toLowerCase()) ?? 0)),
    tokenWeight: (lo, hi) => (tokens.size === 0 ? 0 : (tokens.get(`${lo}:${hi}`) ?? 0)),
    remember(kind, lo, hi, weight) {
      const key = hashKey(lo, (hi ^ Math.imul(kind, 0x9e3779b1)) >>> 0);
      if ((seen.get(key) ?? 0) < weight) seen.set(key, weight);
    },
    weightOf: (kind, lo, hi) => seen.get(hashKey(lo, (hi ^ Math.imul(kind, 0x9e3779b1)) >>> 0)) ?? 0,
  };
}

function raise(map: Map<string, number>, key: string, value: number): void {
  map.set(key, Math.max(map.get(key) ?? 0, value));
}

/** The prefix a principal of this kind stands for, from one of its addresses. */
function prefixOf(kind: PrincipalKind, value: string): string {
  if (value.includes('/') || !parseAddress(value)) return value;
  return kind === PrincipalKind.NETWORK ? networkText() : addressText();
}

const exemptible: readonly { kind: PrincipalKind; offset: number }[] = [
  { kind: PrincipalKind.USER, offset: F.user },
  { kind: PrincipalKind.APP, offset: F.app },
  { kind: PrincipalKind.TOKEN, offset: F.token },
  { kind: PrincipalKind.SESSION, offset: F.session },
  { kind: PrincipalKind.DEVICE, offset: F.device },
  { kind: PrincipalKind.WORKLOAD, offset: F.workload },
];

/** Exemptions and lists; returns flags. */
export function standingFlags(
  standing: Standing,
  record: AccessRecord,
  facts: AddressFacts,
  u32: Uint32Array,
  base: number,
  at: number,
): number {
  restoreAddress(facts);
  let until = Math.max(standing.exemptAddressUntil(), standing.exemptWorkloadUntil(record.peerCertificate));
  for (const { kind, offset } of exemptible) {
    const lo = u32[base + offset] as number;
    const hi = u32[base + offset + 1] as number;
    if ((lo | hi) === 0) continue;
    // A user nobody vouched for would make an exemption anybody's.
    if (kind === PrincipalKind.USER && ((u32[base + F.flags] as number) & Flag.userVerified) === 0) continue;
    until = Math.max(until, standing.exemptPrincipalUntil(kind, lo, hi));
  }
  const flags = until > at ? Flag.exempt : 0;
  const addressWeight = standing.addressWeight();
  if (addressWeight > 0) standing.remember(PrincipalKind.ADDRESS, facts.lo, facts.hi, addressWeight);
  const agentWeight = record.userAgent === '' ? 0 : standing.userAgentWeight(record.userAgent);
  if (agentWeight > 0) {
    standing.remember(PrincipalKind.ADDRESS, facts.lo, facts.hi, agentWeight);
    standing.remember(
      PrincipalKind.DEVICE,
      u32[base + F.device] as number,
      u32[base + F.device + 1] as number,
      agentWeight,
    );
  }
  const tokenLo = u32[base + F.token] as number;
  const tokenHi = u32[base + F.token + 1] as number;
  const tokenWeight = (tokenLo | tokenHi) === 0 ? 0 : standing.tokenWeight(tokenLo, tokenHi);
  if (tokenWeight > 0) standing.remember(PrincipalKind.TOKEN, tokenLo, tokenHi, tokenWeight);
  return flags | reputationFlags(Math.max(addressWeight, agentWeight, tokenWeight));
}

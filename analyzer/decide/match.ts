/**
 * From a principal to what Envoy can match: only verified, non-secret values, addresses and traits. What cannot be matched
 * safely is said so, not guessed.
 */
import { type CompiledPolicy, FlowType, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { PredicateSchema, type Predicate } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { create } from '@bufbuild/protobuf';
import { shapeHeaders } from '../observation.ts';
import type { CampaignTrait } from '../verdict.ts';

/** Raw values behind pseudonyms, as long as the border remembers them. */
export interface Escrow {
  /** The value of a principal or trait; undefined when forgotten. */
  reveal(what: PrincipalKind | 'userAgent' | 'ja4', pseudonym: string): string | undefined;
}

export type MatchAnswer =
  | { ok: true; match: Predicate[] }
  | { ok: false; reason: 'NoSafeMatchKey' | 'ValueForgotten' | 'NotMatchable'; message: string };

export interface MatchSubject {
  kind: PrincipalKind;
  pseudonym: string;
  traits: readonly CampaignTrait[];
  /** The evidence is about logins: a campaign acts on those only. */
  loginsOnly: boolean;
}

export function buildMatch(subject: MatchSubject, policy: CompiledPolicy, escrow: Escrow): MatchAnswer {
  switch (subject.kind) {
    case PrincipalKind.ADDRESS: {
      const address = escrow.reveal(PrincipalKind.ADDRESS, subject.pseudonym);
      return address ? { ok: true, match: [addresses(address)] } : forgotten('address');
    }
    case PrincipalKind.CAMPAIGN:
      return campaignMatch(subject, policy, escrow);
    case PrincipalKind.USER:
    case PrincipalKind.APP:
    case PrincipalKind.TOKEN:
    case PrincipalKind.SESSION:
      return entityMatch(subject, policy, escrow);
    default:
      return { ok: false, reason: 'NotMatchable', message: `${PrincipalKind[subject.kind]} is watched, not acted on` };
  }
}

function entityMatch(subject: MatchSubject, policy: CompiledPolicy, escrow: Escrow): MatchAnswer {
  const rule = policy.principals.find((p) => p.kind === subject.kind && p.enforceAs.case !== undefined);
  const name = PrincipalKind[subject.kind];
  if (!rule)
    return {
      ok: false,
      reason: 'NoSafeMatchKey',
      message: `no principal rule for ${name} has enforceAs; set it where the value is verified and no secret`,
    };
  const value = escrow.reveal(subject.kind, subject.pseudonym);
  if (value === undefined) return forgotten(name);
  const key = rule.enforceAs.case === 'prefix' ? value.slice(0, rule.enforceAs.value) : value;
  return {
    ok: true,
    match: [create(PredicateSchema, { predicate: { case: 'entity', value: { kind: subject.kind, value: key } } })],
  };
}

function campaignMatch(subject: MatchSubject, policy: CompiledPolicy, escrow: Escrow): MatchAnswer {
  const match: Predicate[] = [];
  for (const trait of subject.traits) {
    switch (trait.trait) {
      case 'address':
      case 'network': {
        const value = escrow.reveal(
          trait.trait === 'address' ? PrincipalKind.ADDRESS : PrincipalKind.NETWORK,
          trait.value,
        );
        if (!value) return forgotten(trait.trait);
        match.push(addresses(value));
        break;
      }
      case 'userAgent':
      case 'ja4': {
        const value = escrow.reveal(trait.trait, trait.value);
        if (value === undefined) return forgotten(trait.trait);
        match.push(create(PredicateSchema, { predicate: { case: trait.trait, value } }));
        break;
      }
      case 'headerShape':
        match.push(...shapePredicates(Number.parseInt(trait.value, 16)));
        break;
      case 'asn':
        return { ok: false, reason: 'NotMatchable', message: 'an ASN alone is not something Envoy can match' };
      case 'operation':
        break;
    }
  }
  if (match.length === 0)
    return { ok: false, reason: 'NotMatchable', message: 'the campaign has no trait that Envoy can match' };
  if (subject.loginsOnly) {
    const operations = policy.flows
      .filter((f) => f.type === FlowType.LOGIN || f.type === FlowType.PASSWORD_RESET)
      .map((f) => ({ method: f.method, template: f.path }));
    if (operations.length > 0)
      match.push(create(PredicateSchema, { predicate: { case: 'operations', value: { operations } } }));
  }
  return { ok: true, match };
}

/** Headers of the shape that the campaign always sends, and those it never does. */
function shapePredicates(shape: number): Predicate[] {
  const reported = shape >>> 16;
  const present = shapeHeaders.filter((_, i) => reported & (1 << i) && shape & (1 << i));
  const absent = shapeHeaders.filter((_, i) => reported & (1 << i) && !(shape & (1 << i)));
  const predicates: Predicate[] = [];
  if (present.length > 0)
    predicates.push(create(PredicateSchema, { predicate: { case: 'presentHeaders', value: { names: [...present] } } }));
  if (absent.length > 0)
    predicates.push(create(PredicateSchema, { predicate: { case: 'absentHeaders', value: { names: [...absent] } } }));
  return predicates;
}

function addresses(value: string): Predicate {
  const cidr = value.includes('/') ? value : value.includes(':') ? `${value}/128` : `${value}/32`;
  return create(PredicateSchema, { predicate: { case: 'addresses', value: { cidrs: [cidr] } } });
}

function forgotten(what: string): MatchAnswer {
  return {
    ok: false,
    reason: 'ValueForgotten',
    message: `the ${what} has not been seen since Picket started; the next request brings it back`,
  };
}

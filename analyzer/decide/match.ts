/**
 * From a principal to what Envoy can match: only verified, non-secret values, addresses and traits. What cannot be matched
 * safely is said so, not guessed.
 */
import { type CompiledPolicy, FlowType, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { PredicateSchema, type Predicate } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { create } from '@bufbuild/protobuf';
import type { MatchKey } from '../identify/match-key.ts';
import { shapeHeaders } from '@picket/proto/access-log.ts';
import type { CampaignTrait } from '../verdict.ts';

/** What the border knows of the values behind pseudonyms; see `identify/match-key.ts`. */
export interface MatchValues {
  /** How a principal can be named to Envoy, or why not. */
  keyOf(kind: PrincipalKind, pseudonym: string): MatchKey;
  /** A user agent or JA4; undefined when forgotten. */
  traitOf(trait: 'userAgent' | 'ja4', pseudonym: string): string | undefined;
  /** The match of a decision on this principal that was in force when the process started. */
  matchInForce?(kind: PrincipalKind, pseudonym: string): Predicate[] | undefined;
}

export type MatchAnswer =
  | { ok: true; match: Predicate[] }
  | { ok: false; reason: 'NoSafeMatchKey' | 'Unverified' | 'ValueForgotten' | 'NotMatchable'; message: string };

/** Whether a principal could be named to Envoy at some tick. Says nothing of how: match values are raw. */
export type MatchStatement = { ok: true } | { ok: false; reason: RefusedMatch['reason']; message: string };

type RefusedMatch = Extract<MatchAnswer, { ok: false }>;

/** What a coordinator was answered: an input of the analysis, for the answer hangs on what the border then knew. */
export interface MatchRecord {
  api: string;
  kind: PrincipalKind;
  pseudonym: string;
  statement: MatchStatement;
}

export interface MatchSubject {
  kind: PrincipalKind;
  pseudonym: string;
  traits: readonly CampaignTrait[];
  /** The evidence is about logins: a campaign acts on those only. */
  loginsOnly: boolean;
}

export function buildMatch(subject: MatchSubject, policy: CompiledPolicy, values: MatchValues): MatchAnswer {
  switch (subject.kind) {
    case PrincipalKind.CAMPAIGN:
      return campaignMatch(subject, policy, values);
    case PrincipalKind.ADDRESS:
    case PrincipalKind.USER:
    case PrincipalKind.APP:
    case PrincipalKind.TOKEN:
    case PrincipalKind.SESSION: {
      const key = values.keyOf(subject.kind, subject.pseudonym);
      if (!key.ok) return key;
      if (subject.kind === PrincipalKind.ADDRESS) return { ok: true, match: [addresses(key.value)] };
      const entity = { kind: subject.kind, value: key.value };
      return { ok: true, match: [create(PredicateSchema, { predicate: { case: 'entity', value: entity } })] };
    }
    default:
      return { ok: false, reason: 'NotMatchable', message: `${PrincipalKind[subject.kind]} is watched, not acted on` };
  }
}

function campaignMatch(subject: MatchSubject, policy: CompiledPolicy, values: MatchValues): MatchAnswer {
  const match: Predicate[] = [];
  for (const trait of subject.traits) {
    switch (trait.trait) {
      case 'address':
      case 'network': {
        const key = values.keyOf(
          trait.trait === 'address' ? PrincipalKind.ADDRESS : PrincipalKind.NETWORK,
          trait.value,
        );
        if (!key.ok) return key;
        match.push(addresses(key.value));
        break;
      }
      case 'userAgent':
      case 'ja4': {
        const value = values.traitOf(trait.trait, trait.value);
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

import type { Decision, Predicate as DecisionPredicate } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { parseCidr } from './cidr.ts';
import { type EntityKind, entityKinds, entityState } from './identify.ts';
import {
  addressIn,
  and,
  type Cidr,
  equals,
  filterStateInput,
  hasHeader,
  headerInput,
  matches,
  not,
  or,
  type Predicate,
  quoteRegex,
} from './matcher.ts';
import { ja4State, userAgentState } from './names.ts';

/** How Envoy finds the requests of a decision, cheapest first. */
export type DecisionMatch =
  /** One verified identity: an entry of a hash map. */
  | { by: 'entity'; kind: EntityKind; value: string }
  /** Addresses alone: entries of the trie in front of authentication. */
  | { by: 'address'; cidrs: Cidr[] }
  /** A conjunction: one more predicate that requests to the API are tried against. */
  | { by: 'traits'; predicate: Predicate }
  | { by: 'nothing'; problem: string };

const translated = new WeakMap<Decision, DecisionMatch>();

/**
 * Translates the predicates of a decision, once: decisions do not change, they are replaced. Problems name the predicate,
 * never the value.
 */
export function matchOfDecision(decision: Decision): DecisionMatch {
  const known = translated.get(decision);
  if (known) return known;
  const match = translateDecision(decision);
  translated.set(decision, match);
  return match;
}

function translateDecision(decision: Decision): DecisionMatch {
  const [first, ...rest] = decision.match;
  if (!first) return { by: 'nothing', problem: 'the decision names no predicate' };
  if (rest.length === 0) {
    const { predicate } = first;
    if (predicate.case === 'entity') {
      const kind = entityKinds.find((k) => k === predicate.value.kind);
      if (kind === undefined || predicate.value.value === '') {
        return { by: 'nothing', problem: 'entity: not a kind that requests carry, or an empty value' };
      }
      return { by: 'entity', kind, value: predicate.value.value };
    }
    if (predicate.case === 'addresses') {
      const cidrs = predicate.value.cidrs.map(parseCidr).filter((c) => c !== undefined);
      if (cidrs.length === 0 || cidrs.length < predicate.value.cidrs.length) {
        return { by: 'nothing', problem: 'addresses: empty, or not every entry is an address or prefix' };
      }
      return { by: 'address', cidrs };
    }
  }
  const predicates: Predicate[] = [];
  for (const part of decision.match) {
    const translated = translate(part.predicate);
    if (typeof translated === 'string') return { by: 'nothing', problem: translated };
    predicates.push(translated);
  }
  return { by: 'traits', predicate: and(predicates) };
}

function translate(predicate: DecisionPredicate['predicate']): Predicate | string {
  switch (predicate.case) {
    case 'entity': {
      const kind = entityKinds.find((k) => k === predicate.value.kind);
      if (kind === undefined || predicate.value.value === '') return 'entity: not a kind that requests carry, or empty';
      return equals(filterStateInput(entityState(kind)), predicate.value.value);
    }
    case 'addresses': {
      const cidrs = predicate.value.cidrs.map(parseCidr);
      const valid = cidrs.filter((c) => c !== undefined);
      if (valid.length === 0 || valid.length < cidrs.length)
        return 'addresses: not every entry is an address or prefix';
      return addressIn(valid);
    }
    case 'ja4':
      return predicate.value === '' ? 'ja4: empty' : equals(filterStateInput(ja4State), predicate.value);
    case 'userAgent':
      // A filter state object holds the first of repeated headers, so a second one does not hide the match.
      return predicate.value === ''
        ? not(hasHeader('user-agent'))
        : equals(filterStateInput(userAgentState), predicate.value);
    case 'absentHeaders':
      if (predicate.value.names.length === 0) return 'absent_headers: empty';
      return and(predicate.value.names.map((name) => not(hasHeader(name))));
    case 'presentHeaders':
      if (predicate.value.names.length === 0) return 'present_headers: empty';
      return and(predicate.value.names.map(hasHeader));
    case 'operations':
      if (predicate.value.operations.length === 0) return 'operations: empty';
      return or(predicate.value.operations.map((o) => operationIs(o.method, o.template)));
    default:
      return 'a predicate of a kind this version does not know';
  }
}

/** Method, any when empty, and path template. */
export function operationIs(method: string, template: string): Predicate {
  const path = matches(headerInput(':path'), templateRegex(template));
  return method === '' ? path : and([equals(headerInput(':method'), method.toUpperCase()), path]);
}

/** "/orders/{id}" and "/files/**" as RE2 over a path with query. */
export function templateRegex(template: string): string {
  const rest = template.endsWith('/**');
  const fixed = rest ? template.slice(0, -3) : template;
  const segments = fixed.split('/').map((s) => (/^\{[^}]*\}$/.test(s) ? '[^/?]+' : quoteRegex(s)));
  return `(?s)${segments.join('/')}${rest ? '(?:/[^?]*)?' : '/?'}(?:\\?.*)?`;
}

/** Builders of xDS matchers in protobuf's JSON form, camel case as `fromJson` and Envoy both read it. */
import { typeUrls } from './names.ts';

/** A protobuf message in JSON form. */
export type Json = { [key: string]: unknown };

/** `xds.type.matcher.v3.Matcher` */
export type Matcher = Json;
/** `xds.type.matcher.v3.Matcher.OnMatch` */
export type OnMatch = Json;
/** `xds.type.matcher.v3.Matcher.MatcherList.Predicate` */
export type Predicate = Json;

export function filterStateInput(key: string): Json {
  return { name: 'state', typedConfig: { '@type': typeUrls.filterStateInput, key } };
}

export function headerInput(headerName: string): Json {
  return { name: 'header', typedConfig: { '@type': typeUrls.headerInput, headerName } };
}

export function sourceIpInput(): Json {
  return { name: 'address', typedConfig: { '@type': typeUrls.sourceIpInput } };
}

/** RBAC's verdict on a request; `name` comes back in response code details and metadata. */
export function rbacAction(name: string, action: 'ALLOW' | 'DENY'): OnMatch {
  return { action: { name: 'rbac', typedConfig: { '@type': typeUrls.action, name, action } } };
}

/** No match means DENY in RBAC, so every matcher ends with this. */
export const allow: OnMatch = rbacAction('ok', 'ALLOW');

export function nested(matcher: Matcher): OnMatch {
  return { matcher };
}

/** One hash lookup, whatever the number of keys. */
export function exactMap(input: Json, map: Map<string, OnMatch>, onNoMatch: OnMatch): Matcher {
  return { matcherTree: { input, exactMatchMap: { map: Object.fromEntries(map) } }, onNoMatch };
}

/** Tried in order. Without `onNoMatch` nothing is done, which RBAC would take for a denial. */
export function firstOf(matchers: { predicate: Predicate; onMatch: OnMatch }[], onNoMatch?: OnMatch): Matcher {
  return { matcherList: { matchers }, ...(onNoMatch ? { onNoMatch } : {}) };
}

export function and(predicates: Predicate[]): Predicate {
  const only = predicates[0];
  return predicates.length === 1 && only ? only : { andMatcher: { predicate: predicates } };
}

export function or(predicates: Predicate[]): Predicate {
  const only = predicates[0];
  return predicates.length === 1 && only ? only : { orMatcher: { predicate: predicates } };
}

export function not(predicate: Predicate): Predicate {
  return { notMatcher: predicate };
}

export function equals(input: Json, exact: string): Predicate {
  return { singlePredicate: { input, valueMatch: { exact } } };
}

/** `regex` must match the whole value; RE2 syntax. */
export function matches(input: Json, regex: string): Predicate {
  return { singlePredicate: { input, valueMatch: { safeRegex: { googleRe2: {}, regex } } } };
}

/** The request has the header, with any value. An absent header never matches. */
export function hasHeader(name: string): Predicate {
  return matches(headerInput(name), '(?s).*');
}

/** The resolved client address lies in one of these. */
export function addressIn(cidrs: readonly Cidr[]): Predicate {
  return {
    singlePredicate: {
      input: sourceIpInput(),
      customMatch: {
        name: 'ip',
        typedConfig: { '@type': typeUrls.ipInput, statPrefix: 'picket', cidrRanges: cidrs },
      },
    },
  };
}

/** One trie lookup; the most specific range wins. */
export function addressTrie(groups: { ranges: Cidr[]; onMatch: OnMatch }[], onNoMatch: OnMatch): Matcher {
  return {
    matcherTree: {
      input: sourceIpInput(),
      customMatch: {
        name: 'trie',
        typedConfig: { '@type': typeUrls.ipMatcher, rangeMatchers: groups },
      },
    },
    onNoMatch,
  };
}

/** `CidrRange`, Envoy's and xDS's alike. */
export interface Cidr extends Json {
  addressPrefix: string;
  prefixLen: number;
}

/** Quotes text for use in an RE2 expression. */
export function quoteRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

import {
  type CompiledPolicy,
  PrincipalKind,
  type PrincipalRule,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { type ApiPlace, claimsOf, isRequestOf } from './api-match.ts';
import { execute } from './by-class.ts';
import { firstOf, type Json } from './matcher.ts';
import { apiState, ja4State, typeUrls, userAgentState } from './names.ts';

/** Kinds that a request can carry as a verified value, in the order in which layers look them up. */
export const entityKinds = [
  PrincipalKind.USER,
  PrincipalKind.APP,
  PrincipalKind.TOKEN,
  PrincipalKind.SESSION,
  PrincipalKind.DEVICE,
  PrincipalKind.WORKLOAD,
] as const;
export type EntityKind = (typeof entityKinds)[number];

/** Filter state object that holds the value of a kind. */
export function entityState(kind: EntityKind): string {
  return `picket.entity.${PrincipalKind[kind].toLowerCase()}`;
}

/** A resource as ECDS delivers it, in JSON form. */
export interface RenderedResource {
  name: string;
  typedConfig: Json;
}

/**
 * `picket.identify`: for each request the API it belongs to and its verified identities, as filter state. One rule per
 * kind would overwrite what another API means by it, so a matcher picks the rules of the API that owns the request.
 *
 * @param ja4 whether the listener computes JA4 fingerprints (Envoy 1.37 and later with `enable_ja4_fingerprinting`).
 */
export function renderIdentify(policies: readonly CompiledPolicy[], options: { ja4: boolean }): RenderedResource {
  const byUid = new Map(policies.map((policy) => [policy.apiUid, policy]));
  const claims = claimsOf(policies);
  if (claims.length === 0) return { name: 'picket.identify', typedConfig: { '@type': typeUrls.setFilterState } };
  return {
    name: 'picket.identify',
    typedConfig: {
      '@type': typeUrls.extensionWithMatcher,
      extensionConfig: { name: 'by-api', typedConfig: { '@type': typeUrls.composite } },
      xdsMatcher: firstOfApi(claims, (claim) => {
        const policy = byUid.get(claim.apiUid);
        return stateRules(claim.apiUid, policy?.principals ?? [], options.ja4);
      }),
    },
  };
}

/** A request outside every API gets nothing. */
function firstOfApi(claims: readonly ApiPlace[], rules: (claim: ApiPlace) => Json[]): Json {
  return firstOf(
    claims.map((claim) => ({
      predicate: isRequestOf(claim),
      onMatch: execute('identify', { '@type': typeUrls.setFilterState, onRequestHeaders: rules(claim) }),
    })),
  );
}

function stateRules(apiUid: string, principals: readonly PrincipalRule[], ja4: boolean): Json[] {
  const rules = [stateRule(apiState, literal(apiUid)), stateRule(userAgentState, '%REQ(user-agent)%')];
  if (ja4) rules.push(stateRule(ja4State, '%TLS_JA4_FINGERPRINT%'));
  // The first rule that yields a value wins for its kind and later writes replace earlier ones, so the order turns.
  for (const principal of [...principals].reverse()) {
    const kind = entityKinds.find((k) => k === principal.kind);
    if (kind === undefined) continue;
    for (const format of matchKeyFormats(principal)) rules.push(stateRule(entityState(kind), format));
  }
  return rules;
}

function stateRule(objectKey: string, format: string): Json {
  return {
    objectKey,
    factoryKey: 'envoy.string',
    skipIfEmpty: true,
    formatString: { textFormatSource: { inlineString: format }, omitEmptyValues: true },
  };
}

/**
 * How Envoy writes the match key of a rule, later ones replacing earlier ones; empty when the rule has no safe key.
 * Only what Envoy itself verified counts whole; a prefix that is no secret may also come from a header.
 */
export function matchKeyFormats(rule: PrincipalRule): string[] {
  if (rule.enforceAs.case === undefined) return [];
  const cut = rule.enforceAs.case === 'prefix' ? `:${rule.enforceAs.value}` : '';
  const whole = rule.enforceAs.case === 'value' && rule.enforceAs.value;
  if (cut === '' && !whole) return [];
  switch (rule.from.case) {
    case 'dynamicMetadata': {
      const path = rule.from.value.path.split('/').filter(Boolean);
      // ':' separates segments and ')' ends the command: no way to write such a name in a format string.
      if ([rule.from.value.namespace, ...path].some((part) => /[:)%]/.test(part))) return [];
      return [`%DYNAMIC_METADATA(${[rule.from.value.namespace, ...path].join(':')})${cut}%`];
    }
    case 'clientCertificate':
      // No DNS names: the access log does not tell them, and a decision names what the access log told.
      return ['DOWNSTREAM_PEER_SUBJECT', 'DOWNSTREAM_PEER_URI_SAN'].map((name) => `%${name}${cut}%`);
    case 'header':
      return cut === '' || /[?:)%]/.test(rule.from.value) ? [] : [`%REQ(${rule.from.value})${cut}%`];
    default:
      // A claim of a token that nobody checked, or a cookie: watched, never a match key.
      return [];
  }
}

function literal(text: string): string {
  return text.replaceAll('%', '%%');
}

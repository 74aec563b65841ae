/** Who a request says it acts for: raw values found by a policy's rules, at most one per kind. */
import { PrincipalKind, type PrincipalRule } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { AccessRecord } from '../ingest/access-record.ts';
import type { EscrowedValue } from './escrow.ts';
import { createGenerationMap } from './generation-map.ts';
import { claimText, readUnverifiedClaim } from './jwt.ts';

/** Longest value that is an identity; longer ones are header bombs and yield none. */
const maxValueLength = 8192;

/** Envoy filters whose dynamic metadata states what they have verified. */
const vouchingFilters = new Set([
  'envoy.filters.http.jwt_authn',
  'envoy.filters.http.api_key_auth',
  'envoy.filters.http.basic_auth',
  'envoy.filters.http.oauth2',
  'envoy.filters.http.ext_authz',
]);

export interface PrincipalExtractor {
  kind: PrincipalKind;
  /** The raw value, "" when the request carries none. */
  read(record: AccessRecord): string;
  /** Envoy itself vouches for values of this rule. */
  vouched: boolean;
  /** Cookie whose setting in a response starts the session. */
  cookie: string;
  /** What may be kept to become a match key: the whole value (N = Infinity), its first N characters, nothing (0). */
  matchCharacters: number;
  matchAs: EscrowedValue['matchAs'];
}

/** @param onOversized called for each value that is too long to be an identity. */
export function compilePrincipalRules(
  rules: readonly PrincipalRule[],
  onOversized: () => void,
): readonly PrincipalExtractor[] {
  const extractors: PrincipalExtractor[] = [];
  for (const rule of rules) {
    const read = isRuleKind(rule.kind) ? compileSource(rule) : undefined;
    if (!read) continue;
    extractors.push({
      kind: rule.kind,
      read(record) {
        const value = read(record);
        if (value.length <= maxValueLength) return value;
        onOversized();
        return '';
      },
      vouched: isVouched(rule),
      cookie: rule.from.case === 'cookie' ? rule.from.value : '',
      ...matchOf(rule),
    });
  }
  return extractors;
}

function matchOf(rule: PrincipalRule): Pick<PrincipalExtractor, 'matchCharacters' | 'matchAs'> {
  const as = rule.enforceAs;
  if (as.case === 'value' && as.value) return { matchCharacters: Number.POSITIVE_INFINITY, matchAs: 'value' };
  if (as.case === 'prefix' && as.value > 0) return { matchCharacters: as.value, matchAs: 'prefix' };
  return { matchCharacters: 0, matchAs: 'none' };
}

function isVouched(rule: PrincipalRule): boolean {
  if (rule.from.case === 'clientCertificate') return true;
  return rule.from.case === 'dynamicMetadata' && vouchingFilters.has(rule.from.value.namespace);
}

function compileSource(rule: PrincipalRule): ((record: AccessRecord) => string) | undefined {
  const from = rule.from;
  switch (from.case) {
    case 'header': {
      const name = from.value.toLowerCase();
      return name === 'authorization' ? readCredential : (record) => headerOf(record, name);
    }
    case 'cookie': {
      const name = from.value;
      return (record) => cookieOf(record.requestHeaders.get('cookie'), name);
    }
    case 'jwtClaim': {
      const header = from.value.header.toLowerCase();
      const path = from.value.claim.split('.');
      // Parsing costs ten times the rest; a token comes with many requests.
      const claims = createGenerationMap<string, string>(8192, (key) => key.length >> 3);
      return (record) => {
        const token = stripScheme(headerOf(record, header));
        if (token === '' || token.length > maxValueLength) return '';
        let claim = claims.get(token);
        if (claim === undefined) {
          claim = readUnverifiedClaim(token, path);
          claims.set(token, claim);
        }
        return claim;
      };
    }
    case 'clientCertificate':
      return from.value ? (record) => record.peerCertificate : undefined;
    case 'dynamicMetadata': {
      const { namespace, path } = from.value;
      return (record) => claimText(record.metadata(namespace, path));
    }
    case undefined:
      return undefined;
  }
}

function headerOf(record: AccessRecord, name: string): string {
  const value = record.requestHeaders.get(name);
  if (value !== undefined) return value;
  if (name === 'user-agent') return record.userAgent;
  return name === 'referer' ? record.referer : '';
}

function readCredential(record: AccessRecord): string {
  return stripScheme(record.requestHeaders.get('authorization') ?? '');
}

/** "Bearer abc" is "abc": the scheme is no part of the credential and may be spelled in many ways. */
function stripScheme(value: string): string {
  const space = value.indexOf(' ');
  return space < 0 || space > 16 ? value : value.slice(space + 1).trim();
}

/** Value of a cookie in a Cookie header; "" when absent. */
export function cookieOf(header: string | undefined, name: string): string {
  if (!header) return '';
  let from = 0;
  while (from < header.length) {
    const at = header.indexOf(name, from);
    if (at < 0) return '';
    const after = at + name.length;
    if (header.charCodeAt(after) === 61 && isCookieStart(header, at)) {
      const end = header.indexOf(';', after);
      return unquote(header.slice(after + 1, end < 0 ? header.length : end).trim());
    }
    from = after;
  }
  return '';
}

/** Value that a response sets for a cookie; "" when it sets none or deletes it. */
export function setCookieOf(header: string | undefined, name: string): string {
  const value = cookieOf(header, name);
  return value === 'deleted' || value === 'deleteMe' ? '' : value;
}

function isCookieStart(header: string, at: number): boolean {
  for (let i = at - 1; i >= 0; i--) {
    const c = header.charCodeAt(i);
    // Several Set-Cookie headers come joined with commas.
    if (c === 59 || c === 44 || c === 10) return true;
    if (c !== 32 && c !== 9) return false;
  }
  return true;
}

function unquote(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** Kinds a rule may name; address, network, device and campaign come from elsewhere. */
function isRuleKind(kind: PrincipalKind): boolean {
  return (
    kind === PrincipalKind.USER ||
    kind === PrincipalKind.APP ||
    kind === PrincipalKind.TOKEN ||
    kind === PrincipalKind.SESSION ||
    kind === PrincipalKind.WORKLOAD
  );
}

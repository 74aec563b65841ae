/** Which headers and cookies of a log say who a request acted for. */
import { create } from '@bufbuild/protobuf';
import {
  PrincipalKind,
  type PrincipalRule,
  PrincipalRuleSchema,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { AccessRecord } from '../ingest/access-record.ts';

const sessionCookies =
  /^(?:sid|sess|sessid|session|sessionid|session_id|session-id|phpsessid|jsessionid|asp\.net_sessionid|aspsessionid[a-z]{0,16}|connect\.sid|laravel_session|ci_session|_[\w-]{1,40}_session|[\w-]{1,40}[_-]session(?:[_-]?id)?|wordpress_logged_in_[0-9a-f]{32}|auth_token|access_token)$/i;

/** Header names by the kind of principal they carry. */
const keyHeaders: readonly (readonly [string, PrincipalKind])[] = [
  ['x-api-key', PrincipalKind.APP],
  ['api-key', PrincipalKind.APP],
  ['apikey', PrincipalKind.APP],
  ['x-client-id', PrincipalKind.APP],
  ['x-auth-token', PrincipalKind.TOKEN],
  ['x-access-token', PrincipalKind.TOKEN],
  ['x-session-id', PrincipalKind.SESSION],
  ['x-user-id', PrincipalKind.USER],
];

const jwtNamespace = 'envoy.filters.http.jwt_authn';
const maxCookieNames = 256;

export interface IdentitySample {
  observe(r: AccessRecord): void;
  conclude(): { rules: PrincipalRule[]; notes: string[] };
}

export function createIdentitySample(): IdentitySample {
  const cookies = new Map<string, number>();
  const headers = new Map<string, number>();
  let jwt = 0;
  let bearer = 0;
  let verified = 0;
  let certificates = 0;
  let workloads = 0;
  let users = 0;

  return {
    observe(r) {
      if (r.logUser !== '') users++;
      if (r.peerCertificate.startsWith('spiffe://')) workloads++;
      else if (r.peerCertificate !== '') certificates++;
      if (r.metadata(jwtNamespace, 'payload/sub') !== undefined) verified++;
      if (r.requestHeaders.size === 0) return;
      const authorization = r.requestHeaders.get('authorization') ?? '';
      if (authorization !== '') {
        bearer++;
        if (/^bearer +[\w-]{4,4096}\.[\w-]{4,8192}\.[\w-]{0,4096}$/i.test(authorization)) jwt++;
      }
      for (const [name] of keyHeaders) if (r.requestHeaders.has(name)) count(headers, name);
      for (const pair of (r.requestHeaders.get('cookie') ?? '').slice(0, 8192).split(';', 64)) {
        const name = pair.slice(0, Math.max(0, pair.indexOf('='))).trim();
        if (sessionCookies.test(name) && cookies.size < maxCookieNames) count(cookies, name);
      }
    },
    conclude() {
      const rules: PrincipalRule[] = [];
      const notes: string[] = [];
      if (verified > 0) {
        const value = { namespace: jwtNamespace, path: 'payload/sub' };
        rules.push(
          create(PrincipalRuleSchema, {
            kind: PrincipalKind.USER,
            from: { case: 'dynamicMetadata', value },
            enforceAs: { case: 'value', value: true },
          }),
        );
        notes.push('users are told by the token subject that Envoy verified');
      }
      if (jwt > 0) {
        const value = { header: 'authorization', claim: 'sub' };
        rules.push(create(PrincipalRuleSchema, { kind: PrincipalKind.USER, from: { case: 'jwtClaim', value } }));
        notes.push('users are told by the subject of their bearer tokens, which nothing verified');
      }
      if (bearer > 0) {
        rules.push(
          create(PrincipalRuleSchema, { kind: PrincipalKind.TOKEN, from: { case: 'header', value: 'authorization' } }),
        );
        notes.push('tokens are told by the authorization header');
      }
      for (const [name, kind] of keyHeaders) {
        if (!headers.has(name)) continue;
        rules.push(create(PrincipalRuleSchema, { kind, from: { case: 'header', value: name } }));
        notes.push(`the header ${name} tells ${PrincipalKind[kind].toLowerCase()}s apart`);
      }
      const [cookie] = [...cookies].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
      if (cookie) {
        rules.push(
          create(PrincipalRuleSchema, { kind: PrincipalKind.SESSION, from: { case: 'cookie', value: cookie[0] } }),
        );
        notes.push(`sessions are told by the cookie ${cookie[0]}`);
      }
      for (const [seen, kind] of [
        [workloads, PrincipalKind.WORKLOAD] as const,
        [certificates, PrincipalKind.APP] as const,
      ]) {
        if (seen === 0) continue;
        rules.push(create(PrincipalRuleSchema, { kind, from: { case: 'clientCertificate', value: true } }));
        notes.push('callers are told by their client certificate');
      }
      if (users > 0) notes.push('the log names users; they count as unverified');
      return { rules, notes };
    },
  };
}

/** Who a request is for, by what one person has and others have not; "" when the log does not say. */
export function ownerOf(r: AccessRecord): string {
  if (r.logUser !== '') return r.logUser;
  if (r.requestHeaders.size === 0) return '';
  const authorization = r.requestHeaders.get('authorization');
  if (authorization !== undefined) return authorization;
  for (const pair of (r.requestHeaders.get('cookie') ?? '').slice(0, 8192).split(';', 64)) {
    if (sessionCookies.test(pair.slice(0, Math.max(0, pair.indexOf('='))).trim())) return pair.trim();
  }
  return '';
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

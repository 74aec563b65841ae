import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { and, headerInput, matches, type Predicate, quoteRegex } from './matcher.ts';

/** Where an API is: what of a policy decides which requests are its own. */
export type ApiPlace = Pick<CompiledPolicy, 'apiUid' | 'hosts' | 'pathPrefix'>;

/**
 * Order in which APIs claim a request, most specific first: exact host before wildcard, longer before shorter, then
 * longer path prefix, then UID so that the order is total.
 */
export function byPrecedence(a: ApiPlace, b: ApiPlace): number {
  return (
    hostRank(b) - hostRank(a) ||
    b.pathPrefix.length - a.pathPrefix.length ||
    (a.apiUid < b.apiUid ? -1 : a.apiUid > b.apiUid ? 1 : 0)
  );
}

/** One claim per host, so that an API with an exact and a wildcard host takes both places in the order. */
export function claimsOf(apis: Iterable<ApiPlace>): ApiPlace[] {
  const claims: ApiPlace[] = [];
  for (const api of apis) {
    const groups = new Map<number, string[]>();
    for (const host of api.hosts) {
      const rank = hostRank({ ...api, hosts: [host] });
      groups.set(rank, [...(groups.get(rank) ?? []), host]);
    }
    for (const hosts of groups.values()) claims.push({ apiUid: api.apiUid, hosts, pathPrefix: api.pathPrefix });
  }
  return claims.sort(byPrecedence);
}

/** Whether some request could belong to both. */
export function overlaps(a: ApiPlace, b: ApiPlace): boolean {
  if (!startsWithPath(a.pathPrefix, b.pathPrefix) && !startsWithPath(b.pathPrefix, a.pathPrefix)) return false;
  return a.hosts.some((x) => b.hosts.some((y) => hostCovers(x, y) || hostCovers(y, x)));
}

/** Requests to these hosts below this prefix. */
export function isRequestOf(api: ApiPlace): Predicate {
  const predicates: Predicate[] = [];
  if (!api.hosts.includes('*')) predicates.push(matches(headerInput(':authority'), hostRegex(api.hosts)));
  predicates.push(matches(headerInput(':path'), `(?s)${quoteRegex(api.pathPrefix)}(?:[/?].*)?`));
  return and(predicates);
}

/** Hosts compare without case and port. */
function hostRegex(hosts: readonly string[]): string {
  const names = hosts.map((host) => (host.startsWith('*.') ? `[^:]+${quoteRegex(host.slice(1))}` : quoteRegex(host)));
  return `(?i)(?:${names.join('|')})(?::[0-9]+)?`;
}

function hostRank(api: ApiPlace): number {
  return Math.max(0, ...api.hosts.map((h) => (h === '*' ? 0 : h.startsWith('*.') ? h.length : 1000 + h.length)));
}

function hostCovers(pattern: string, host: string): boolean {
  if (pattern === '*' || pattern === host) return true;
  return pattern.startsWith('*.') && host.endsWith(pattern.slice(1));
}

function startsWithPath(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`) || prefix === '';
}

/** Which API a request belongs to: most specific host first, then the longest path prefix, then policy order. */
import { createGenerationMap } from './generation-map.ts';

export interface Routed {
  /** Lower case, without port. "*.example.com" and "*" are patterns. */
  hosts: readonly string[];
  /** "" or "/v1". */
  pathPrefix: string;
}

export interface ApiTable<T extends Routed> {
  /** @param path without query. */
  find(authority: string, path: string): T | undefined;
}

const none: readonly never[] = [];

export function createApiTable<T extends Routed>(apis: readonly T[]): ApiTable<T> {
  const exact = new Map<string, T[]>();
  const suffixes = new Map<string, T[]>();
  const any: T[] = [];
  for (const api of apis) {
    for (const host of api.hosts) {
      const name = host.toLowerCase();
      if (name === '*') any.push(api);
      else if (name.startsWith('*.')) push(suffixes, name.slice(1), api);
      else push(exact, name, api);
    }
  }
  // Stable sorts: of two APIs with one host and prefix the first policy wins.
  for (const list of [...exact.values(), ...suffixes.values(), any]) {
    list.sort((a, b) => b.pathPrefix.length - a.pathPrefix.length);
  }
  const candidates = createGenerationMap<string, readonly T[]>(4096, (key) => key.length);

  let lastAuthority: string | undefined;
  let last: readonly T[] = none;

  function candidatesFor(authority: string): readonly T[] {
    const host = normaliseHost(authority);
    const found: T[] = [...(exact.get(host) ?? none)];
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      if (dot > 0) found.push(...(suffixes.get(host.slice(dot)) ?? none));
    }
    return found.length === 0 ? any : [...found, ...any];
  }

  return {
    find(authority, path) {
      if (authority !== lastAuthority) {
        let list = candidates.get(authority);
        if (!list) {
          list = candidatesFor(authority);
          candidates.set(authority, list);
        }
        lastAuthority = authority;
        last = list;
      }
      for (const api of last) if (hasPrefix(path, api.pathPrefix)) return api;
      return undefined;
    },
  };
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (!list) map.set(key, [value]);
  else if (!list.includes(value)) list.push(value);
}

function hasPrefix(path: string, prefix: string): boolean {
  if (prefix === '') return true;
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || path.charCodeAt(prefix.length) === 47;
}

/** Case folded, without port, brackets and a final dot. */
function normaliseHost(authority: string): string {
  let host = authority.length > 300 ? authority.slice(0, 300) : authority;
  if (host.startsWith('[')) {
    const end = host.indexOf(']');
    host = end < 0 ? host : host.slice(1, end);
  } else {
    const colon = host.indexOf(':');
    if (colon >= 0) host = host.slice(0, colon);
  }
  host = host.toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

import type { ProtectedAPI } from '@picket/crds/gen/types.ts';
import { nameOf, olderFirst } from './precedence.ts';

/** An API that another one keeps from a host. */
export interface LostClaim {
  host: string;
  winner: string;
}

/**
 * Who may have which hosts: of two that claim one host and prefix the older keeps it. Kept up to date claim by claim, for
 * with thousands of APIs nobody can look at all of them whenever one changes.
 */
export interface Claims {
  /** What an API claims from now on. Returns the other APIs that claim or claimed the same. */
  set(api: ProtectedAPI, hosts: readonly string[]): string[];
  /** The API is gone; `name` is "<namespace>/<name>". Returns the others that claim the same. */
  remove(name: string): string[];
  /** Hosts that the API may have, and those that others keep from it. */
  settle(name: string): { hosts: string[]; lost: LostClaim[] };
}

export function createClaims(): Claims {
  const byApi = new Map<string, { api: ProtectedAPI; hosts: readonly string[] }>();
  /** Names of those that claim a host and prefix. */
  const byClaim = new Map<string, Set<string>>();

  function claimsOf(name: string): string[] {
    const found = byApi.get(name);
    return (found?.hosts ?? []).map((host) => claimText(host, found?.api.spec.pathPrefix));
  }

  function rivalsOf(name: string): string[] {
    return claimsOf(name).flatMap((claim) => [...(byClaim.get(claim) ?? [])].filter((other) => other !== name));
  }

  function drop(name: string): void {
    for (const claim of claimsOf(name)) {
      const names = byClaim.get(claim);
      names?.delete(name);
      if (names?.size === 0) byClaim.delete(claim);
    }
    byApi.delete(name);
  }

  function ownerOf(claim: string): string | undefined {
    const apis = [...(byClaim.get(claim) ?? [])].flatMap((name) => byApi.get(name)?.api ?? []);
    const oldest = apis.reduce<ProtectedAPI | undefined>((a, b) => (a && olderFirst(a, b) < 0 ? a : b), undefined);
    return oldest && nameOf(oldest);
  }

  return {
    set(api, hosts) {
      const name = nameOf(api);
      const before = rivalsOf(name);
      drop(name);
      byApi.set(name, { api, hosts });
      for (const claim of claimsOf(name)) {
        const names = byClaim.get(claim) ?? new Set();
        byClaim.set(claim, names.add(name));
      }
      return [...new Set([...before, ...rivalsOf(name)])];
    },
    remove(name) {
      const rivals = rivalsOf(name);
      drop(name);
      return [...new Set(rivals)];
    },
    settle(name) {
      const found = byApi.get(name);
      const hosts: string[] = [];
      const lost: LostClaim[] = [];
      for (const host of found?.hosts ?? []) {
        const winner = ownerOf(claimText(host, found?.api.spec.pathPrefix));
        if (winner === undefined || winner === name) hosts.push(host);
        else lost.push({ host, winner });
      }
      return { hosts, lost };
    },
  };
}

function claimText(host: string, prefix: string | undefined): string {
  return `${host}${normalizePrefix(prefix)}`;
}

/** "" or a path that starts with "/" and does not end with one. */
export function normalizePrefix(prefix: string | undefined): string {
  return (prefix ?? '').replace(/\/+$/, '');
}

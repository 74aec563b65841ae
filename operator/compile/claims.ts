import type { ProtectedAPI } from '@picket/crds/gen/types.ts';
import { nameOf, olderFirst } from './precedence.ts';

/** An API that another one keeps from a host. */
export interface LostClaim {
  host: string;
  winner: string;
}

/** Hosts that each API may have: of two that claim one host and prefix the older keeps it. */
export function settleClaims(
  apis: readonly { api: ProtectedAPI; hosts: readonly string[] }[],
): Map<string, { hosts: string[]; lost: LostClaim[] }> {
  const owners = new Map<string, string>();
  const settled = new Map<string, { hosts: string[]; lost: LostClaim[] }>();
  for (const { api, hosts } of [...apis].sort((a, b) => olderFirst(a.api, b.api))) {
    const own: string[] = [];
    const lost: LostClaim[] = [];
    for (const host of hosts) {
      const claim = `${host}${normalizePrefix(api.spec.pathPrefix)}`;
      const owner = owners.get(claim);
      if (owner !== undefined) lost.push({ host, winner: owner });
      else {
        owners.set(claim, nameOf(api));
        own.push(host);
      }
    }
    settled.set(nameOf(api), { hosts: own, lost });
  }
  return settled;
}

/** "" or a path that starts with "/" and does not end with one. */
export function normalizePrefix(prefix: string | undefined): string {
  return (prefix ?? '').replace(/\/+$/, '');
}

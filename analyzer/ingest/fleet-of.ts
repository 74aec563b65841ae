import type { PeerCertificate } from 'node:tls';

/** Fleet of a client by the names in its certificate; undefined = it belongs to none. */
export type FleetOf = (certificate: PeerCertificate | undefined) => string | undefined;

/** @param fleets fleet → names (SPIFFE id, DNS or URI SAN, common name) whose certificates belong to it */
export function createFleetOf(fleets: Readonly<Record<string, readonly string[]>>): FleetOf {
  const byName = new Map(
    Object.entries(fleets).flatMap(([fleet, names]) => names.map((name) => [name, fleet] as const)),
  );
  return (certificate) => {
    if (!certificate) return undefined;
    const commonName = certificate.subject?.CN;
    for (const name of [...alternativeNames(certificate.subjectaltname ?? ''), ...[commonName ?? []].flat()]) {
      const fleet = byName.get(name);
      if (fleet !== undefined) return fleet;
    }
    return undefined;
  };
}

/** DNS and URI names of Node's one-line form, which quotes names that would be taken for several (CVE-2021-44532). */
function alternativeNames(text: string): string[] {
  const names: string[] = [];
  for (const match of text.matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/gy)) {
    const [, kind, name = ''] = match;
    if (kind === 'DNS' || kind === 'URI') names.push(name.startsWith('"') ? (JSON.parse(name) as string) : name);
  }
  return names;
}

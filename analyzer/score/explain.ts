/** Words that go with findings: what would make them benign, and how sure their baselines are. */
import type { DetectorId, Finding } from '../verdict.ts';

const benign: Readonly<Record<DetectorId, string>> = {
  bruteForce: 'the owner forgot the password or a client keeps retrying an old one, and a login succeeds soon',
  credentialStuffing:
    'the source is a gateway of many people whose logins fail for a common reason, such as a password rotation',
  distributedStuffing: 'one release of an app or one network has a login fault that makes its users fail',
  objectEnumeration: 'the principal is support staff or a job that is meant to read other people’s objects: exempt it',
  scraping: 'the caller is a partner, a mirror or a search engine that may read in bulk: exempt it or give it a key',
  tokenAbuse: 'the token is shared on purpose, or its owner uses a VPN that changes its exit often',
  excess: 'a release, a retry loop or a load test of your own raised the rate',
  probing: 'your own scanner or monitor runs, or a page links to many things that are gone',
};

/** @param inheritsFrom verdict of the principal that part of the score comes from */
export function benignIf(findings: readonly Finding[], inheritsFrom?: string): string {
  const reasons = [...new Set(findings.map((f) => f.detector))].map((d) => benign[d]);
  if (inheritsFrom !== undefined)
    reasons.push(`${inheritsFrom} is benign, or its rightful owner logged in from a new place after somebody else had`);
  return reasons.join('; or ');
}

const full = { samples: 200, ageMs: 86_400_000 } as const;

/** 0..1: a day of baseline with a few hundred samples is full confidence; a prior alone is a quarter. */
export function confidenceOf(findings: readonly Finding[]): number {
  if (findings.length === 0) return 0;
  const each = findings.map((f) => {
    const samples = f.baseline.n / (f.baseline.n + full.samples / 4);
    const age = Math.min(1, f.baseline.ageMs / full.ageMs);
    return 0.25 + 0.75 * samples * (0.5 + 0.5 * age);
  });
  return Math.round(Math.max(...each) * 100) / 100;
}

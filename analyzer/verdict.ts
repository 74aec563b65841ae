/** What the analyzer says: findings, verdicts and decisions, as plain values that are stored, published and shown. */
import type { Action, Level, Mode, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';

export const detectorIds = [
  'bruteForce',
  'credentialStuffing',
  'distributedStuffing',
  'objectEnumeration',
  'scraping',
  'tokenAbuse',
  'excess',
  'probing',
] as const;
export type DetectorId = (typeof detectorIds)[number];

/** Evidence families; only agreement across families earns the corroboration bonus. */
export type Family = 'volume' | 'sequence' | 'identity' | 'object' | 'network' | 'content';

/** One detector's statement about one key in one window. */
export interface Finding {
  detector: DetectorId;
  family: Family;
  /** "<namespace>/<name>" */
  api: string;
  kind: PrincipalKind;
  /** 16 hex digits. */
  pseudonym: string;
  /** Window, event time, Unix ms. */
  since: number;
  until: number;
  /** Probability of evidence at least this strong for a principal in good standing. */
  pValue: number;
  observed: number;
  expected: number;
  /** What was counted: "distinct accounts with failed logins in 10 min". */
  unit: string;
  /** Samples behind the expectation, their age, and whether a prior stood in for a learned baseline. */
  baseline: { n: number; ageMs: number; prior: boolean };
  /** Sequence numbers of up to five sample observations. */
  sampleSeqs: number[];
  tick: number;
  partition: number;
  seq: number;
}

export interface Contribution {
  /** Detector id, "corroboration", "criticality", "outcome", "reputation", or "inherited from" and a verdict's name. */
  source: string;
  /** Points of the score; contributions add up to it within rounding. */
  points: number;
}

export interface CampaignTrait {
  trait: 'network' | 'asn' | 'userAgent' | 'ja4' | 'headerShape' | 'operation' | 'address';
  /** Pseudonym or number in hex; a decision resolves it through the escrow. */
  value: string;
}

export interface Verdict {
  /** `<api>-<kind>-<pseudonym prefix>`, a DNS label. */
  name: string;
  api: string;
  kind: PrincipalKind;
  pseudonym: string;
  /** 0..100, decayed to the tick it was said at. */
  score: number;
  level: Level;
  /** 0..1: samples behind the baselines, their age, priors. */
  confidence: number;
  firstSeen: number;
  lastSeen: number;
  expiresAt: number;
  requests: number;
  contributions: Contribution[];
  findings: Finding[];
  /** Share and precision of a campaign's traits. */
  campaign?: { traits: CampaignTrait[]; precision: number; addresses: number; accounts: number };
  /** Name of the verdict on the principal that the score is inherited from, where it is. */
  inheritsFrom?: string;
  requestIds: string[];
  benignIf: string;
  /** `enforceable` false: why no decision could be made. */
  enforceable: { ok: boolean; reason: string; message: string };
  decision?: DecisionSummary;
  policyRevision: string;
  detectorVersion: string;
  tick: number;
}

export interface DecisionSummary {
  id: string;
  action: Action;
  mode: Mode;
  policy: string;
  policyRevision: string;
  decidedAt: number;
  expiresAt: number;
  /** Completion of the last request of the evidence. */
  evidenceCompleteAt: number;
}

/** OWASP API Security Top 10 (2023) and OWASP Automated Threats ids by detector. */
export const references: Readonly<Record<DetectorId, { owasp: readonly string[]; oat: readonly string[] }>> = {
  bruteForce: { owasp: ['API2'], oat: ['OAT-007'] },
  credentialStuffing: { owasp: ['API2'], oat: ['OAT-008'] },
  distributedStuffing: { owasp: ['API2'], oat: ['OAT-008'] },
  objectEnumeration: { owasp: ['API1'], oat: ['OAT-011'] },
  scraping: { owasp: ['API6'], oat: ['OAT-011'] },
  tokenAbuse: { owasp: ['API2'], oat: ['OAT-019'] },
  excess: { owasp: ['API4'], oat: ['OAT-015'] },
  probing: { owasp: ['API8', 'API9'], oat: ['OAT-014'] },
};

/** A verdict as the `RiskVerdict` object that people read. Pure. */
import type { RiskVerdictSpec, RiskVerdictStatus } from '@picket/crds/gen/types.ts';
import { type Finding, references, type Verdict } from '../verdict.ts';
import type { ConditionDraft } from './api-status.ts';
import { actionNames, kindNames, levelNames, modeNames } from './names.ts';

export function verdictSpec(verdict: Verdict): RiskVerdictSpec {
  return {
    apiRef: { name: nameOf(verdict.api) },
    principal: { kind: kindNames[verdict.kind] ?? 'Address', pseudonym: verdict.pseudonym },
  };
}

export function verdictStatus(verdict: Verdict): RiskVerdictStatus {
  const points = new Map(verdict.contributions.map((c) => [c.source, c.points]));
  // The score is rounded, its parts are not: one part alone may come out a hair above the whole.
  const share = (f: Finding): number =>
    verdict.score > 0 ? Math.min(1, round((points.get(f.detector) ?? 0) / verdict.score, 3)) : 0;
  return {
    score: Math.round(verdict.score),
    level: levelNames[verdict.level],
    confidence: verdict.confidence,
    firstSeen: iso(verdict.firstSeen),
    lastSeen: iso(verdict.lastSeen),
    expiresAt: iso(verdict.expiresAt),
    requests: Math.round(verdict.requests),
    contributions: verdict.contributions.map((c) => ({ source: c.source, points: round(c.points, 1) })),
    findings: verdict.findings.slice(0, 10).map((f) => ({
      detector: f.detector,
      since: iso(f.since),
      pValue: Number(f.pValue.toPrecision(3)),
      observed: round(f.observed, 1),
      expected: round(f.expected, 2),
      unit: f.unit,
      baseline: { n: f.baseline.n, age: ageText(f.baseline.ageMs), prior: f.baseline.prior },
      owasp: [...references[f.detector].owasp],
      oat: [...references[f.detector].oat],
      share: share(f),
    })),
    ...(verdict.campaign
      ? {
          campaign: {
            traits: verdict.campaign.traits,
            precision: round(verdict.campaign.precision, 3),
            addresses: Math.round(verdict.campaign.addresses),
            accounts: Math.round(verdict.campaign.accounts),
          },
        }
      : {}),
    evidence: {
      requestIds: verdict.requestIds,
      replay: `picket replay --verdict ${verdict.name}`,
      benignIf: verdict.benignIf,
    },
    enforceable: {
      ok: verdict.enforceable.ok,
      ...(verdict.enforceable.ok ? {} : { reason: verdict.enforceable.reason, message: verdict.enforceable.message }),
    },
    ...(verdict.decision
      ? {
          decision: {
            id: verdict.decision.id,
            action: actionNames[verdict.decision.action] ?? 'Tag',
            mode: modeNames[verdict.decision.mode] ?? 'Observe',
            decidedAt: iso(verdict.decision.decidedAt),
            expiresAt: iso(verdict.decision.expiresAt),
            policyRef: { name: nameOf(verdict.decision.policy) },
            revision: verdict.decision.policyRevision,
            evidenceCompleteAt: iso(verdict.decision.evidenceCompleteAt),
          },
        }
      : {}),
    detectorVersion: verdict.detectorVersion,
    columns: {
      principal: `${kindNames[verdict.kind] ?? 'Address'}/${verdict.pseudonym.slice(0, 8)}`,
      why: [
        ...new Set(verdict.findings.map((f) => f.detector[0]?.toUpperCase() + f.detector.slice(1))),
        ...(verdict.inheritsFrom === undefined ? [] : ['Inherited']),
      ].join(','),
    },
  };
}

/** `Programmed` is the operator's to say. */
export function verdictConditions(verdict: Verdict, spec: RiskVerdictSpec): ConditionDraft[] {
  const { decision } = verdict;
  const { review } = spec;
  return [
    decision
      ? {
          type: 'Active',
          status: 'True',
          reason: actionNames[decision.action] ?? 'Tag',
          message: `${decision.id} in mode ${modeNames[decision.mode] ?? 'Observe'} until ${iso(decision.expiresAt)}`,
        }
      : {
          type: 'Active',
          status: 'False',
          reason: verdict.enforceable.ok ? 'NoDecision' : verdict.enforceable.reason,
          message: verdict.enforceable.ok ? 'Nothing is decided now' : verdict.enforceable.message,
        },
    review
      ? {
          type: 'Reviewed',
          status: 'True',
          reason: review.disposition,
          message: `Reviewed${review.by ? ` by ${review.by}` : ''}${review.note ? `: ${review.note}` : ''}`,
        }
      : { type: 'Reviewed', status: 'False', reason: 'NotReviewed', message: 'Nobody has reviewed this verdict yet' },
  ];
}

/** "shop/payments" → "payments". */
export function nameOf(qualified: string): string {
  return qualified.slice(qualified.indexOf('/') + 1);
}

export function namespaceOf(qualified: string): string {
  return qualified.slice(0, Math.max(0, qualified.indexOf('/')));
}

export function iso(ms: number): string {
  return new Date(Math.round(ms)).toISOString();
}

/** "26h", "12m": one unit, as people say it. */
export function ageText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 90) return `${minutes}m`;
  const hours = Math.round(minutes / 60);
  return hours < 72 ? `${hours}h` : `${Math.round(hours / 24)}d`;
}

export function round(value: number, digits: number): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}

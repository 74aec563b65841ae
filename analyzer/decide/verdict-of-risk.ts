/** A risk as the verdict that is stored, published and shown. */
import { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { DETECTOR_VERSION } from '../detect/catalogue.ts';
import { benignIf, confidenceOf } from '../score/explain.ts';
import { evidenceOf, type Inherited, type Risk } from '../score/risk.ts';
import { scoreOf } from '../score/score.ts';
import type { Verdict } from '../verdict.ts';
import { scoreContextOf, type Situation } from './situation.ts';

/** A verdict goes this long after its last evidence, unless a decision holds longer. */
const graceMs = 3_600_000;

/**
 * @param inherited what the risk inherits above what it has earned
 * @param requestIdOf request id of a sample by sequence number, "" when it is not remembered
 */
export function verdictOf(
  risk: Risk,
  situation: Situation,
  at: number,
  inherited: (earned: number) => Inherited | undefined,
  requestIdOf: (seq: number) => string,
): Verdict {
  const { policy } = situation;
  const findings = [...risk.findings.values()].sort((a, b) => b.surprise - a.surprise).map((f) => f.finding);
  const { score: earned, contributions } = scoreOf(evidenceOf(risk, at), scoreContextOf(situation, risk));
  const inherits = inherited(earned);
  const from = inherits && verdictName(policy.api, inherits);
  if (inherits) contributions.push({ source: `inherited from ${from}`, points: inherits.score - earned });
  const score = inherits?.score ?? earned;
  const links = risk.kin.filter((kin) => kin.key === inherits?.from).map((kin) => kin.seq);
  return {
    name: verdictName(policy.api, risk),
    api: policy.api,
    kind: risk.kind,
    pseudonym: risk.pseudonym,
    score: Math.round(score * 10) / 10,
    level: risk.level,
    confidence: confidenceOf(findings),
    firstSeen: risk.firstSeen,
    lastSeen: risk.lastSeen,
    expiresAt: Math.max(risk.decision?.expiresAt ?? 0, risk.lastSeen + graceMs),
    requests: risk.facts.requests,
    contributions,
    findings,
    ...(risk.kind === PrincipalKind.CAMPAIGN
      ? {
          campaign: {
            traits: risk.traits,
            precision: risk.campaign?.precision ?? 1 / Math.max(1, risk.facts.sharedBy),
            addresses: risk.campaign?.addresses ?? 1,
            accounts: risk.campaign?.accounts ?? 0,
          },
        }
      : {}),
    ...(from === undefined ? {} : { inheritsFrom: from }),
    requestIds: [...new Set([...findings.flatMap((f) => f.sampleSeqs), ...links])]
      .map(requestIdOf)
      .filter((id) => id !== '')
      .slice(0, 5),
    benignIf: benignIf(findings, from),
    enforceable: { ok: risk.held.reason === '', reason: risk.held.reason, message: risk.held.message },
    ...(risk.decision ? { decision: risk.decision } : {}),
    policyRevision: policy.revision,
    detectorVersion: DETECTOR_VERSION,
    tick: situation.tick,
  };
}

/** `<api>-<kind>-<pseudonym prefix>`, a DNS label of at most 63 characters. */
export function verdictName(api: string, risk: { kind: PrincipalKind; pseudonym: string }): string {
  const name = api.slice(api.indexOf('/') + 1).slice(0, 40);
  return `${name}-${(PrincipalKind[risk.kind] ?? 'unknown').toLowerCase()}-${risk.pseudonym.slice(0, 10)}`;
}

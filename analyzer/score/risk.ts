/** What the coordinator remembers of one principal under suspicion. Plain data: it is part of the checkpoint. */
import { Level, type PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { MatchStatement } from '../decide/match.ts';
import type { CampaignFacts } from '../detect/detector.ts';
import type { PrincipalFacts } from '../profile/principal-table.ts';
import type { CampaignTrait, DecisionSummary, DetectorId, Finding } from '../verdict.ts';
import { decayed, type Evidence } from './score.ts';

export interface Risk {
  kind: PrincipalKind;
  pseudonym: string;
  /** What narrows the match: empty for plain principals. */
  traits: CampaignTrait[];
  /** Latest statement of each detector, with its calibrated surprise. */
  findings: Map<DetectorId, RiskFinding>;
  firstSeen: number;
  lastSeen: number;
  score: number;
  level: Level;
  facts: PrincipalFacts;
  exempt: boolean;
  /** Weight 0..1 of the reputation lists that name it. */
  reputation: number;
  campaign: CampaignFacts | undefined;
  decision: DecisionSummary | undefined;
  /** Why there is no decision; "" when there is one or none is due. */
  held: { reason: string; message: string };
  /** Throttles and denials that ran their time, each lengthening the next; forgotten after a day of peace. */
  strikes: number;
  /** Completion of the last evidence that an expired decision rested on: only newer evidence brings one back. */
  actedThrough: number;
  /** What its last evidence looked like on the wire; says whether a campaign covers it. */
  shows: CampaignTrait[];
  /** Places (network and program) that its latest evidence came from; a few. */
  places: number[];
  /** The safety limits made its action milder. */
  eased: boolean;
  /** What was answered last when a decision asked how Envoy can match it. */
  matchable: MatchStatement | undefined;
  /** What a review as benign taught, to be taken back with it. */
  taught: { at: number; lessons: { detector: DetectorId; surprise: number }[] } | undefined;
  /** A person said it is benign: nothing is decided until then. */
  clearedUntil: number;
  /** Of `score`, what its own evidence alone would come to. */
  earned: number;
  /** `earned` when the decision in force was made. */
  earnedThen: number;
  /** Risks of other principals that it inherits from, by key, oldest first. */
  kin: Kin[];
  /** What came of that at the last judgement; undefined = nothing above its own. */
  inherits: Inherited | undefined;
  /** Score and level last emitted. */
  told: { score: number; level: Level; findings: number };
}

export interface Kin {
  key: string;
  /** Sequence number of the request that showed that they belong together; 0 = it is not known. */
  seq: number;
}

export interface Inherited {
  /** Key of the risk that it comes from. */
  from: string;
  kind: PrincipalKind;
  pseudonym: string;
  score: number;
  /** End of the decision on that risk, Unix ms; undefined = none is in force. */
  until: number | undefined;
}

export interface RiskFinding {
  finding: Finding;
  surprise: number;
  successShare: number;
}

export function createRisk(
  kind: PrincipalKind,
  pseudonym: string,
  traits: CampaignTrait[],
  facts: PrincipalFacts,
  at: number,
): Risk {
  return {
    kind,
    pseudonym,
    traits,
    findings: new Map(),
    firstSeen: at,
    lastSeen: at,
    score: 0,
    level: Level.NONE,
    facts,
    exempt: false,
    reputation: 0,
    campaign: undefined,
    decision: undefined,
    held: { reason: '', message: '' },
    strikes: 0,
    actedThrough: 0,
    shows: [],
    places: [],
    eased: false,
    matchable: undefined,
    taught: undefined,
    clearedUntil: 0,
    earned: 0,
    earnedThen: 0,
    kin: [],
    inherits: undefined,
    told: { score: 0, level: Level.NONE, findings: 0 },
  };
}

/** Takes a new statement; one detector may speak of several windows, the stronger one stands until it has decayed below. */
export function addFinding(risk: Risk, finding: Finding, surprise: number, successShare: number): void {
  const before = risk.findings.get(finding.detector);
  if (before && decayed(before.surprise, finding.until - before.finding.until) > surprise) {
    // Weaker than what stands: it only shows that it goes on.
    const held = decayed(before.surprise, finding.until - before.finding.until);
    before.surprise = Math.max(surprise, held);
    before.finding = { ...before.finding, until: finding.until };
  } else risk.findings.set(finding.detector, { finding, surprise, successShare });
  risk.lastSeen = Math.max(risk.lastSeen, finding.until);
}

export function evidenceOf(risk: Risk, at: number): Evidence[] {
  return [...risk.findings.values()].map((f) => ({
    detector: f.finding.detector,
    family: f.finding.family,
    surprise: decayed(f.surprise, at - f.finding.until),
    successShare: f.successShare,
  }));
}

/** Verdicts as they change while a log is read: peaks, level changes and findings, bounded. */
import { PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { DecisionSummary, DetectorId, Finding, Verdict } from '@picket/analyzer/verdict.ts';
import { levelName } from './labels.ts';
import { type LevelName, levelRank } from './result.ts';

export interface VerdictHistory {
  /** The verdict when its score was highest. */
  peak: Verdict;
  last: Verdict;
  firstSeen: number;
  lastSeen: number;
  requests: number;
  levelChanges: { level: LevelName; atMs: number }[];
  /** Score by time, thinned when it grows long. */
  scores: { atMs: number; score: number }[];
  findings: Map<DetectorId, Finding>;
  /** The hardest decision, at its first time. */
  decision: DecisionSummary | undefined;
}

export interface VerdictHistories {
  /** @param atMs time of the change: a level also falls when nothing happens */
  add(v: Verdict, atMs: number): VerdictHistory | undefined;
  all(): VerdictHistory[];
  /** Verdicts left out because too many others scored higher. */
  readonly dropped: number;
}

const maxLevelChanges = 64;
const maxScores = 128;

export function createVerdictHistories(limit: number): VerdictHistories {
  const histories = new Map<string, VerdictHistory>();
  let dropped = 0;

  /** No peak was below this at the last look, and peaks only rise. */
  let lowestPeak = Number.NEGATIVE_INFINITY;

  /** The lowest peak makes room, if it is below `score`. */
  function makeRoom(score: number): boolean {
    dropped++;
    if (score <= lowestPeak) return false;
    let lowest: [string, number] = ['', Number.POSITIVE_INFINITY];
    for (const [name, h] of histories) if (h.peak.score < lowest[1]) lowest = [name, h.peak.score];
    lowestPeak = lowest[1];
    return lowest[1] < score && histories.delete(lowest[0]);
  }

  return {
    get dropped() {
      return dropped;
    },
    add(v, atMs) {
      // One pseudonym may share its prefix with another, so the name alone does not tell them apart.
      const key = `${v.api} ${v.kind} ${v.pseudonym}`;
      // What it rested on is told of another by now: strangers who turned out to have something in common.
      if (v.findings.length === 0 && v.kind === PrincipalKind.CAMPAIGN) {
        histories.delete(key);
        return undefined;
      }
      let h = histories.get(key);
      if (h === undefined) {
        if (histories.size >= limit && !makeRoom(v.score)) return undefined;
        h = {
          peak: v,
          last: v,
          firstSeen: v.firstSeen,
          lastSeen: v.lastSeen,
          requests: v.requests,
          levelChanges: [],
          scores: [],
          findings: new Map(),
          decision: undefined,
        };
        histories.set(key, h);
      }
      const level = levelName(v.level);
      if (h.levelChanges.at(-1)?.level !== level && (h.levelChanges.length > 0 || level !== 'None')) {
        // The first changes and the latest one are what a reader needs; the middle of a flapping row is not.
        if (h.levelChanges.length >= maxLevelChanges) h.levelChanges.pop();
        const rising = levelRank(level) > levelRank(h.levelChanges.at(-1)?.level ?? 'None');
        h.levelChanges.push({ level, atMs: rising ? v.lastSeen : Math.max(atMs, v.lastSeen) });
      }
      noteScore(h.scores, v.score, Math.max(atMs, v.lastSeen));
      if (v.score > h.peak.score || (v.score === h.peak.score && v.level >= h.peak.level)) h.peak = v;
      h.last = v;
      // The evidence began before it amounted to anything.
      h.firstSeen = Math.min(h.firstSeen, v.firstSeen, ...v.findings.map((f) => f.since));
      h.lastSeen = Math.max(h.lastSeen, v.lastSeen);
      h.requests = Math.max(h.requests, v.requests);
      for (const f of v.findings) keepFinding(h.findings, f);
      if (v.decision !== undefined && (h.decision === undefined || v.decision.action > h.decision.action))
        h.decision = v.decision;
      return h;
    },
    all: () => [...histories.values()],
  };
}

/** Past the bound every second point goes, always the lower of two neighbours. */
function noteScore(scores: VerdictHistory['scores'], score: number, atMs: number): void {
  scores.push({ atMs, score });
  if (scores.length <= maxScores) return;
  const kept = scores.filter((s, i) => {
    const pair = scores[i ^ 1];
    return pair === undefined || s.score > pair.score || (s.score === pair.score && i % 2 === 0);
  });
  scores.splice(0, scores.length, ...kept);
}

/** One finding per detector: its strongest statement, over the whole time that it was made. */
function keepFinding(findings: Map<DetectorId, Finding>, f: Finding): void {
  const before = findings.get(f.detector);
  if (before === undefined) {
    findings.set(f.detector, f);
    return;
  }
  const stronger = f.pValue < before.pValue || (f.pValue === before.pValue && f.observed > before.observed);
  findings.set(f.detector, {
    ...(stronger ? f : before),
    since: Math.min(before.since, f.since),
    until: Math.max(before.until, f.until),
  });
}

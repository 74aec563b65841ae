/**
 * Findings into one score from 0 to 100 that explains itself: each finding's share, then what context multiplied, as
 * points that add up to the score shown.
 */
import { Criticality, Level } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Contribution, DetectorId, Family } from '../verdict.ts';

export interface Evidence {
  detector: DetectorId;
  family: Family;
  /** −log10 p, already decayed to now. */
  surprise: number;
  /** Share of the evidence that succeeded, 0..1. */
  successShare: number;
}

export interface ScoreContext {
  /** Surprise at which the false-alert budget is spent: this much alone is `Elevated`. */
  alertSurprise: number;
  criticality: Criticality;
  /** Weight of reputation lists the principal is on, 0..1. */
  reputation: number;
}

export interface Score {
  score: number;
  contributions: Contribution[];
}

/** Score from which a level begins. */
export const thresholds: Readonly<Record<Exclude<Level, Level.UNSPECIFIED | Level.NONE>, number>> = {
  [Level.LOW]: 20,
  [Level.ELEVATED]: 40,
  [Level.HIGH]: 65,
  [Level.CRITICAL]: 85,
};

/** A level is left only this far below its threshold. */
const hysteresis = 5;

/** Beyond this, more surprise is only arithmetic. */
const maxSurprise = 20;
/** Surprise beyond the alert threshold that closes 63 % of the gap to 100. */
const scale = 4.5;
/** A finding corroborates from here on. */
export const corroborates = 3;

const criticalityOdds: Readonly<Record<Criticality, number>> = {
  [Criticality.UNSPECIFIED]: 1,
  [Criticality.LOW]: 0.7,
  [Criticality.NORMAL]: 1,
  [Criticality.HIGH]: 1.3,
  [Criticality.CROWN]: 1.6,
};

/**
 * Odds added when all of the evidence succeeded. Somebody else's object that was served is harm done; a token that works
 * may still be its owner's. Other families' requests succeed for everybody.
 */
const served: Partial<Record<Family, number>> = { object: 2, identity: 1 };

/** Half-life of a finding's surprise once it is no longer renewed. */
const halfLifeMs = 30 * 60_000;

/** What is left of a surprise `age` milliseconds after its last evidence. */
export function decayed(surprise: number, ageMs: number): number {
  return surprise * 2 ** (-Math.max(0, ageMs) / halfLifeMs);
}

export function scoreOf(evidence: readonly Evidence[], context: ScoreContext): Score {
  // Of one family only the strongest is a whole opinion, every other half of one.
  const strongest = new Map<Family, Evidence>();
  for (const e of [...evidence].sort(bySurprise)) if (!strongest.has(e.family)) strongest.set(e.family, e);
  const opinionOf = (e: Evidence): number =>
    Math.min(maxSurprise, e.surprise) * (strongest.get(e.family) === e ? 1 : 0.5);
  // Ranked by what is left of them, lest a rise that moves half an opinion up push a whole one down.
  const sorted = [...evidence].sort((a, b) => opinionOf(b) - opinionOf(a) || bySurprise(a, b));
  if (sorted.length === 0) return { score: 0, contributions: [] };
  // Rank-damped: the second opinion counts, the tenth hardly.
  const weights = sorted.map((e, i) => opinionOf(e) / (i + 1) ** 1.5);
  const combined = weights.reduce((sum, w) => sum + w, 0);
  const base = pointsOf(combined, context.alertSurprise);
  const contributions: Contribution[] = sorted.map((e, i) => ({
    source: e.detector,
    points: (base * (weights[i] as number)) / combined,
  }));
  let score = base;
  const multiply = (source: string, odds: number, most = 100): void => {
    if (odds === 1 || score <= 0) return;
    const next = Math.min(applyOdds(score, odds), Math.max(most, score));
    contributions.push({ source, points: next - score });
    score = next;
  };
  const agreeing = new Set(sorted.filter((e) => e.surprise >= corroborates).map((e) => e.family)).size;
  if (agreeing > 1) multiply('corroboration', 1.6 ** (agreeing - 1));
  // What it was about weighs what is beyond chance; it does not make chance an alert, or the budget would not hold.
  const most = score < thresholds[Level.ELEVATED] ? thresholds[Level.ELEVATED] - 0.1 : 100;
  multiply('outcome', 1 + sorted.reduce((max, e) => Math.max(max, (served[e.family] ?? 0) * e.successShare), 0), most);
  multiply('criticality', criticalityOdds[context.criticality], most);
  multiply('reputation', 1 + context.reputation, most);
  return { score, contributions };
}

function bySurprise(a: Evidence, b: Evidence): number {
  return b.surprise - a.surprise || (a.detector < b.detector ? -1 : 1);
}

/** Below the alert threshold single signals only inform; at it they are `Elevated`; beyond, certainty approaches. */
function pointsOf(surprise: number, alert: number): number {
  const at = thresholds[Level.ELEVATED];
  if (surprise < alert) return at * 0.95 * (surprise / alert) ** 1.5;
  return at + (100 - at) * (1 - Math.exp(-(surprise - alert) / scale));
}

function applyOdds(score: number, odds: number): number {
  const p = Math.min(0.999, score / 100);
  const o = (p / (1 - p)) * odds;
  return (100 * o) / (1 + o);
}

/** The level of a score, given the level before it. */
export function levelOf(score: number, before: Level): Level {
  const plain = (value: number): Level =>
    value >= thresholds[Level.CRITICAL]
      ? Level.CRITICAL
      : value >= thresholds[Level.HIGH]
        ? Level.HIGH
        : value >= thresholds[Level.ELEVATED]
          ? Level.ELEVATED
          : value >= thresholds[Level.LOW]
            ? Level.LOW
            : Level.NONE;
  const now = plain(score);
  return now >= before ? now : Math.max(now, Math.min(before, plain(score + hysteresis)));
}

/** Product default of `falseAlertBudget.perDay`. */
const defaultBudget = 2;

/**
 * Surprise that spends the false-alert budget evenly over a day's chances for a false alert. Never below 5 (one window in
 * 100,000): with few chances a day a looser test would keep the budget but tell little.
 */
export function alertSurprise(budgetPerDay: number, testsPerDay: number): number {
  const alpha = (budgetPerDay > 0 ? budgetPerDay : defaultBudget) / Math.max(1000, testsPerDay);
  return Math.min(8, Math.max(5, -Math.log10(alpha)));
}

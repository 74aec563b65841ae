/** Collects what the analyzer said over a run: when each verdict first reached each level, and what was done. */
import type { AnalysisOutcome } from '@picket/analyzer/analysis.ts';
import { Action, Level } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Verdict } from '@picket/analyzer/verdict.ts';

export interface Alert {
  verdict: Verdict;
  /** Event time of the evidence with which the level was first reached, by level. */
  reachedAt: Map<Level, number>;
  /** The verdict as it stood when it first reached High. */
  atHigh: Verdict | undefined;
  /** When it was first throttled or denied. */
  actedAt: number;
}

export interface AlertLog {
  take(outcome: AnalysisOutcome): void;
  alerts(): Alert[];
}

export function createAlertLog(): AlertLog {
  const byName = new Map<string, Alert>();
  return {
    take(outcome) {
      for (const verdict of outcome.verdicts) {
        let alert = byName.get(verdict.name);
        if (!alert)
          byName.set(verdict.name, (alert = { verdict, reachedAt: new Map(), atHigh: undefined, actedAt: Number.NaN }));
        if (verdict.score >= alert.verdict.score) alert.verdict = verdict;
        for (const level of [Level.LOW, Level.ELEVATED, Level.HIGH, Level.CRITICAL])
          if (verdict.level >= level && !alert.reachedAt.has(level)) alert.reachedAt.set(level, verdict.lastSeen);
        if (verdict.level >= Level.HIGH) alert.atHigh ??= verdict;
      }
      for (const { event, decision } of outcome.decisions) {
        const alert = byName.get(decision.verdict);
        if (alert && event === 'decided' && decision.action >= Action.THROTTLE && Number.isNaN(alert.actedAt))
          alert.actedAt = outcome.at;
      }
    },
    alerts: () => [...byName.values()],
  };
}

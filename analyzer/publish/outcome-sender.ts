/** What a tick led to, sent to the store, the bus and the object store, each where it has not been told before. */
import { toBinary } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { decisionKey, parseApiName } from '@picket/proto/subjects.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { AnalysisOutcome } from '../analysis.ts';
import type { DecisionChange, DecisionEvent } from '../decide/coordinator-output.ts';
import type { Told } from '../store/store.ts';
import type { StoreWriter } from '../store/writer.ts';
import type { DetectorId } from '../verdict.ts';
import type { DecisionSender } from './decision-sender.ts';
import { decisionEvent, verdictEvent } from './events.ts';
import type { Publisher } from './publisher.ts';

/** What is only seen in passing; everything else can be asked for. */
export interface OutcomeMetrics {
  finding(detector: DetectorId): void;
  decision(event: DecisionEvent): void;
}

/** While catching up, most of an outcome has been told. */
export const nothingTold: Told = { findingTick: 0, verdictTick: 0, decisionAt: 0 };

export type OutcomeSender = (outcome: AnalysisOutcome, told: Told) => void;

export function createOutcomeSender(options: {
  writer: StoreWriter;
  publisher: Publisher;
  decisions: DecisionSender;
  clock: Clock;
  metrics: OutcomeMetrics;
}): OutcomeSender {
  const { writer, publisher, decisions, clock, metrics } = options;

  const record = (change: DecisionChange, outcome: AnalysisOutcome): void => {
    metrics.decision(change.event);
    const d = change.decision;
    writer.decision({
      id: d.id,
      at: outcome.at,
      api: d.api,
      kind: d.kind,
      pseudonym: d.pseudonym,
      action: d.action,
      mode: d.mode,
      verdict: d.verdict,
      policy: d.policy,
      policyRevision: d.policyRevision,
      decidedAt: Number(d.decidedAtMs),
      expiresAt: Number(d.expiresAtMs),
      evidenceCompleteAt: Number(d.evidenceCompleteAtMs),
      event: change.event,
      reason: change.reason,
    });
    publisher.event(
      'decision',
      d.api,
      d.verdict,
      `${d.id || d.verdict}-${change.event}-${outcome.tick}`,
      decisionEvent(change),
    );
  };

  const send = (key: string, change: DecisionChange): void => {
    const d = change.decision;
    const ttlMs = Number(d.expiresAtMs) - clock.now();
    const over = change.event === 'lifted' || change.event === 'expired';
    // Decisions that history alone led to may be over before they are made.
    if (!over && (ttlMs <= 0 || d.match.length === 0)) return;
    decisions.send(key, over ? undefined : toBinary(DecisionSchema, d), Number(d.expiresAtMs));
  };

  return (outcome, told) => {
    if (outcome.tick > told.findingTick)
      for (const finding of outcome.findings) {
        writer.finding(finding);
        metrics.finding(finding.detector);
      }
    for (const verdict of outcome.verdicts) {
      const fresh = outcome.tick > told.verdictTick;
      if (fresh) writer.verdict(verdict);
      publisher.verdict(verdict);
      if (fresh)
        publisher.event('verdict', verdict.api, verdict.name, `${verdict.name}-${outcome.tick}`, verdictEvent(verdict));
    }
    // The last word of the tick alone is sent: a decision that replaces another must leave no moment without one.
    const last = new Map<string, DecisionChange>();
    for (const change of outcome.decisions) {
      if (outcome.at > told.decisionAt) record(change, outcome);
      if (change.event === 'suppressed') publisher.warn(change.decision.policy, 'SafetyLimit', change.reason);
      else last.set(keyOfDecision(change.decision), change);
    }
    for (const [key, change] of last) send(key, change);
  };
}

function keyOfDecision({ fleet, api, kind, pseudonym }: Decision): string {
  return decisionKey({ fleet, ...parseApiName(api), kind, pseudonym });
}

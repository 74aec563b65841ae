/** The decisions of one API: made when a risk earns one, renewed while it goes on, ended when their time or reason is over. */
import { create } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Action, Level, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { hex16, mixed, mixKey } from '../profile/hash.ts';
import type { Risk } from '../score/risk.ts';
import { levelOf } from '../score/score.ts';
import type { CampaignTrait, DecisionSummary } from '../verdict.ts';
import { type CoordinatorOutput, type DecisionChange, type DecisionEvent, emptyOutput } from './coordinator-output.ts';
import { type DecisionAnswer, decideAction, type HoldReason } from './decision.ts';
import { createInForce, type Weight } from './in-force.ts';
import type { MatchAnswers } from './match-answers.ts';
import { limitsOf } from './safety.ts';
import type { Situation } from './situation.ts';
import type { Suspects } from './suspects.ts';
import { verdictName } from './verdict-of-risk.ts';

export interface EnforcerState {
  inForce: { risk: string; body: Decision; weight: Weight }[];
  displaced: number;
  easedUntil: number;
}

export interface Enforcer {
  /** Decisions that gave their place to one on a higher score. */
  readonly displaced: number;
  has(key: string): boolean;
  inForce(): Iterable<Decision>;
  /** Makes, renews or ends the decision that a risk at its present score earns. */
  act(key: string, risk: Risk, at: number, output: CoordinatorOutput): void;
  /** Ends the decision in force on a risk, if there is one. */
  lift(key: string, risk: Risk, reason: string, output: CoordinatorOutput): void;
  liftAll(reason: string): CoordinatorOutput;
  /** Takes over a decision that is in force without its risk having led to it. */
  adopt(key: string, risk: Risk, decision: Decision): void;
  /** What counts as established may have changed. */
  reweigh(): void;
  save(): EnforcerState;
  load(state: EnforcerState): void;
}

type Decided = Extract<DecisionAnswer, { decide: true }>;

/** After this much quiet the next time past the safety limit is told anew. */
const easedQuietMs = 600_000;
/** A decision needs evidence no older than this. */
const freshMs = 60_000;
/** Reasons that end a decision in force. */
const lifting: ReadonlySet<HoldReason> = new Set(['Exempt', 'Reviewed', 'Observe']);

export function createEnforcer(situation: Situation, suspects: Suspects, answers: MatchAnswers): Enforcer {
  /** Decisions in force by risk key. */
  let inForce = createInForce();
  let displaced = 0;
  /** Until then the incident that passed the safety limit goes on. */
  let easedUntil = 0;

  const weightOf = (risk: Risk): Weight => ({
    established: risk.firstSeen - risk.facts.firstAt >= limitsOf(situation.policy.behavior?.safety).minBaselineMs,
    requests: risk.facts.requests,
  });

  const decide = (
    key: string,
    risk: Risk,
    answer: Decided,
    at: number,
    event: DecisionEvent,
    previous: Decision | undefined,
    output: CoordinatorOutput,
  ): void => {
    const { policy } = situation;
    const match = answers.matchOf(key, risk, previous, output);
    if (!match.ok) {
      hold(risk, match.reason, match.message, at, output);
      return;
    }
    if (!previous && !makeRoom(key, risk, at, output)) return;
    const decidedAt = Math.round(Math.max(at, risk.lastSeen));
    const expiresAt = Math.min(decidedAt + answer.forMs, borrowedUntil(risk));
    mixKey(
      Number.parseInt(risk.pseudonym.slice(8), 16),
      Number.parseInt(risk.pseudonym.slice(0, 8), 16),
      decidedAt >>> 0,
      risk.kind,
    );
    const decision = create(DecisionSchema, {
      id: event === 'extended' && previous ? previous.id : `dec-${hex16(mixed.lo, mixed.hi).slice(0, 12)}`,
      fleet: policy.fleet,
      api: policy.api,
      apiUid: policy.apiUid,
      policy: policy.behavior?.policy ?? '',
      policyRevision: policy.behavior?.policyRevision ?? '',
      verdict: verdictName(policy.api, risk),
      kind: risk.kind,
      pseudonym: risk.pseudonym,
      action: answer.action,
      mode: answer.mode,
      level: risk.level,
      score: risk.score,
      throttleRequestsPerMinute: answer.response.throttleRequestsPerMinute || 30,
      match: match.match,
      decidedAtMs: BigInt(event === 'extended' && previous ? Number(previous.decidedAtMs) : decidedAt),
      expiresAtMs: BigInt(expiresAt),
      evidenceCompleteAtMs: BigInt(Math.round(risk.lastSeen)),
    });
    inForce.set(key, decision, weightOf(risk));
    risk.held = { reason: '', message: '' };
    risk.earnedThen = risk.earned;
    risk.decision = summaryOf(decision);
    risk.told = { ...risk.told, score: -10 };
    output.decisions.push({ event, decision, reason: `${Level[risk.level]} at ${risk.score.toFixed(0)}` });
  };

  const end = (
    key: string,
    risk: Risk,
    decision: Decision,
    event: DecisionEvent,
    reason: string,
    output: CoordinatorOutput,
  ): void => {
    inForce.delete(key);
    risk.decision = undefined;
    if (event === 'expired') {
      risk.actedThrough = Number(decision.evidenceCompleteAtMs);
      if (decision.action >= Action.THROTTLE) risk.strikes++;
    }
    // Told whatever its level is by now: a decision that is over must not stand in status.
    risk.told = { ...risk.told, score: -10, level: Math.max(risk.told.level, Level.LOW) };
    output.decisions.push({ event, decision, reason });
  };

  /** Places are bounded: a higher score takes that of the lowest. */
  const makeRoom = (key: string, risk: Risk, at: number, output: CoordinatorOutput): boolean => {
    const weakest = inForce.weakest();
    const decision = weakest === undefined ? undefined : inForce.get(weakest);
    if (weakest === undefined || !decision || weakest === key) return true;
    if (decision.score >= risk.score) {
      hold(
        risk,
        'Capacity',
        `${inForce.size} decisions on higher scores are in force, there is no room for more`,
        at,
        output,
      );
      return false;
    }
    displaced++;
    const other = suspects.get(weakest);
    if (other) end(weakest, other, decision, 'lifted', 'a higher score took its place', output);
    else inForce.delete(weakest);
    return true;
  };

  /** Some campaign's decision in force acts on what this principal was last seen to do. */
  const coveredByCampaign = (risk: Risk): boolean => {
    if (risk.kind === PrincipalKind.CAMPAIGN) return false;
    for (const key of inForce.campaigns()) {
      const campaign = suspects.get(key)?.traits ?? [];
      const shows = (trait: CampaignTrait): boolean =>
        risk.shows.some((own) => own.trait === trait.trait && own.value === trait.value);
      if (campaign.length > 0 && campaign.every((trait) => trait.trait === 'operation' || shows(trait))) return true;
    }
    return false;
  };

  /** Tells once per incident that the safety limit makes new decisions milder. */
  const easedBy = (message: string | undefined, risk: Risk, at: number, output: CoordinatorOutput): void => {
    risk.eased = message !== undefined;
    if (message === undefined || at < easedUntil) {
      if (message !== undefined) easedUntil = at + easedQuietMs;
      return;
    }
    easedUntil = at + easedQuietMs;
    output.decisions.push(
      suppressedBy(risk, at, `new denials become throttles, or a campaign's decision stands for them: ${message}`),
    );
  };

  const suppressedBy = (risk: Risk, at: number, reason: string): DecisionChange => ({
    event: 'suppressed',
    decision: create(DecisionSchema, {
      api: situation.policy.api,
      policy: situation.policy.behavior?.policy ?? '',
      verdict: verdictName(situation.policy.api, risk),
      kind: risk.kind,
      pseudonym: risk.pseudonym,
      decidedAtMs: BigInt(Math.round(at)),
      expiresAtMs: BigInt(Math.round(at)),
      score: risk.score,
      level: risk.level,
    }),
    reason,
  });

  const hold = (risk: Risk, reason: HoldReason, message: string, at: number, output: CoordinatorOutput): void => {
    if (risk.held.reason === reason) return;
    risk.held = { reason, message };
    if (reason === 'WithinSafety') output.decisions.push(suppressedBy(risk, at, message));
  };

  /** Renews, replaces or leaves alone what is in force on a risk that still earns a decision. */
  const follow = (
    key: string,
    risk: Risk,
    answer: Decided,
    at: number,
    current: Decision,
    output: CoordinatorOutput,
  ): void => {
    const revised = isRevised(current);
    // A changed policy is followed at once; a risk that merely decays keeps its decision to the end.
    const changed =
      answer.mode !== current.mode || (revised && answer.eased === undefined && answer.action < current.action);
    const harder = answer.action > current.action;
    if (changed || harder) {
      end(key, risk, current, 'lifted', changed ? 'the policy changed' : 'replaced by a harder action', output);
      decide(key, risk, answer, at, 'decided', current, output);
      return;
    }
    const remaining = Number(current.expiresAtMs) - at;
    const renewed = risk.lastSeen > Number(current.evidenceCompleteAtMs) + answer.forMs / 2;
    if (!renewed || remaining >= answer.forMs / 2) return;
    // Past the safety limit nothing in force becomes milder, so that an attacker's numbers lift nothing.
    const action = answer.eased === undefined ? answer.action : current.action;
    decide(key, risk, { ...answer, action }, at, 'extended', current, output);
  };

  const isRevised = (decision: Decision): boolean =>
    decision.policyRevision !== (situation.policy.behavior?.policyRevision ?? '');

  return {
    get displaced() {
      return displaced;
    },
    has: (key) => inForce.has(key),
    inForce: () => inForce.values(),
    act(key, risk, at, output) {
      const ran = inForce.get(key);
      if (ran && at >= Number(ran.expiresAtMs)) end(key, risk, ran, 'expired', 'the decision ran its time', output);
      const total = situation.standing?.requests[risk.kind] ?? 0;
      const answer = decideAction({
        risk,
        policy: situation.policy,
        now: at,
        populationSince: situation.population?.since ?? 0,
        safety: { standing: situation.standing, inForce: (kind) => inForce.tally(kind, key) },
        shareOfRequests: total > 0 ? risk.facts.requests / total : 0,
        coveredByCampaign: coveredByCampaign(risk),
      });
      const current = inForce.get(key);
      if (!answer.decide) {
        hold(risk, answer.reason, answer.message, at, output);
        if (answer.reason === 'CoveredByCampaign') easedBy(answer.message, risk, at, output);
        if (!current) return;
        const fell = answer.reason === 'NotActedOn' || answer.reason === 'BelowResponses';
        if (lifting.has(answer.reason) || (isRevised(current) && fell))
          end(key, risk, current, 'lifted', answer.message, output);
        return;
      }
      easedBy(answer.eased, risk, at, output);
      if (current) {
        follow(key, risk, answer, at, current, output);
        return;
      }
      if (borrowedUntil(risk) <= at) return;
      // Decay alone must not bring an expired one back.
      if (at - risk.lastSeen > freshMs || Math.round(risk.lastSeen) <= risk.actedThrough) return;
      decide(key, risk, answer, at, 'decided', undefined, output);
    },
    lift(key, risk, reason, output) {
      const decision = inForce.get(key);
      if (decision) end(key, risk, decision, 'lifted', reason, output);
    },
    liftAll(reason) {
      const output = emptyOutput();
      for (const [key, decision] of inForce.entries()) {
        const risk = suspects.get(key);
        if (risk) end(key, risk, decision, 'lifted', reason, output);
      }
      return output;
    },
    adopt(key, risk, decision) {
      inForce.set(key, decision, weightOf(risk));
      risk.decision = summaryOf(decision);
    },
    reweigh() {
      for (const [key, decision] of inForce.entries()) {
        const risk = suspects.get(key);
        if (risk) inForce.set(key, decision, weightOf(risk));
      }
    },
    save: () => ({
      inForce: inForce.entries().map(([risk, body, weight]) => ({ risk, body: withoutMatch(body), weight })),
      displaced,
      easedUntil,
    }),
    load(state) {
      inForce = createInForce();
      for (const { risk, body, weight } of state.inForce) inForce.set(risk, create(DecisionSchema, body), weight);
      displaced = state.displaced;
      easedUntil = state.easedUntil;
    },
  };
}

/** End of the decision that a risk inherits its level from; Infinity where its own evidence earns it. */
function borrowedUntil({ inherits, earned, level }: Risk): number {
  if (!inherits || levelOf(earned, Level.NONE) >= level) return Number.POSITIVE_INFINITY;
  return inherits.until ?? Number.POSITIVE_INFINITY;
}

function summaryOf(decision: Decision): DecisionSummary {
  const { id, action, mode, policy, policyRevision } = decision;
  return {
    ...{ id, action, mode, policy, policyRevision },
    decidedAt: Number(decision.decidedAtMs),
    expiresAt: Number(decision.expiresAtMs),
    evidenceCompleteAt: Number(decision.evidenceCompleteAtMs),
  };
}

/** Match values are raw: they stay on the decision channel and out of checkpoints. */
function withoutMatch(decision: Decision): Decision {
  return { ...decision, match: [] };
}

/**
 * The third stage: one coordinator per API, single writer. It takes sightings in order, keeps the risks, decides and says
 * what changed. No I/O and no clock: time is the tick's.
 */
import { create } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema, type Predicate } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import {
  Action,
  type CompiledPolicy,
  Criticality,
  Level,
  Mode,
  PrincipalKind,
  Sensitivity,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { DETECTOR_VERSION } from '../detect/catalogue.ts';
import { type ApiPopulation, remainderOf } from '../detect/population.ts';
import { Key, KIND_COUNT } from '../engine/key-kind.ts';
import type { Sighting } from '../engine/sighting.ts';
import { hex16, mixed, mixKey } from '../profile/hash.ts';
import type { Standing } from '../profile/principal-table.ts';
import { benignIf, confidenceOf } from '../score/explain.ts';
import { addFinding, createRisk, evidenceOf, type Risk } from '../score/risk.ts';
import { alertSurprise, levelOf, scoreOf } from '../score/score.ts';
import type { CampaignTrait, DecisionSummary, DetectorId, Finding, Verdict } from '../verdict.ts';
import { chooseCampaigns, type CampaignCandidate } from './campaign.ts';
import { decideAction, type HoldReason, maxBystanders } from './decision.ts';
import { buildMatch, type MatchAnswer, type MatchRecord, type MatchStatement, type MatchValues } from './match.ts';
import { createInForce, type Weight } from './in-force.ts';
import { limitsOf, type SafetyView } from './safety.ts';

export type DecisionEvent = 'decided' | 'extended' | 'lifted' | 'expired' | 'suppressed';

export interface DecisionChange {
  event: DecisionEvent;
  decision: Decision;
  reason: string;
}

/** A judgement that an operator's review teaches: the surprise was within what is normal here. */
export interface Lesson {
  detector: DetectorId;
  kind: number;
  surprise: number;
  /** 1 = one more window as surprising as this was normal; negative takes back what is left of such a lesson. */
  weight: number;
}

export interface CoordinatorOutput {
  findings: Finding[];
  verdicts: Verdict[];
  decisions: DecisionChange[];
  /** Match answers that differ from the last ones about the same principals. */
  answers: MatchRecord[];
}

export interface CoordinatorState {
  risks: [string, Risk][];
  inForce: { risk: string; body: Decision; weight: Weight }[];
  candidates: [string, CampaignCandidate][];
  sharedBy: [string, number][];
  evicted: number;
  displaced: number;
  easedUntil: number;
  standing: Standing | undefined;
  lastTick: number;
  lastAt: number;
}

export interface Coordinator {
  setPolicy(policy: CompiledPolicy, at: number): CoordinatorOutput;
  /** An address now serves this many principals. */
  shared(address: string, principals: number): void;
  /** A person exempted this principal until then: what is in force on it is lifted. */
  exempt(kind: PrincipalKind, pseudonym: string, at: number): CoordinatorOutput;
  /** Takes over a decision that is in force though the rows that led to it were lost in a crash. */
  adopt(decision: Decision): CoordinatorOutput;
  /** Principals with a decision in force. */
  actedOn(): { kind: PrincipalKind; pseudonym: string }[];
  /** In a rerun: what was answered in the tick that comes next. Until `recalling` ends nothing else is asked. */
  recall(record: MatchRecord): void;
  recalling(on: boolean): void;
  /** The API is gone: lifts what is in force. */
  retire(at: number): CoordinatorOutput;
  /** Takes one tick's sightings of this API; call it with none to let time pass. */
  take(tick: TickView, sightings: readonly Sighting[]): CoordinatorOutput;
  review(verdict: string, disposition: 'TruePositive' | 'FalsePositive' | 'BenignTrigger', at: number): ReviewOutcome;
  /** Everything at `Low` or above, highest score first. */
  verdicts(): Verdict[];
  activity(): {
    acting: number;
    wouldAct: number;
    /** Principals on which the safety limits let nothing be decided now. */
    suppressed: number;
    /** Principals that the safety limits have throttled instead of denied. */
    eased: number;
    risks: number;
    evicted: number;
    displaced: number;
  };
  save(): CoordinatorState;
  load(state: CoordinatorState): void;
}

export interface ReviewOutcome {
  found: boolean;
  output: CoordinatorOutput;
  lessons: Lesson[];
}

export interface TickView {
  tick: number;
  at: number;
  population: ApiPopulation | undefined;
  standing: Standing | undefined;
  /** Verdicts are reconsidered for decay: true about every ten seconds of event time. */
  reconsider: boolean;
}

const maxRisks = 5000;
const maxSharedAddresses = 50_000;
/** Risks below this, without a decision, are forgotten. */
const forgetBelow = 5;
const clearedMs = 86_400_000;
const verdictGraceMs = 3_600_000;
/** After this much quiet the next time past the safety limit is told anew. */
const easedQuietMs = 600_000;
/** Reasons that end a decision in force. */
const lifting: ReadonlySet<HoldReason> = new Set(['Exempt', 'Reviewed', 'Observe']);
const loginDetectors = new Set<DetectorId>(['bruteForce', 'credentialStuffing', 'distributedStuffing']);

export function createCoordinator(options: {
  policy: CompiledPolicy;
  values: MatchValues;
  requestIdOf(seq: number): string;
}): Coordinator {
  const { values, requestIdOf } = options;
  let policy = options.policy;
  let risks = new Map<string, Risk>();
  /** Decisions in force by risk key. */
  let inForce = createInForce();
  let candidates = new Map<string, CampaignCandidate>();
  let standing: Standing | undefined;
  let population: ApiPopulation | undefined;
  /** Principals served through an address, where there are several. */
  let sharedBy = new Map<string, number>();
  let evicted = 0;
  /** Decisions that gave their place to one on a higher score. */
  let displaced = 0;
  /** Until then the incident that passed the safety limit goes on. */
  let easedUntil = 0;
  let lastTick = 0;
  let lastAt = 0;
  /** A rerun: match answers are those that were given then. */
  let rerunning = false;
  const recalled = new Map<string, MatchStatement>();

  const alert = (): number => alertSurprise(policy.behavior?.falseAlertsPerDay ?? 0, population?.testsPerDay ?? 0);

  const weightOf = (risk: Risk): Weight => ({
    established: risk.firstSeen - risk.facts.firstAt >= limitsOf(policy.behavior?.safety).minBaselineMs,
    requests: risk.facts.requests,
  });

  const riskFor = (sighting: Sighting): { key: string; risk: Risk } => {
    const kind = sighting.code & (KIND_COUNT - 1);
    let pseudonym = hex16(sighting.valueLo, sighting.valueHi);
    let principal = kind as PrincipalKind;
    let traits: CampaignTrait[] = [];
    if (kind === Key.client) {
      // A program behind an address that few others use is that address.
      const address = sighting.traits.find((t) => t.trait === 'address')?.value ?? '';
      const maxSharers = limitsOf(policy.behavior?.safety).maxPrincipalsPerAddress;
      if ((sharedBy.get(address) ?? 1) <= maxSharers) {
        principal = PrincipalKind.ADDRESS;
        pseudonym = address;
      } else {
        principal = PrincipalKind.CAMPAIGN;
        traits = sighting.traits;
      }
    } else if (kind === Key.trait) {
      principal = PrincipalKind.CAMPAIGN;
      traits = sighting.traits;
    }
    const key = `${principal}:${pseudonym}`;
    let risk = risks.get(key);
    if (!risk) {
      risk = createRisk(principal, pseudonym, traits, sighting.facts, sighting.until);
      risks.set(key, risk);
    }
    return { key, risk };
  };

  const findingOf = (s: Sighting, risk: Risk, surprise: number): Finding => ({
    detector: s.detector,
    family: s.family,
    api: policy.api,
    kind: risk.kind,
    pseudonym: risk.pseudonym,
    since: s.since,
    until: s.until,
    pValue: 10 ** -surprise,
    observed: s.observed,
    expected: s.expected,
    unit: s.unit,
    baseline: {
      n: Math.round(s.baseline),
      ageMs: s.populationSince === 0 ? 0 : Math.max(0, s.until - s.populationSince),
      prior: s.baseline < 50,
    },
    sampleSeqs: s.sampleSeqs,
    tick: lastTick,
    partition: s.partition,
    seq: s.seq,
  });

  /** What the policy makes of a surprise: switched off, more or less sensitive, or a hard limit that was passed. */
  const tuned = (s: Sighting): number | undefined => {
    const settings = policy.behavior?.detectors[s.detector];
    if (!settings) return s.surprise;
    if (!settings.enabled) return undefined;
    const shift = settings.sensitivity === Sensitivity.HIGH ? 1 : settings.sensitivity === Sensitivity.LOW ? -1 : 0;
    const limit = settings.limits['maxForeignObjects'];
    const floor = s.detector === 'objectEnumeration' && limit !== undefined && s.observed > limit ? alert() + 4 : 0;
    return Math.max(0, s.surprise + shift, floor);
  };

  const rescore = (risk: Risk, at: number): void => {
    const context = {
      alertSurprise: alert(),
      criticality: policy.criticality || Criticality.NORMAL,
      reputation: risk.reputation,
    };
    const before = risk.level;
    const score = scoreOf(evidenceOf(risk, at), context);
    risk.score = score.score;
    risk.level = levelOf(score.score, before);
  };

  const judge = (key: string, risk: Risk, at: number, output: CoordinatorOutput): void => {
    rescore(risk, at);
    tell(key, risk, at, output);
  };

  /** Judges in order of score: where safety has room for some only, the highest scores have it. */
  const judgeAll = (list: readonly (readonly [string, Risk])[], at: number, output: CoordinatorOutput): void => {
    for (const [, risk] of list) rescore(risk, at);
    // A campaign goes first: its decision may stand for thousands.
    const campaignFirst = (risk: Risk): number => (risk.kind === PrincipalKind.CAMPAIGN ? 1000 : 0) + risk.score;
    for (const [key, risk] of [...list].sort(([, a], [, b]) => campaignFirst(b) - campaignFirst(a)))
      tell(key, risk, at, output);
  };

  const tell = (key: string, risk: Risk, at: number, output: CoordinatorOutput): void => {
    act(key, risk, at, output);
    const told = risk.told;
    const changed =
      risk.level !== told.level || Math.abs(risk.score - told.score) >= 3 || risk.findings.size !== told.findings;
    if (risk.level < Level.LOW && told.level < Level.LOW) return;
    if (!changed) return;
    risk.told = { score: risk.score, level: risk.level, findings: risk.findings.size };
    output.verdicts.push(verdictOf(risk, at));
  };

  const act = (key: string, risk: Risk, at: number, output: CoordinatorOutput): void => {
    const current = inForce.get(key);
    if (current && at >= Number(current.expiresAtMs))
      end(key, risk, current, 'expired', 'the decision ran its time', output);
    const safety: SafetyView = { standing, inForce: (kind) => inForce.tally(kind, key) };
    const total = standing?.requests[risk.kind] ?? 0;
    const answer = decideAction({
      risk,
      policy,
      now: at,
      populationSince: population?.since ?? 0,
      safety,
      shareOfRequests: total > 0 ? risk.facts.requests / total : 0,
      coveredByCampaign: coveredByCampaign(risk),
    });
    const standingDecision = inForce.get(key);
    const revised = standingDecision && standingDecision.policyRevision !== (policy.behavior?.policyRevision ?? '');
    if (!answer.decide) {
      hold(risk, answer.reason, answer.message, at, output);
      if (answer.reason === 'CoveredByCampaign') easedBy(answer.message, risk, at, output);
      const lifts =
        lifting.has(answer.reason) ||
        (revised && (answer.reason === 'NotActedOn' || answer.reason === 'BelowResponses'));
      if (standingDecision && lifts) end(key, risk, standingDecision, 'lifted', answer.message, output);
      return;
    }
    easedBy(answer.eased, risk, at, output);
    if (standingDecision) {
      // A changed policy is followed at once; a risk that merely decays keeps its decision to the end.
      const changed =
        answer.mode !== standingDecision.mode ||
        (revised && answer.eased === undefined && answer.action < standingDecision.action);
      const harder = answer.action > standingDecision.action;
      if (changed || harder) {
        const why = changed ? 'the policy changed' : 'replaced by a harder action';
        end(key, risk, standingDecision, 'lifted', why, output);
        decide(key, risk, answer, at, 'decided', standingDecision, output);
        return;
      }
      const remaining = Number(standingDecision.expiresAtMs) - at;
      const renewed = risk.lastSeen > Number(standingDecision.evidenceCompleteAtMs) + answer.forMs / 2;
      if (!renewed || remaining >= answer.forMs / 2) return;
      // Past the safety limit nothing in force becomes milder, so that an attacker's numbers lift nothing.
      const action = answer.eased === undefined ? answer.action : standingDecision.action;
      decide(key, risk, { ...answer, action }, at, 'extended', standingDecision, output);
      return;
    }
    // A decision needs evidence that is still fresh: decay alone must not bring an expired one back.
    if (at - risk.lastSeen > 60_000 || Math.round(risk.lastSeen) <= risk.actedThrough) return;
    decide(key, risk, answer, at, 'decided', undefined, output);
  };

  const decide = (
    key: string,
    risk: Risk,
    answer: Extract<ReturnType<typeof decideAction>, { decide: true }>,
    at: number,
    event: DecisionEvent,
    previous: Decision | undefined,
    output: CoordinatorOutput,
  ): void => {
    const match = matchOf(key, risk, previous, output);
    if (!match.ok) {
      hold(risk, match.reason, match.message, at, output);
      return;
    }
    if (!previous && !makeRoom(key, risk, at, output)) return;
    const decidedAt = Math.round(Math.max(at, risk.lastSeen));
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
      expiresAtMs: BigInt(decidedAt + answer.forMs),
      evidenceCompleteAtMs: BigInt(Math.round(risk.lastSeen)),
    });
    inForce.set(key, decision, weightOf(risk));
    risk.held = { reason: '', message: '' };
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
    const other = risks.get(weakest);
    if (other) end(weakest, other, decision, 'lifted', 'a higher score took its place', output);
    else inForce.delete(weakest);
    return true;
  };

  const matchOf = (key: string, risk: Risk, previous: Decision | undefined, output: CoordinatorOutput): MatchAnswer => {
    const detectors = [...risk.findings.keys()];
    const loginsOnly = detectors.every((d) => loginDetectors.has(d));
    const { kind, pseudonym, traits } = risk;
    const built = buildMatch({ kind, pseudonym, traits, loginsOnly }, policy, values);
    const kept = built.ok || built.reason !== 'ValueForgotten' ? undefined : keptMatch(risk, previous);
    let match: MatchAnswer = kept ? { ok: true, match: kept } : built;
    const then = rerunning ? (recalled.get(key) ?? risk.matchable) : undefined;
    // What was matched then may be forgotten by now: the decision stands, and its match with those who hold it.
    if (then) match = then.ok ? { ok: true, match: match.ok ? match.match : [] } : then;
    recalled.delete(key);
    const statement: MatchStatement = match.ok
      ? { ok: true }
      : { ok: false, reason: match.reason, message: match.message };
    if (!sameStatement(statement, risk.matchable)) output.answers.push({ api: policy.api, kind, pseudonym, statement });
    risk.matchable = statement;
    return match;
  };

  /** After a restart the value is forgotten, but the decision that was sent before still has its match. */
  const keptMatch = (risk: Risk, previous: Decision | undefined): Predicate[] | undefined =>
    previous && previous.match.length > 0 ? previous.match : values.matchInForce?.(risk.kind, risk.pseudonym);

  /** Some campaign's decision in force acts on what this principal was last seen to do. */
  const coveredByCampaign = (risk: Risk): boolean => {
    if (risk.kind === PrincipalKind.CAMPAIGN) return false;
    for (const key of inForce.campaigns()) {
      const campaign = risks.get(key)?.traits ?? [];
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
      api: policy.api,
      policy: policy.behavior?.policy ?? '',
      verdict: verdictName(policy.api, risk),
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

  const verdictOf = (risk: Risk, at: number): Verdict => {
    const findings = [...risk.findings.values()].sort((a, b) => b.surprise - a.surprise).map((f) => f.finding);
    const score = scoreOf(evidenceOf(risk, at), {
      alertSurprise: alert(),
      criticality: policy.criticality || Criticality.NORMAL,
      reputation: risk.reputation,
    });
    const rounded = Math.round(score.score * 10) / 10;
    return {
      name: verdictName(policy.api, risk),
      api: policy.api,
      kind: risk.kind,
      pseudonym: risk.pseudonym,
      score: rounded,
      level: risk.level,
      confidence: confidenceOf(findings),
      firstSeen: risk.firstSeen,
      lastSeen: risk.lastSeen,
      expiresAt: Math.max(risk.decision?.expiresAt ?? 0, risk.lastSeen + verdictGraceMs),
      requests: risk.facts.requests,
      contributions: score.contributions,
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
      requestIds: [...new Set(findings.flatMap((f) => f.sampleSeqs))]
        .map(requestIdOf)
        .filter((id) => id !== '')
        .slice(0, 5),
      benignIf: benignIf(findings),
      enforceable: { ok: risk.held.reason === '', reason: risk.held.reason, message: risk.held.message },
      ...(risk.decision ? { decision: risk.decision } : {}),
      policyRevision: policy.revision,
      detectorVersion: DETECTOR_VERSION,
      tick: lastTick,
    };
  };

  const bound = (): void => {
    if (risks.size <= maxRisks) return;
    const weakest = [...risks].filter(([key]) => !inForce.has(key)).sort((a, b) => a[1].score - b[1].score);
    for (const [key] of weakest.slice(0, risks.size - maxRisks)) {
      risks.delete(key);
      evicted++;
    }
  };

  const liftAll = (reason: string): CoordinatorOutput => {
    const output = emptyOutput();
    for (const [key, decision] of inForce.entries()) {
      const risk = risks.get(key);
      if (risk) end(key, risk, decision, 'lifted', reason, output);
    }
    return output;
  };

  const touch = (risk: Risk, sighting: Sighting, surprise: number, output: CoordinatorOutput): void => {
    const finding = findingOf(sighting, risk, surprise);
    addFinding(risk, finding, surprise, sighting.successShare);
    if (sighting.facts.requests >= risk.facts.requests) risk.facts = sighting.facts;
    if (risk.kind === PrincipalKind.ADDRESS)
      risk.facts = { ...risk.facts, sharedBy: Math.max(risk.facts.sharedBy, sharedBy.get(risk.pseudonym) ?? 1) };
    // One exempt caller among those that share traits exempts nobody else.
    risk.exempt = risk.kind !== PrincipalKind.CAMPAIGN && sighting.exempt;
    risk.reputation = sighting.reputation;
    if (sighting.traits.length > 0) risk.shows = sighting.traits;
    if (sighting.campaign) risk.campaign = sighting.campaign;
    output.findings.push(finding);
  };

  return {
    setPolicy(next, at) {
      policy = next;
      // What counts as established may have changed.
      for (const [key, decision] of inForce.entries()) {
        const risk = risks.get(key);
        if (risk) inForce.set(key, decision, weightOf(risk));
      }
      const acts = next.behavior?.mode === Mode.ENFORCE || next.behavior?.mode === Mode.DRY_RUN;
      const output = acts ? emptyOutput() : liftAll('the policy no longer acts');
      judgeAll([...risks], at, output);
      return output;
    },
    shared(address, principals) {
      sharedBy.delete(address);
      if (principals > 1) sharedBy.set(address, principals);
      if (sharedBy.size > maxSharedAddresses) sharedBy.delete(sharedBy.keys().next().value as string);
    },
    exempt(kind, pseudonym, at) {
      const output = emptyOutput();
      const key = `${kind}:${pseudonym}`;
      const risk = risks.get(key);
      if (!risk) return output;
      // Until its next request, which says by itself whether the exemption still holds.
      risk.exempt = true;
      judge(key, risk, at, output);
      return output;
    },
    adopt(decision) {
      const key = `${decision.kind}:${decision.pseudonym}`;
      if (inForce.has(key)) return emptyOutput();
      const decidedAt = Number(decision.decidedAtMs);
      const unknown = {
        ...{ firstAt: decidedAt, lastAt: decidedAt, requests: 0, sharedBy: 1 },
        ...{ operations: 0, networks: 0, devices: 0, errorRatio: 0 },
      };
      const risk = risks.get(key) ?? createRisk(decision.kind, decision.pseudonym, [], unknown, decidedAt);
      risks.set(key, risk);
      risk.lastSeen = Math.max(risk.lastSeen, Number(decision.evidenceCompleteAtMs));
      inForce.set(key, decision, weightOf(risk));
      risk.decision = summaryOf(decision);
      const output = emptyOutput();
      output.verdicts.push(verdictOf(risk, risk.lastSeen));
      return output;
    },
    actedOn: () => [...inForce.values()].map(({ kind, pseudonym }) => ({ kind, pseudonym })),
    recall: ({ kind, pseudonym, statement }) => void recalled.set(`${kind}:${pseudonym}`, statement),
    recalling(on) {
      rerunning = on;
      recalled.clear();
    },
    retire: () => liftAll('the API is no longer protected'),
    take(view, sightings) {
      lastTick = view.tick;
      lastAt = view.at;
      population = view.population;
      standing = view.standing ?? standing;
      const output = emptyOutput();
      const touched = new Map<string, Risk>();
      const single = sightings.filter((s) => (s.code & (KIND_COUNT - 1)) !== Key.trait);
      for (const sighting of single) {
        const surprise = tuned(sighting);
        if (surprise === undefined) continue;
        const { key, risk } = riskFor(sighting);
        touch(risk, sighting, surprise, output);
        touched.set(key, risk);
      }
      const shared = sightings.filter((s) => (s.code & (KIND_COUNT - 1)) === Key.trait && tuned(s) !== undefined);
      const maxStanding = maxBystanders(limitsOf(policy.behavior?.safety), standing);
      for (const campaign of chooseCampaigns(candidates, shared, view.at, alert(), maxStanding)) {
        const { key, risk } = riskFor(campaign);
        touch(risk, campaign, tuned(campaign) as number, output);
        touched.set(key, risk);
      }
      judgeAll([...touched], view.at, output);
      if (view.reconsider)
        for (const [key, risk] of [...risks]) {
          if (!touched.has(key)) judge(key, risk, view.at, output);
          if (view.at - risk.lastSeen > clearedMs) risk.strikes = 0;
          if (risk.score < forgetBelow && !inForce.has(key) && risk.strikes === 0 && view.at > risk.clearedUntil)
            risks.delete(key);
        }
      bound();
      return output;
    },
    review(name, disposition, at) {
      const output = emptyOutput();
      const lessons: Lesson[] = [];
      for (const [key, risk] of risks) {
        if (verdictName(policy.api, risk) !== name) continue;
        if (disposition !== 'TruePositive') {
          risk.clearedUntil = at + clearedMs;
          // A second look at the same verdict says nothing new.
          if (!risk.taught) {
            const taught = [...risk.findings.values()].map((f) => ({
              detector: f.finding.detector,
              surprise: f.surprise,
            }));
            risk.taught = { at, lessons: taught };
            for (const lesson of taught) lessons.push({ ...lesson, kind: risk.kind, weight: 1 });
          }
          const decision = inForce.get(key);
          if (decision) end(key, risk, decision, 'lifted', `reviewed as ${disposition}`, output);
        } else {
          risk.clearedUntil = 0;
          if (risk.taught) {
            const weight = -remainderOf(at - risk.taught.at);
            for (const lesson of risk.taught.lessons) lessons.push({ ...lesson, kind: risk.kind, weight });
            risk.taught = undefined;
          }
        }
        risk.told = { ...risk.told, score: -10 };
        judge(key, risk, at, output);
        return { found: true, output, lessons };
      }
      return { found: false, output, lessons };
    },
    verdicts: () =>
      [...risks.values()]
        .filter((r) => r.level >= Level.LOW)
        .sort((a, b) => b.score - a.score)
        .map((r) => verdictOf(r, Math.max(lastAt, r.lastSeen))),
    activity() {
      const enforcing = [...inForce.values()].filter((d) => d.mode === Mode.ENFORCE).length;
      let suppressed = 0;
      let eased = 0;
      for (const risk of risks.values()) {
        if (risk.held.reason === 'WithinSafety') suppressed++;
        if (risk.eased) eased++;
      }
      return {
        acting: enforcing,
        wouldAct: inForce.size - enforcing,
        suppressed,
        eased,
        risks: risks.size,
        evicted,
        displaced,
      };
    },
    save: () => ({
      risks: [...risks],
      inForce: inForce.entries().map(([risk, body, weight]) => ({ risk, body: withoutMatch(body), weight })),
      candidates: [...candidates],
      sharedBy: [...sharedBy],
      evicted,
      displaced,
      easedUntil,
      standing,
      lastTick,
      lastAt,
    }),
    load(state) {
      risks = new Map(state.risks);
      inForce = createInForce();
      for (const { risk, body, weight } of state.inForce) inForce.set(risk, create(DecisionSchema, body), weight);
      candidates = new Map(state.candidates);
      sharedBy = new Map(state.sharedBy);
      evicted = state.evicted;
      displaced = state.displaced;
      easedUntil = state.easedUntil;
      standing = state.standing;
      lastTick = state.lastTick;
      lastAt = state.lastAt;
    },
  };
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

function sameStatement(a: MatchStatement, b: MatchStatement | undefined): boolean {
  if (a.ok || !b || b.ok) return a.ok === b?.ok;
  return a.reason === b.reason && a.message === b.message;
}

/** Match values are raw: they stay on the decision channel and out of checkpoints. */
function withoutMatch(decision: Decision): Decision {
  return { ...decision, match: [] };
}

function emptyOutput(): CoordinatorOutput {
  return { findings: [], verdicts: [], decisions: [], answers: [] };
}

/** `<api>-<kind>-<pseudonym prefix>`, a DNS label of at most 63 characters. */
export function verdictName(api: string, risk: { kind: PrincipalKind; pseudonym: string }): string {
  const name = api.slice(api.indexOf('/') + 1).slice(0, 40);
  return `${name}-${(PrincipalKind[risk.kind] ?? 'unknown').toLowerCase()}-${risk.pseudonym.slice(0, 10)}`;
}

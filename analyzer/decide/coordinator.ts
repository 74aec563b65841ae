/**
 * The third stage: one coordinator per API, single writer. It takes sightings in order, keeps the risks, decides and says
 * what changed. No I/O and no clock: time is the tick's.
 */
import type { Decision } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { type CompiledPolicy, Level, Mode, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { type ApiPopulation, remainderOf } from '../detect/population.ts';
import { Key, KIND_COUNT } from '../engine/key-kind.ts';
import type { Sighting } from '../engine/sighting.ts';
import { hex16 } from '../profile/hash.ts';
import type { Standing } from '../profile/standing-count.ts';
import { createRisk, evidenceOf, type Risk } from '../score/risk.ts';
import { levelOf, scoreOf } from '../score/score.ts';
import type { DetectorId, Verdict } from '../verdict.ts';
import { chooseCampaigns, type CampaignCandidate } from './campaign.ts';
import { type CoordinatorOutput, emptyOutput } from './coordinator-output.ts';
import { maxBystanders } from './decision.ts';
import { createEnforcer, type EnforcerState } from './enforcer.ts';
import { IdentityLinks, type IdentityLinksState } from './identity-links.ts';
import { createKinship } from './kinship.ts';
import { createMatchAnswers } from './match-answers.ts';
import type { MatchRecord, MatchValues } from './match.ts';
import { limitsOf } from './safety.ts';
import { alertOf, createSituation, scoreContextOf } from './situation.ts';
import { createSuspects, riskKey, type SuspectsState } from './suspects.ts';
import { verdictName, verdictOf } from './verdict-of-risk.ts';

/** A judgement that an operator's review teaches: the surprise was within what is normal here. */
export interface Lesson {
  detector: DetectorId;
  kind: number;
  surprise: number;
  /** 1 = one more window as surprising as this was normal; negative takes back what is left of such a lesson. */
  weight: number;
}

export interface CoordinatorState {
  suspects: SuspectsState;
  enforcer: EnforcerState;
  links: IdentityLinksState;
  candidates: [string, CampaignCandidate][];
  standing: Standing | undefined;
  tick: number;
  at: number;
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
  retire(): CoordinatorOutput;
  /** An observation of the tick that comes next: which identities belong together. */
  see(u32: Uint32Array, f64: Float64Array, base: number): void;
  /** Observations showed what `take` should look at, whether or not anything was sighted. */
  hasNews(): boolean;
  /** Takes one tick's sightings of this API; call it with none to let time pass. */
  take(tick: TickView, sightings: readonly Sighting[]): CoordinatorOutput;
  review(verdict: string, disposition: 'TruePositive' | 'FalsePositive' | 'BenignTrigger', at: number): ReviewOutcome;
  /** Everything at `Low` or above, highest score first. */
  verdicts(): Verdict[];
  activity(): CoordinatorActivity;
  save(): CoordinatorState;
  load(state: CoordinatorState): void;
}

export interface CoordinatorActivity {
  acting: number;
  wouldAct: number;
  /** Principals on which the safety limits let nothing be decided now. */
  suppressed: number;
  /** Principals that the safety limits have throttled instead of denied. */
  eased: number;
  risks: number;
  evicted: number;
  displaced: number;
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

/** Risks below this, without a decision, are forgotten. */
const forgetBelow = 5;
const clearedMs = 86_400_000;

export function createCoordinator(options: {
  policy: CompiledPolicy;
  values: MatchValues;
  requestIdOf(seq: number): string;
}): Coordinator {
  const situation = createSituation(options.policy);
  const suspects = createSuspects(situation);
  const answers = createMatchAnswers(situation, options.values);
  const enforcer = createEnforcer(situation, suspects, answers);
  const links = new IdentityLinks();
  const kinship = createKinship(situation, suspects, links);
  let candidates = new Map<string, CampaignCandidate>();

  const verdictAt = (risk: Risk, at: number): Verdict =>
    verdictOf(risk, situation, at, (earned) => kinship.inherited(risk, earned, at), options.requestIdOf);

  const rescore = (risk: Risk, at: number): void => {
    risk.earned = scoreOf(evidenceOf(risk, at), scoreContextOf(situation, risk)).score;
    risk.inherits = kinship.inherited(risk, risk.earned, at);
    risk.score = risk.inherits?.score ?? risk.earned;
    risk.level = levelOf(risk.score, risk.level);
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
    enforcer.act(key, risk, at, output);
    const told = risk.told;
    const changed =
      risk.level !== told.level || Math.abs(risk.score - told.score) >= 3 || risk.findings.size !== told.findings;
    if (risk.level < Level.LOW && told.level < Level.LOW) return;
    if (!changed) return;
    risk.told = { score: risk.score, level: risk.level, findings: risk.findings.size };
    output.verdicts.push(verdictAt(risk, at));
  };

  /** What is in force on those who inherit from `key` falls with it, unless their own evidence earns it. */
  const disinherit = (key: string, reason: string, at: number, output: CoordinatorOutput): void => {
    for (const [heir, risk] of kinship.heirsOf(key)) {
      if (risk.inherits?.from === key) enforcer.lift(heir, risk, reason, output);
      judge(heir, risk, at, output);
    }
  };

  return {
    setPolicy(next, at) {
      situation.policy = next;
      enforcer.reweigh();
      const acts = next.behavior?.mode === Mode.ENFORCE || next.behavior?.mode === Mode.DRY_RUN;
      const output = acts ? emptyOutput() : enforcer.liftAll('the policy no longer acts');
      judgeAll(suspects.entries(), at, output);
      return output;
    },
    shared: (address, principals) => suspects.shared(address, principals),
    exempt(kind, pseudonym, at) {
      const output = emptyOutput();
      const key = riskKey(kind, pseudonym);
      const risk = suspects.get(key);
      if (!risk) return output;
      // Until its next request, which says by itself whether the exemption still holds.
      risk.exempt = true;
      judge(key, risk, at, output);
      disinherit(key, 'what it inherited from is exempt', at, output);
      return output;
    },
    adopt(decision) {
      const output = emptyOutput();
      const key = riskKey(decision.kind, decision.pseudonym);
      if (enforcer.has(key)) return output;
      const decidedAt = Number(decision.decidedAtMs);
      const unknown = {
        ...{ firstAt: decidedAt, lastAt: decidedAt, requests: 0, sharedBy: 1 },
        ...{ operations: 0, networks: 0, devices: 0, errorRatio: 0 },
      };
      const risk = suspects.get(key) ?? createRisk(decision.kind, decision.pseudonym, [], unknown, decidedAt);
      suspects.set(key, risk);
      risk.lastSeen = Math.max(risk.lastSeen, Number(decision.evidenceCompleteAtMs));
      enforcer.adopt(key, risk, decision);
      output.verdicts.push(verdictAt(risk, risk.lastSeen));
      return output;
    },
    actedOn: () => [...enforcer.inForce()].map(({ kind, pseudonym }) => ({ kind, pseudonym })),
    recall: (record) => answers.recall(record),
    recalling: (on) => answers.recalling(on),
    retire: () => enforcer.liftAll('the API is no longer protected'),
    see: (u32, f64, base) => links.read(u32, f64, base),
    hasNews: () => links.hasBirths,
    take(view, sightings) {
      situation.tick = view.tick;
      situation.at = view.at;
      situation.population = view.population;
      situation.standing = view.standing ?? situation.standing;
      const output = emptyOutput();
      const touched = new Map<string, Risk>();
      const touch = (sighting: Sighting, surprise: number): void => {
        const { key, risk, finding } = suspects.touch(sighting, surprise);
        touched.set(key, risk);
        output.findings.push(finding);
      };
      const isTrait = (sighting: Sighting): boolean => (sighting.code & (KIND_COUNT - 1)) === Key.trait;
      for (const sighting of sightings) {
        const surprise = isTrait(sighting) ? undefined : suspects.tuned(sighting);
        if (surprise !== undefined) touch(sighting, surprise);
      }
      const shared = sightings.filter((s) => isTrait(s) && suspects.tuned(s) !== undefined);
      const maxStanding = maxBystanders(limitsOf(situation.policy.behavior?.safety), situation.standing);
      const { chosen, named } = chooseCampaigns(candidates, shared, view.at, alertOf(situation), maxStanding);
      for (const campaign of chosen) touch(campaign, suspects.tuned(campaign) as number);
      // One attack is told once: what had no name is taken back when it gets one.
      for (const { valueLo, valueHi } of named) {
        const key = riskKey(PrincipalKind.CAMPAIGN, hex16(valueLo, valueHi));
        const risk = suspects.get(key);
        if (!risk) continue;
        risk.findings.clear();
        touched.set(key, risk);
      }
      judgeAll([...touched], view.at, output);
      // After those it inherits from: a decision on an heir ends with theirs.
      const heirs = kinship.relate(touched, view.at);
      for (const [key, risk] of heirs) touched.set(key, risk);
      judgeAll(heirs, view.at, output);
      if (view.reconsider)
        for (const [key, risk] of suspects.entries()) {
          if (!touched.has(key)) judge(key, risk, view.at, output);
          if (view.at - risk.lastSeen > clearedMs) risk.strikes = 0;
          if (risk.score < forgetBelow && !enforcer.has(key) && risk.strikes === 0 && view.at > risk.clearedUntil)
            suspects.delete(key);
        }
      suspects.bound((key) => enforcer.has(key));
      return output;
    },
    review(name, disposition, at) {
      const output = emptyOutput();
      const lessons: Lesson[] = [];
      for (const [key, risk] of suspects.entries()) {
        if (verdictName(situation.policy.api, risk) !== name) continue;
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
          enforcer.lift(key, risk, `reviewed as ${disposition}`, output);
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
        if (disposition !== 'TruePositive')
          disinherit(key, `what it inherited from was reviewed as ${disposition}`, at, output);
        return { found: true, output, lessons };
      }
      return { found: false, output, lessons };
    },
    verdicts: () =>
      [...suspects.values()]
        .filter((r) => r.level >= Level.LOW)
        .sort((a, b) => b.score - a.score)
        .map((r) => verdictAt(r, Math.max(situation.at, r.lastSeen))),
    activity() {
      const inForce = [...enforcer.inForce()];
      const acting = inForce.filter((d) => d.mode === Mode.ENFORCE).length;
      const risks = [...suspects.values()];
      return {
        acting,
        wouldAct: inForce.length - acting,
        suppressed: risks.filter((risk) => risk.held.reason === 'WithinSafety').length,
        eased: risks.filter((risk) => risk.eased).length,
        risks: suspects.size,
        evicted: suspects.evicted,
        displaced: enforcer.displaced,
      };
    },
    save: () => ({
      suspects: suspects.save(),
      enforcer: enforcer.save(),
      links: links.save(),
      candidates: [...candidates],
      standing: situation.standing,
      tick: situation.tick,
      at: situation.at,
    }),
    load(state) {
      suspects.load(state.suspects);
      enforcer.load(state.enforcer);
      links.load(state.links);
      candidates = new Map(state.candidates);
      situation.standing = state.standing;
      situation.tick = state.tick;
      situation.at = state.at;
    },
  };
}

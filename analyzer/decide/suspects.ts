/** The principals of one API that something was sighted about, each with its risk: bounded, the weakest are forgotten first. */
import { PrincipalKind, Sensitivity } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Key, KIND_COUNT } from '../engine/key-kind.ts';
import type { Sighting } from '../engine/sighting.ts';
import { hex16 } from '../profile/hash.ts';
import { addFinding, createRisk, type Risk } from '../score/risk.ts';
import type { CampaignTrait, Finding } from '../verdict.ts';
import { placeIn } from './identity-links.ts';
import { limitsOf } from './safety.ts';
import { alertOf, type Situation } from './situation.ts';

export interface SuspectsState {
  risks: [string, Risk][];
  sharedBy: [string, number][];
  evicted: number;
}

export interface Suspects {
  readonly size: number;
  /** Risks that lost their place to others. */
  readonly evicted: number;
  get(key: string): Risk | undefined;
  set(key: string, risk: Risk): void;
  delete(key: string): void;
  entries(): [string, Risk][];
  values(): Iterable<Risk>;
  /** An address now serves this many principals. */
  shared(address: string, principals: number): void;
  /** What the policy makes of a surprise: undefined = its detector is off. */
  tuned(sighting: Sighting): number | undefined;
  /** Takes a sighting into the risk of the principal it is about. */
  touch(sighting: Sighting, surprise: number): { key: string; risk: Risk; finding: Finding };
  /** @param keep what must not be forgotten */
  bound(keep: (key: string) => boolean): void;
  save(): SuspectsState;
  load(state: SuspectsState): void;
}

const maxRisks = 5000;
const maxSharedAddresses = 50_000;
const maxPlaces = 8;
/** The address of an observation without one. */
const nowhere = hex16(0, 0);

/** Key of a principal's risk and of its decision. */
export function riskKey(kind: PrincipalKind, pseudonym: string): string {
  return `${kind}:${pseudonym}`;
}

export function createSuspects(situation: Situation): Suspects {
  let risks = new Map<string, Risk>();
  /** Principals served through an address, where there are several. */
  let sharedBy = new Map<string, number>();
  let evicted = 0;

  const riskFor = (sighting: Sighting): { key: string; risk: Risk } => {
    const kind = sighting.code & (KIND_COUNT - 1);
    let pseudonym = hex16(sighting.valueLo, sighting.valueHi);
    let principal = kind as PrincipalKind;
    let traits: CampaignTrait[] = [];
    if (kind === Key.client) {
      // A program behind an address that few others use is that address. Who comes from nowhere is known by the rest.
      const address = sighting.traits.find((t) => t.trait === 'address')?.value ?? '';
      const maxSharers = limitsOf(situation.policy.behavior?.safety).maxPrincipalsPerAddress;
      if (address !== nowhere && (sharedBy.get(address) ?? 1) <= maxSharers) {
        principal = PrincipalKind.ADDRESS;
        pseudonym = address;
      } else {
        principal = PrincipalKind.CAMPAIGN;
        traits = sighting.traits.filter((t) => t.value !== nowhere);
      }
    } else if (kind === Key.trait) {
      principal = PrincipalKind.CAMPAIGN;
      traits = sighting.traits;
    }
    const key = riskKey(principal, pseudonym);
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
    api: situation.policy.api,
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
    tick: situation.tick,
    partition: s.partition,
    seq: s.seq,
  });

  return {
    get size() {
      return risks.size;
    },
    get evicted() {
      return evicted;
    },
    get: (key) => risks.get(key),
    set: (key, risk) => void risks.set(key, risk),
    delete: (key) => void risks.delete(key),
    entries: () => [...risks],
    values: () => risks.values(),
    shared(address, principals) {
      sharedBy.delete(address);
      if (principals > 1) sharedBy.set(address, principals);
      if (sharedBy.size > maxSharedAddresses) sharedBy.delete(sharedBy.keys().next().value as string);
    },
    tuned(s) {
      const settings = situation.policy.behavior?.detectors[s.detector];
      if (!settings) return s.surprise;
      if (!settings.enabled) return undefined;
      const shift = settings.sensitivity === Sensitivity.HIGH ? 1 : settings.sensitivity === Sensitivity.LOW ? -1 : 0;
      const limit = settings.limits['maxForeignObjects'];
      const passed = s.detector === 'objectEnumeration' && limit !== undefined && s.observed > limit;
      return Math.max(0, s.surprise + shift, passed ? alertOf(situation) + 4 : 0);
    },
    touch(sighting, surprise) {
      const { key, risk } = riskFor(sighting);
      const finding = findingOf(sighting, risk, surprise);
      addFinding(risk, finding, surprise, sighting.successShare);
      if (sighting.facts.requests >= risk.facts.requests) risk.facts = sighting.facts;
      if (risk.kind === PrincipalKind.ADDRESS)
        risk.facts = { ...risk.facts, sharedBy: Math.max(risk.facts.sharedBy, sharedBy.get(risk.pseudonym) ?? 1) };
      // One exempt caller among those that share traits exempts nobody else.
      risk.exempt = risk.kind !== PrincipalKind.CAMPAIGN && sighting.exempt;
      risk.reputation = sighting.reputation;
      if (sighting.traits.length > 0) risk.shows = sighting.traits;
      const place = placeIn(sighting.traits);
      if (place !== undefined && !risk.places.includes(place)) risk.places = [...risk.places, place].slice(-maxPlaces);
      if (sighting.campaign) risk.campaign = sighting.campaign;
      return { key, risk, finding };
    },
    bound(keep) {
      if (risks.size <= maxRisks) return;
      const weakest = [...risks].filter(([key]) => !keep(key)).sort((a, b) => a[1].score - b[1].score);
      for (const [key] of weakest.slice(0, risks.size - maxRisks)) {
        risks.delete(key);
        evicted++;
      }
    },
    save: () => ({ risks: [...risks], sharedBy: [...sharedBy], evicted }),
    load(state) {
      risks = new Map(state.risks);
      sharedBy = new Map(state.sharedBy);
      evicted = state.evicted;
    },
  };
}

/**
 * What one principal earned, those that belong to it inherit; nobody else does. The rules:
 *
 * - **Credential to credential.** What a session or token earned, the other credentials of its account or user inherit:
 *   logging in again sheds nothing. Only evidence of its own passes on, never what was inherited itself.
 * - **User to credential.** What a vouched user earned, its credentials inherit.
 * - **Source to credential.** What a login handed out to an address or campaign under suspicion of login abuse, that
 *   credential inherits: it may be stolen. Its account does not, and neither do the account's other credentials.
 * - **A rightful owner is spared.** Somebody else may have the password. A credential from a home of its owner, a place
 *   where it logged in for a day before the blamed one was born, inherits nothing, unless the abuse itself comes from
 *   there or several credentials from there came to blame.
 * - **A shared address lends nothing**, nor does a campaign that is not precise enough to be denied. Where a few share an
 *   address, only what the suspect's own program got inherits.
 *
 * What is inherited decays as its source does, and no decision on it outlasts the decision on its source.
 */
import { Level, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Key } from '../engine/key-kind.ts';
import { hex16 } from '../profile/hash.ts';
import { createRisk, evidenceOf, type Inherited, type Risk } from '../score/risk.ts';
import { scoreOf, thresholds } from '../score/score.ts';
import type { CampaignTrait } from '../verdict.ts';
import { maxBystanders, precision } from './decision.ts';
import type { Birth, Identity, IdentityLinks } from './identity-links.ts';
import { loginDetectors } from './match-answers.ts';
import { limitsOf } from './safety.ts';
import { scoreContextOf, type Situation } from './situation.ts';
import { riskKey, type Suspects } from './suspects.ts';

export interface Kinship {
  /**
   * Relates what came to blame and what was born in this tick; returns the heirs, which are to be judged anew.
   *
   * @param touched risks with new evidence of their own
   */
  relate(touched: ReadonlyMap<string, Risk>, at: number): [string, Risk][];
  /** What a risk inherits now, if that is more than it has `earned`. */
  inherited(risk: Risk, earned: number, at: number): Inherited | undefined;
  heirsOf(key: string): [string, Risk][];
}

interface Trail {
  places: readonly number[];
  since: number;
}

/** A risk of a source, and since when it is under suspicion of login abuse. */
interface Source {
  key: string;
  risk: Risk;
  since: number;
}

const maxKin = 8;
/** Less than this is not worth a relation. */
const least = thresholds[Level.LOW];

export function createKinship(situation: Situation, suspects: Suspects, links: IdentityLinks): Kinship {
  /** What a risk passes on: its own evidence, and while a decision on that is in force no less than it rested on. */
  const passesOn = (risk: Risk, at: number): number => {
    if (risk.exempt || at < risk.clearedUntil) return 0;
    const earned = scoreOf(evidenceOf(risk, at), scoreContextOf(situation, risk)).score;
    return risk.decision && at < risk.decision.expiresAt ? Math.max(earned, risk.earnedThen) : earned;
  };

  const bind = (heir: Identity, from: string, seq: number, at: number): [string, Risk] | undefined => {
    const pseudonym = hex16(heir.lo, heir.hi);
    const key = riskKey(heir.kind, pseudonym);
    const parent = suspects.get(from);
    if (key === from || !parent) return undefined;
    let risk = suspects.get(key);
    if (!risk) {
      const facts = {
        ...{ firstAt: links.origin(heir)?.bornAt ?? at, lastAt: at, requests: 0, sharedBy: 1 },
        ...{ operations: 0, networks: 0, devices: 0, errorRatio: 0 },
      };
      risk = createRisk(heir.kind, pseudonym, [], facts, at);
      suspects.set(key, risk);
    }
    risk.exempt ||= links.origin(heir)?.exempt === true;
    if (!risk.kin.some((k) => k.key === from)) risk.kin = [...risk.kin, { key: from, seq }].slice(-maxKin);
    risk.lastSeen = Math.max(risk.lastSeen, parent.lastSeen, seq > 0 ? at : 0);
    return [key, risk];
  };

  /** Where the abuse came from, and the time before which homes of its owner count. */
  const trailOf = (risk: Risk, self: Identity): Trail => {
    const origin = links.origin(self);
    const last = origin?.place ?? links.lastPlace(self);
    return { places: risk.places.length > 0 ? risk.places : [last], since: origin?.bornAt ?? risk.firstSeen };
  };

  const spares = (owner: Identity, heir: Identity, trail: Trail): boolean => {
    const from = links.origin(heir)?.bornIn ?? 0;
    return !trail.places.includes(from) && links.isHome(owner, from, trail.since);
  };

  /** Credentials that inherit from a credential or a user. */
  const heirsOfIdentity = (risk: Risk): Identity[] => {
    const self = identityOf(risk);
    const owners = risk.kind === PrincipalKind.USER ? [self] : links.ownersOf(self.kind, self.lo, self.hi);
    const trail = trailOf(risk, self);
    return owners.flatMap((owner) =>
      links.heldBy(owner).filter((heir) => !same(heir, self) && !spares(owner, heir, trail)),
    );
  };

  /** Since when a source is under suspicion of login abuse; undefined = it is not, or acting on it would hurt others. */
  const suspectedSince = (risk: Risk): number | undefined => {
    const limits = limitsOf(situation.policy.behavior?.safety);
    if (risk.kind !== PrincipalKind.ADDRESS && risk.kind !== PrincipalKind.CAMPAIGN) return undefined;
    if (risk.facts.sharedBy > limits.maxPrincipalsPerAddress) return undefined;
    if (risk.kind === PrincipalKind.CAMPAIGN) {
      const { campaign } = risk;
      if (!campaign || campaign.precision < precision.deny) return undefined;
      if (campaign.standing > maxBystanders(limits, situation.standing)) return undefined;
    }
    const since = [...risk.findings.values()]
      .filter(({ finding }) => loginDetectors.has(finding.detector))
      .map(({ finding }) => finding.since);
    return since.length > 0 ? Math.min(...since) : undefined;
  };

  const sourcesAmong = (risks: Iterable<readonly [string, Risk]>): Source[] => {
    const sources: Source[] = [];
    for (const [key, risk] of risks) {
      const since = suspectedSince(risk);
      if (since !== undefined) sources.push({ key, risk, since });
    }
    return sources;
  };

  /** Which of these credentials were handed out to which source, and not to an owner at home. */
  const thefts = (births: readonly Birth[], sources: readonly Source[]): [Birth, string][] => {
    if (sources.length === 0) return [];
    const campaigns = sources.filter(({ risk }) => risk.kind === PrincipalKind.CAMPAIGN);
    const addresses = new Map(sources.filter((s) => !campaigns.includes(s)).map((s) => [s.risk.pseudonym, s]));
    const found: [Birth, string][] = [];
    for (const birth of births) {
      const { login } = birth;
      if (!login) continue;
      const shows = (t: CampaignTrait): boolean =>
        t.trait === 'operation' || login.traits.some((own) => own.trait === t.trait && own.value === t.value);
      const source = addresses.get(login.address);
      const address = source && isProgramOf(source.risk, birth) ? source : undefined;
      const from = campaigns.filter(({ risk }) => risk.traits.length > 0 && risk.traits.every(shows));
      for (const { key, since } of address ? [address, ...from] : from)
        if (birth.at >= since && !isAtHome(birth, since)) found.push([birth, key]);
    }
    return found;
  };

  /** Others come from there, too: of their programs none but the attacker's is blamed. */
  const isProgramOf = (risk: Risk, birth: Birth): boolean =>
    risk.facts.sharedBy <= 1 || risk.places.includes(links.origin(birth)?.bornIn ?? 0);

  const isAtHome = (birth: Birth, before: number): boolean => {
    const from = links.origin(birth)?.bornIn ?? 0;
    return links.ownersOf(birth.kind, birth.lo, birth.hi).some((owner) => links.isHome(owner, from, before));
  };

  /** Risks of its kin that a credential inherits from when it is born. */
  const parentsOf = (birth: Birth): string[] => {
    const parents: string[] = [];
    for (const owner of links.ownersOf(birth.kind, birth.lo, birth.hi))
      for (const from of owner.kind === Key.user ? [owner, ...links.heldBy(owner)] : links.heldBy(owner)) {
        const key = riskKey(from.kind, hex16(from.lo, from.hi));
        const risk = same(from, birth) ? undefined : suspects.get(key);
        if (risk && !spares(owner, birth, trailOf(risk, from))) parents.push(key);
      }
    return parents;
  };

  return {
    relate(touched, at) {
      const heirs = new Map<string, Risk>();
      const inherit = (heir: Identity, from: string, seq: number): void => {
        const bound = bind(heir, from, seq, at);
        if (bound && !touched.has(bound[0])) heirs.set(...bound);
      };
      const isWorth = (risk: Risk | undefined): boolean => risk !== undefined && passesOn(risk, at) >= least;
      const worth = [...touched].filter(([, risk]) => isWorth(risk));
      for (const [key, risk] of worth) {
        if (!isIdentity(risk.kind)) continue;
        if (passesOn(risk, at) >= thresholds[Level.ELEVATED]) links.blame(identityOf(risk));
        for (const heir of heirsOfIdentity(risk)) inherit(heir, key, 0);
      }
      for (const [birth, key] of thefts(links.logins(), sourcesAmong(worth))) inherit(birth, key, birth.seq);
      const births = links.takeBirths();
      for (const birth of births)
        for (const key of parentsOf(birth)) if (isWorth(suspects.get(key))) inherit(birth, key, birth.seq);
      if (births.some((b) => b.login)) {
        const known = sourcesAmong(suspects.entries()).filter(({ risk }) => isWorth(risk));
        for (const [birth, key] of thefts(births, known)) inherit(birth, key, birth.seq);
      }
      return [...heirs];
    },
    inherited(risk, earned, at) {
      let most: Inherited | undefined;
      for (const { key } of risk.kin) {
        const parent = suspects.get(key);
        if (!parent) continue;
        const score = passesOn(parent, at);
        if (score <= Math.max(earned, most?.score ?? 0)) continue;
        const { kind, pseudonym, decision } = parent;
        most = { from: key, kind, pseudonym, score, until: decision?.expiresAt };
      }
      return most;
    },
    heirsOf: (key) => suspects.entries().filter(([, risk]) => risk.kin.some((kin) => kin.key === key)),
  };
}

function isIdentity(kind: PrincipalKind): boolean {
  return kind === PrincipalKind.USER || kind === PrincipalKind.SESSION || kind === PrincipalKind.TOKEN;
}

function identityOf({ kind, pseudonym }: Risk): Identity {
  return {
    kind,
    lo: Number.parseInt(pseudonym.slice(8), 16),
    hi: Number.parseInt(pseudonym.slice(0, 8), 16),
  };
}

function same(a: Identity, b: Identity): boolean {
  return a.kind === b.kind && a.lo === b.lo && a.hi === b.hi;
}

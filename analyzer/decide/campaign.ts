/**
 * Which traits name a campaign. Many conjunctions of the same attack are sighted at once; the one to act on is precise
 * first, then wide, then simple. Attacks that share no trait are campaigns of their own.
 */
import type { Sighting } from '../engine/sighting.ts';
import { hex16 } from '../profile/hash.ts';

/** A trait set that was sighted; `active` once it stands for a campaign. */
export interface CampaignCandidate {
  sighting: Sighting;
  /** The last sighting that was worth an alert. */
  alarmed: Sighting | undefined;
  active: boolean;
}

const precise = 0.8;
/** What is denied is sighted no more: it must not stand in the way of the next attack for longer. */
const rememberMs = 30_000;
/** As long as the longest window in which strangers are counted, a trait set that was alarming says who they were. */
const explainsMs = 6 * 3_600_000;
const maxCandidates = 500;
const maxCampaigns = 4;
const fewestStrangers = 12;
/** An attack goes on while nothing of it is sighted: windows of traits last so long. */
const goesOnMs = 3_600_000;
/** A window that has just opened says little of how often anything happens. */
const leastSpanMs = 60_000;
/** A rival replaces the trait set in force only when it explains this much more. */
const clearlyWider = 1.5;

/**
 * Takes this tick's sightings of traits and returns those that stand for campaigns, and the strangers that one of them
 * names by now. `candidates` is the coordinator's memory between ticks.
 *
 * @param maxStanding principals in good standing with the same traits, beyond which acting on them would hurt people
 */
export function chooseCampaigns(
  candidates: Map<string, CampaignCandidate>,
  sightings: readonly Sighting[],
  at: number,
  alert: number,
  maxStanding: number,
): { chosen: Sighting[]; named: Sighting[] } {
  const isFresh = ({ sighting }: CampaignCandidate): boolean => at - sighting.until <= rememberMs;
  for (const [key, candidate] of candidates) {
    if (isFresh(candidate)) continue;
    candidate.active = false;
    if (candidate.alarmed === undefined || at - candidate.alarmed.until > explainsMs) candidates.delete(key);
  }
  for (const sighting of sightings) {
    const key = hex16(sighting.valueLo, sighting.valueHi);
    const before = candidates.get(key);
    const alarmed = sighting.surprise >= alert ? sighting : before?.alarmed;
    candidates.set(key, { sighting, alarmed, active: before?.active ?? false });
  }
  if (sightings.length === 0) return { chosen: [], named: [] };
  while (candidates.size > maxCandidates) candidates.delete(candidates.keys().next().value as string);
  const isPrecise = (s: Sighting): boolean =>
    (s.campaign?.precision ?? 0) >= precise && (s.campaign?.standing ?? 0) <= maxStanding;
  const alarms = [...candidates.values()].flatMap((c) => c.alarmed ?? []);
  const named = alarms.filter((s) => isExplained(s, alarms));
  let left = [...candidates.values()].filter(
    (c) => isFresh(c) && c.sighting.surprise >= alert && !named.includes(c.sighting),
  );
  const chosen: Sighting[] = [];
  while (left.length > 0 && chosen.length < maxCampaigns) {
    const best = left.reduce((a, b) => (better(b.sighting, a.sighting, isPrecise) ? b : a));
    const group = left.filter((c) => c === best || overlaps(c.sighting, best.sighting));
    left = left.filter((c) => !group.includes(c));
    chosen.push(standFor(group, best, isPrecise).sighting);
  }
  return { chosen, named };
}

/**
 * Strangers without a common trait are named by one that was sighted among them, unless those it does not account for are
 * most of them and a campaign by themselves. Windows differ in length, so it is held against them by its pace.
 */
function isExplained(sighting: Sighting, by: readonly Sighting[]): boolean {
  if (sighting.traits.length > 0) return false;
  const strangers = coverageOf(sighting);
  const span = sighting.until - sighting.since;
  return by.some(
    (s) =>
      s.traits.length > 0 &&
      sighting.since - s.until <= goesOnMs &&
      strangers - paceOf(s) * span < Math.max(fewestStrangers, strangers / 2),
  );
}

/** Of the descriptions of one attack, the one in force unless another is clearly better. */
function standFor(
  group: readonly CampaignCandidate[],
  best: CampaignCandidate,
  isPrecise: (s: Sighting) => boolean,
): CampaignCandidate {
  const active = group.filter((c) => c.active);
  for (const candidate of group) candidate.active = false;
  let stands = best;
  if (active.length > 0) {
    const current = active.reduce((a, b) => (better(b.sighting, a.sighting, isPrecise) ? b : a));
    const replace =
      isPrecise(best.sighting) &&
      (!isPrecise(current.sighting) || coverageOf(best.sighting) > clearlyWider * coverageOf(current.sighting));
    if (!replace) stands = current;
  }
  stands.active = true;
  return stands;
}

function better(a: Sighting, b: Sighting, isPrecise: (s: Sighting) => boolean): boolean {
  const preciseA = isPrecise(a);
  if (preciseA !== isPrecise(b)) return preciseA;
  // Within a tenth the two explain the same attack: the simpler description wins.
  const [coverageA, coverageB] = [coverageOf(a), coverageOf(b)];
  if (Math.abs(coverageA - coverageB) > 0.1 * Math.max(coverageA, coverageB)) return coverageA > coverageB;
  return a.traits.length < b.traits.length;
}

function coverageOf(sighting: Sighting): number {
  return sighting.campaign?.coverage ?? 0;
}

/** Attempts per millisecond. */
function paceOf(sighting: Sighting): number {
  return coverageOf(sighting) / Math.max(leastSpanMs, sighting.until - sighting.since);
}

/** Two trait sets that share a value describe, at least in part, the same attempts. */
function overlaps(a: Sighting, b: Sighting): boolean {
  return a.traits.some((x) => b.traits.some((y) => x.trait === y.trait && x.value === y.value));
}

/**
 * Which traits name a campaign. Many conjunctions of the same attack are sighted at once; the one to act on is precise
 * first, then wide, then simple.
 */
import type { Sighting } from '../engine/sighting.ts';
import { hex16 } from '../profile/hash.ts';

/** A trait set that was sighted lately; `active` once it stands for a campaign. */
export interface CampaignCandidate {
  sighting: Sighting;
  active: boolean;
}

const precise = 0.8;
const rememberMs = 10 * 60_000;
const maxCandidates = 500;
/** A rival replaces the trait set in force only when it explains this much more. */
const clearlyWider = 1.5;

/**
 * Takes this tick's sightings of traits and returns the one that stands for the campaign, or none. `candidates` is the
 * coordinator's memory between ticks.
 */
export function chooseCampaign(
  candidates: Map<string, CampaignCandidate>,
  sightings: readonly Sighting[],
  at: number,
  alert: number,
): Sighting | undefined {
  for (const [key, candidate] of candidates) if (at - candidate.sighting.until > rememberMs) candidates.delete(key);
  for (const sighting of sightings) {
    const key = hex16(sighting.valueLo, sighting.valueHi);
    candidates.set(key, { sighting, active: candidates.get(key)?.active ?? false });
  }
  if (sightings.length === 0) return undefined;
  while (candidates.size > maxCandidates) candidates.delete(candidates.keys().next().value as string);
  const convincing = [...candidates.values()].filter((c) => c.sighting.surprise >= alert);
  let best: CampaignCandidate | undefined;
  for (const candidate of convincing) if (!best || better(candidate.sighting, best.sighting)) best = candidate;
  if (!best) return undefined;
  const widest = best.sighting;
  const active = convincing.filter((c) => c.active && overlaps(c.sighting, widest));
  const current = active.reduce<CampaignCandidate | undefined>(
    (a, b) => (a && !better(b.sighting, a.sighting) ? a : b),
    undefined,
  );
  if (current && current !== best) {
    const a = current.sighting.campaign;
    const b = best.sighting.campaign;
    const replace =
      (b?.precision ?? 0) >= precise &&
      ((a?.precision ?? 0) < precise || (b?.coverage ?? 0) > clearlyWider * (a?.coverage ?? 0));
    if (!replace) best = current;
    else current.active = false;
  }
  best.active = true;
  return best.sighting;
}

function better(a: Sighting, b: Sighting): boolean {
  const aPrecise = (a.campaign?.precision ?? 0) >= precise;
  const bPrecise = (b.campaign?.precision ?? 0) >= precise;
  if (aPrecise !== bPrecise) return aPrecise;
  const aCoverage = a.campaign?.coverage ?? 0;
  const bCoverage = b.campaign?.coverage ?? 0;
  // Within a tenth the two explain the same attack: the simpler description wins.
  if (Math.abs(aCoverage - bCoverage) > 0.1 * Math.max(aCoverage, bCoverage)) return aCoverage > bCoverage;
  return a.traits.length < b.traits.length;
}

/** Two trait sets that share a value describe, at least in part, the same attempts. */
function overlaps(a: Sighting, b: Sighting): boolean {
  return a.traits.some((x) => b.traits.some((y) => x.trait === y.trait && x.value === y.value));
}

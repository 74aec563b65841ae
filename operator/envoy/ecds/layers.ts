import type { Decision } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { matchOfDecision } from '../render/decision-match.ts';
import type { LayerName } from '@picket/proto/enforcement-metadata.ts';

/** What one fleet's Envoys can hold; beyond it the lowest scores stay out. */
export interface LayerLimits {
  /** Identity values and conjunctions together. */
  maxKeys: number;
  /** Conjunctions, which are tried one after the other. */
  maxConjunctions: number;
  maxPrefixes: number;
  /** Keys that a push of the hot layer may carry. */
  maxHotKeys: number;
  /** Above this the oldest keys of the warm layer go to the cold one. */
  maxWarmKeys: number;
}

export const defaultLimits: LayerLimits = {
  maxKeys: 10_000,
  maxConjunctions: 500,
  maxPrefixes: 100_000,
  maxHotKeys: 500,
  maxWarmKeys: 2_000,
};

/** Which decisions find a place, by score. Times and order of arrival play no part, so every replica agrees. */
export function admit(
  decisions: Iterable<Decision>,
  limits: LayerLimits,
): { admitted: Decision[]; overflow: Decision[] } {
  const all = [...decisions];
  if (fitTogether(all, limits)) return { admitted: all, overflow: [] };
  const ranked = all.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
  const admitted: Decision[] = [];
  const overflow: Decision[] = [];
  let [keys, conjunctions, prefixes] = [0, 0, 0];
  for (const decision of ranked) {
    const match = matchOfDecision(decision);
    const needs = match.by === 'address' ? match.cidrs.length : 1;
    const fits =
      match.by === 'address'
        ? prefixes + needs <= limits.maxPrefixes
        : keys < limits.maxKeys && (match.by !== 'traits' || conjunctions < limits.maxConjunctions);
    if (!fits) {
      overflow.push(decision);
      continue;
    }
    admitted.push(decision);
    if (match.by === 'address') prefixes += needs;
    else keys++;
    if (match.by === 'traits') conjunctions++;
  }
  return { admitted, overflow };
}

/** Then there is nothing to choose, and nothing to rank: with a hundred thousand that takes a moment. */
function fitTogether(decisions: readonly Decision[], limits: LayerLimits): boolean {
  let [keys, conjunctions, prefixes] = [0, 0, 0];
  for (const decision of decisions) {
    const match = matchOfDecision(decision);
    if (match.by === 'address') prefixes += match.cidrs.length;
    else keys++;
    if (match.by === 'traits') conjunctions++;
  }
  return keys <= limits.maxKeys && conjunctions <= limits.maxConjunctions && prefixes <= limits.maxPrefixes;
}

/**
 * Which layer holds which decision. New ones enter the hot layer, which is small and therefore fast; when it fills up
 * the oldest move on. A moving decision stands in both layers until Envoy acknowledged the new place.
 */
export interface Layers {
  /**
   * Takes the decisions in force; returns the layers whose content changed and whether any of them gained. A decision
   * in `replaced` says something new under its old id: it enters as a new one.
   */
  update(decisions: readonly Decision[], replaced?: ReadonlySet<string>): Map<LayerName, { grew: boolean }>;
  /** Envoys acknowledged this content of a layer. */
  settled(layer: LayerName, ids: ReadonlySet<string>): Map<LayerName, { grew: boolean }>;
  /** Moves the oldest of the warm layer on when it is too full; called at most once a minute. */
  mergeCold(): Map<LayerName, { grew: boolean }>;
  in(layer: LayerName): ReadonlySet<string>;
}

/** Where the oldest of a layer go. */
const after = {
  'picket.address.hot': 'picket.address',
  'picket.decide.hot': 'picket.decide.warm',
  'picket.decide.warm': 'picket.decide.cold',
} as const satisfies Partial<Record<LayerName, LayerName>>;
/** An address costs Envoy a fraction of what a key does. */
const addressesPerKey = 4;

export function createLayers(limits: LayerLimits): Layers {
  const content: Record<LayerName, Set<string>> = {
    'picket.address.hot': new Set(),
    'picket.address': new Set(),
    'picket.decide.hot': new Set(),
    'picket.decide.warm': new Set(),
    'picket.decide.cold': new Set(),
  };
  const roomIn = {
    'picket.address.hot': limits.maxHotKeys * addressesPerKey,
    'picket.decide.hot': limits.maxHotKeys,
  };
  /** Decisions on their way, by id: from where and to where. */
  const moving = new Map<string, { from: LayerName; to: LayerName }>();

  /** The oldest of a layer, until `room` are left, enter the next one. */
  function drain(from: keyof typeof after, room: number): Map<LayerName, { grew: boolean }> {
    const to = after[from];
    const count = staying(from) - room;
    // Insertion order is age.
    const oldest = [...content[from]].filter((id) => !moving.has(id)).slice(0, Math.max(0, count));
    for (const id of oldest) {
      content[to].add(id);
      moving.set(id, { from, to });
    }
    return oldest.length > 0 ? new Map([[to, { grew: true }]]) : new Map();
  }

  function staying(layer: LayerName): number {
    let leaving = 0;
    for (const { from } of moving.values()) if (from === layer) leaving++;
    return content[layer].size - leaving;
  }

  return {
    update(decisions, replaced) {
      const changes = new Map<LayerName, { grew: boolean }>();
      const present = new Set(decisions.map((d) => d.id));
      for (const [layer, ids] of Object.entries(content) as [LayerName, Set<string>][]) {
        for (const id of ids) {
          if (present.has(id) && !replaced?.has(id)) continue;
          ids.delete(id);
          moving.delete(id);
          changes.set(layer, { grew: changes.get(layer)?.grew ?? false });
        }
      }
      for (const decision of decisions) {
        if (Object.values(content).some((ids) => ids.has(decision.id))) continue;
        const hot = matchOfDecision(decision).by === 'address' ? 'picket.address.hot' : 'picket.decide.hot';
        const layer = content[hot].size < roomIn[hot] ? hot : after[hot];
        content[layer].add(decision.id);
        changes.set(layer, { grew: true });
      }
      for (const hot of ['picket.address.hot', 'picket.decide.hot'] as const)
        for (const [layer, change] of drain(hot, roomIn[hot] / 2)) changes.set(layer, change);
      return changes;
    },
    settled(layer, ids) {
      const changes = new Map<LayerName, { grew: boolean }>();
      for (const [id, { from, to }] of moving) {
        if (to !== layer || !ids.has(id)) continue;
        moving.delete(id);
        content[from].delete(id);
        changes.set(from, { grew: false });
      }
      return changes;
    },
    mergeCold() {
      return drain('picket.decide.warm', limits.maxWarmKeys);
    },
    in: (layer) => content[layer],
  };
}

/** Least time between two pushes of a layer, milliseconds: what a push of this size costs Envoy stays a small share. */
export function pushGapMs(layer: LayerName, grew: boolean, keys: number): number {
  if (layer === 'picket.address.hot') return Math.max(250, keys / 8);
  if (layer === 'picket.address') return grew ? Math.max(5_000, keys / 5) : Math.max(1_000, keys / 20);
  const afford = keys * 1;
  if (layer === 'picket.decide.cold') return grew ? 60_000 : Math.max(1_000, afford);
  if (layer === 'picket.decide.warm') return Math.max(5_000, afford);
  return Math.max(250, afford / 2);
}

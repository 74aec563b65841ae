import type { Decision } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { matchOfDecision } from '../render/decision-match.ts';
import { type LayerName, layerNames } from '@picket/proto/enforcement-metadata.ts';
import type { AdmissionLimits } from './admission.ts';

/** What one fleet's Envoys can hold, and how much of it in which layer. */
export interface LayerLimits extends AdmissionLimits {
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

/**
 * Why a layer is to be pushed, the more urgent before the less: something ended, which must not go on being refused; it
 * gained; or what had to make room left it, which does no harm where it still is.
 */
const urgency = ['lifted', 'grew', 'displaced'] as const;
export type LayerChange = (typeof urgency)[number];
export type LayerChanges = Map<LayerName, LayerChange>;

/**
 * Which layer holds which decision. New ones enter the hot layer, which is small and therefore fast; when it fills up
 * the oldest move on. A moving decision stands in both layers until Envoy acknowledged the new place.
 */
export interface Layers {
  /**
   * Takes decisions out and others in; one that says something new under its old id does both. `displaced` are those
   * that go only to make room.
   */
  change(leaving: Iterable<string>, entering: Iterable<Decision>, displaced?: Iterable<string>): LayerChanges;
  /** Envoys acknowledged this content of a layer. */
  settled(layer: LayerName, ids: ReadonlySet<string>): LayerChanges;
  /** Moves the oldest of the warm layer on when it is too full; called at most once a minute. */
  mergeCold(): LayerChanges;
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

  /**
   * Beyond `most` the oldest of a layer enter the next one. A quarter more than must: the next one is larger, and its
   * pushes should be few.
   */
  function drain(from: keyof typeof after, most: number): LayerChanges {
    const to = after[from];
    const staying = countStaying(from);
    if (staying <= most) return new Map();
    const oldest: string[] = [];
    // Insertion order is age.
    for (const id of content[from]) {
      if (staying - oldest.length <= most * 0.75) break;
      if (!moving.has(id)) oldest.push(id);
    }
    for (const id of oldest) {
      content[to].add(id);
      moving.set(id, { from, to });
    }
    return new Map([[to, 'grew']]);
  }

  function countStaying(layer: LayerName): number {
    let leaving = 0;
    for (const { from } of moving.values()) if (from === layer) leaving++;
    return content[layer].size - leaving;
  }

  return {
    change(leaving, entering, displaced = []) {
      const changes: LayerChanges = new Map();
      const note = (layer: LayerName, why: LayerChange): void => {
        const before = changes.get(layer);
        if (!before || urgency.indexOf(why) < urgency.indexOf(before)) changes.set(layer, why);
      };
      const remove = (id: string, why: LayerChange): void => {
        moving.delete(id);
        for (const layer of layerNames) if (content[layer].delete(id)) note(layer, why);
      };
      for (const id of leaving) remove(id, 'lifted');
      for (const id of displaced) remove(id, 'displaced');
      for (const decision of entering) {
        if (layerNames.some((layer) => content[layer].has(decision.id))) continue;
        const hot = matchOfDecision(decision).by === 'address' ? 'picket.address.hot' : 'picket.decide.hot';
        const layer = content[hot].size < roomIn[hot] ? hot : after[hot];
        content[layer].add(decision.id);
        note(layer, 'grew');
      }
      for (const hot of ['picket.address.hot', 'picket.decide.hot'] as const)
        for (const layer of drain(hot, roomIn[hot] / 2).keys()) note(layer, 'grew');
      return changes;
    },
    settled(layer, ids) {
      const changes: LayerChanges = new Map();
      for (const [id, { from, to }] of moving) {
        if (to !== layer || !ids.has(id)) continue;
        moving.delete(id);
        content[from].delete(id);
        changes.set(from, 'displaced');
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
export function pushGapMs(layer: LayerName, why: LayerChange, keys: number): number {
  if (layer === 'picket.address.hot') return Math.max(250, keys / 8);
  if (layer === 'picket.decide.hot') return Math.max(250, keys / 2);
  if (why === 'displaced') return 60_000;
  const isLifted = why === 'lifted';
  if (layer === 'picket.address') return isLifted ? Math.max(1_000, keys / 20) : Math.max(5_000, keys / 5);
  if (layer === 'picket.decide.cold') return isLifted ? Math.max(1_000, keys) : 60_000;
  return Math.max(5_000, keys);
}

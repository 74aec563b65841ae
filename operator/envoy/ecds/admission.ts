import type { Decision } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { matchOfDecision } from '../render/decision-match.ts';
import { createHeap, type HeapNode } from './heap.ts';

/** What the Envoys of a fleet can hold; beyond it the lowest scores stay out. */
export interface AdmissionLimits {
  /** Identity values and conjunctions together. */
  maxKeys: number;
  /** Conjunctions, which are tried one after the other. */
  maxConjunctions: number;
  maxPrefixes: number;
}

/**
 * Which decisions find a place, by score. Times and order of arrival play no part, so every replica agrees. A change
 * costs what it changes and not what is in force: with a hundred thousand decisions ranking all of them takes a moment.
 */
export interface Admission {
  /** Takes a decision, or what is written now under the same id. */
  put(decision: Decision): void;
  remove(id: string): void;
  admits(id: string): boolean;
  /** Decisions that got or lost their place since the last call, by id. */
  changes(): Map<string, boolean>;
}

interface Item {
  decision: Decision;
  need: number;
  isIn: boolean;
  /** In the heap of its side; none while it needs more than there is at all. */
  node?: HeapNode<Item>;
}

/** Room for so much, taken by the highest ranks that fit together. */
interface Shelf {
  add(decision: Decision, need: number): void;
  remove(id: string): void;
}

export function createAdmission(limits: AdmissionLimits): Admission {
  const admitted = new Set<string>();
  /** What changed since the last call, with how it stood before. */
  const touched = new Map<string, boolean>();
  const shelfOf = new Map<string, Shelf>();

  const keys = createShelf(limits.maxKeys, move);
  // A conjunction needs a place among conjunctions before it competes for one among all keys.
  const conjunctions = createShelf(limits.maxConjunctions, (decision, isIn) =>
    isIn ? keys.add(decision, 1) : keys.remove(decision.id),
  );
  const prefixes = createShelf(limits.maxPrefixes, move);

  function move({ id }: Decision, isIn: boolean): void {
    if (!touched.has(id)) touched.set(id, admitted.has(id));
    if (isIn) admitted.add(id);
    else admitted.delete(id);
  }

  function remove(id: string): void {
    shelfOf.get(id)?.remove(id);
    shelfOf.delete(id);
  }

  return {
    put(decision) {
      remove(decision.id);
      const match = matchOfDecision(decision);
      const shelf = match.by === 'address' ? prefixes : match.by === 'traits' ? conjunctions : keys;
      shelfOf.set(decision.id, shelf);
      shelf.add(decision, match.by === 'address' ? match.cidrs.length : 1);
    },
    remove,
    admits: (id) => admitted.has(id),
    changes() {
      const changes = new Map<string, boolean>();
      for (const [id, before] of touched) if (admitted.has(id) !== before) changes.set(id, !before);
      touched.clear();
      return changes;
    },
  };
}

/** `moved` is told of each that gets a place or loses it, also of one that is removed. */
function createShelf(room: number, moved: (decision: Decision, isIn: boolean) => void): Shelf {
  const items = new Map<string, Item>();
  const inside = createHeap<Item>((a, b) => ranksBefore(b, a));
  const outside = createHeap<Item>(ranksBefore);
  let taken = 0;

  function enter(item: Item): void {
    item.isIn = true;
    item.node = inside.add(item);
    taken += item.need;
    moved(item.decision, true);
  }

  function leave(item: Item): void {
    item.isIn = false;
    if (item.node) inside.remove(item.node);
    taken -= item.need;
    moved(item.decision, false);
  }

  /** All inside rank before all outside; as many are inside as fit. */
  function settle(): void {
    for (let last = inside.top(); last && taken > room; last = inside.top()) {
      leave(last.value);
      last.value.node = outside.add(last.value);
    }
    for (let next = outside.top(); next && taken + next.value.need <= room; next = outside.top()) {
      outside.remove(next);
      enter(next.value);
    }
  }

  return {
    add(decision, need) {
      const item: Item = { decision, need, isIn: false };
      items.set(decision.id, item);
      if (need > room) return;
      const next = outside.top();
      if (next && ranksBefore(next.value, item)) item.node = outside.add(item);
      else enter(item);
      settle();
    },
    remove(id) {
      const item = items.get(id);
      if (!item) return;
      items.delete(id);
      if (item.isIn) leave(item);
      else if (item.node) outside.remove(item.node);
      settle();
    },
  };
}

function ranksBefore({ decision: a }: Item, { decision: b }: Item): boolean {
  return a.score > b.score || (a.score === b.score && a.id < b.id);
}

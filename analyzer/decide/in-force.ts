/** Decisions in force, with what the safety limits ask of them kept as sums: asking costs the same for one or ten thousand. */
import type { Decision } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Action, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';

/** Decisions of one kind that refuse or slow. */
export interface Tally {
  all: number;
  /** On principals that were established before their incident, and their requests. */
  established: number;
  requests: number;
}

/** What one decision adds to the tally of its kind. */
export interface Weight {
  established: boolean;
  requests: number;
}

export interface InForce {
  readonly size: number;
  get(key: string): Decision | undefined;
  has(key: string): boolean;
  set(key: string, decision: Decision, weight: Weight): void;
  delete(key: string): void;
  /** In the order in which they came, with what each weighs. */
  entries(): [string, Decision, Weight][];
  values(): Iterable<Decision>;
  /** Keys of the campaigns that refuse or slow. */
  campaigns(): Iterable<string>;
  /** Without the decision of `except`: a principal does not stand in its own way. */
  tally(kind: PrincipalKind, except: string): Tally;
  /** Key of the oldest decision on the lowest whole score when all places are taken; undefined while there is room. */
  weakest(): string | undefined;
}

/** More than all layers of a fleet hold; see the limits of Envoy's identity keys. */
const maxInForce = 10_000;

export function createInForce(capacity = maxInForce): InForce {
  const decisions = new Map<string, Decision>();
  const weights = new Map<string, Weight>();
  const tallies = new Map<PrincipalKind, Tally>();
  const campaigns = new Set<string>();
  /** Keys by whole score. */
  const byScore = Array.from({ length: 101 }, () => new Set<string>());
  const scoreSet = ({ score }: Decision): Set<string> =>
    byScore[Math.max(0, Math.min(100, Math.floor(score)))] as Set<string>;

  const count = (decision: Decision, weight: Weight, sign: 1 | -1): void => {
    if (decision.action < Action.THROTTLE) return;
    let tally = tallies.get(decision.kind);
    if (!tally) tallies.set(decision.kind, (tally = { all: 0, established: 0, requests: 0 }));
    tally.all += sign;
    if (!weight.established) return;
    tally.established += sign;
    tally.requests += sign * weight.requests;
  };

  const remove = (key: string): void => {
    const decision = decisions.get(key);
    const weight = weights.get(key);
    if (!decision || !weight) return;
    count(decision, weight, -1);
    scoreSet(decision).delete(key);
    decisions.delete(key);
    weights.delete(key);
    campaigns.delete(key);
  };

  return {
    get size() {
      return decisions.size;
    },
    get: (key) => decisions.get(key),
    has: (key) => decisions.has(key),
    set(key, decision, weight) {
      remove(key);
      decisions.set(key, decision);
      weights.set(key, weight);
      count(decision, weight, 1);
      scoreSet(decision).add(key);
      if (decision.kind === PrincipalKind.CAMPAIGN && decision.action >= Action.THROTTLE) campaigns.add(key);
    },
    delete: remove,
    entries: () => [...decisions].map(([key, decision]) => [key, decision, weights.get(key) as Weight]),
    values: () => decisions.values(),
    campaigns: () => campaigns,
    tally(kind, except) {
      const sum = tallies.get(kind) ?? { all: 0, established: 0, requests: 0 };
      const own = decisions.get(except);
      const weight = weights.get(except);
      if (!own || !weight || own.kind !== kind || own.action < Action.THROTTLE) return { ...sum };
      return {
        all: sum.all - 1,
        established: sum.established - (weight.established ? 1 : 0),
        requests: sum.requests - (weight.established ? weight.requests : 0),
      };
    },
    weakest() {
      if (decisions.size < capacity) return undefined;
      for (const keys of byScore) for (const key of keys) return key;
      return undefined;
    },
  };
}

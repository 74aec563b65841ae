import { create, equals } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import type { ApiPlace } from '../render/api-match.ts';
import { type Unprogrammable, whyUnprogrammable } from '../render/decisions.ts';
import { createAdmission } from './admission.ts';
import { createLayers, type LayerChanges, type LayerLimits, type Layers } from './layers.ts';

/** Why a decision has no place in any layer. */
export interface Unplaced {
  reason: Unprogrammable['reason'] | 'Capacity';
  message: string;
}

/**
 * Where the decisions in force stand: what can be programmed at all, what fits by score, and which layer holds it. Only
 * what changed is looked at, and the result is that of looking at everything, but for the age of what is in the layers.
 */
export interface Placement {
  readonly layers: Omit<Layers, 'change'>;
  /** Takes what came, changed or went. */
  change(ids: Iterable<string>, inForce: ReadonlyMap<string, Decision>): PlacementChanges;
  /** APIs came, changed or went: everything is looked at again. */
  setApis(apis: ReadonlyMap<string, ApiPlace>, inForce: ReadonlyMap<string, Decision>): PlacementChanges;
  /** Undefined for what has a place, and for what is not in force. */
  problemOf(id: string): Unplaced | undefined;
}

export interface PlacementChanges {
  layers: LayerChanges;
  /** Decisions that have a place now and had none, or that say something new. */
  entered: string[];
  /** Decisions that have none any more. */
  left: string[];
}

export function createPlacement(options: {
  limits: LayerLimits;
  /** Whether the fleet's listeners compute JA4 fingerprints. */
  ja4: boolean;
}): Placement {
  const admission = createAdmission(options.limits);
  const layers = createLayers(options.limits);
  const problems = new Map<string, Unplaced>();
  /** What could be programmed, as it was when it was looked at last. */
  const possible = new Map<string, Decision>();
  let apis: ReadonlyMap<string, ApiPlace> = new Map();

  function problemWith(decision: Decision): Unplaced | undefined {
    return whyUnprogrammable(decision, apis) ?? (options.ja4 ? undefined : whyNotByJa4(decision));
  }

  /** Returns whether it asks something else of Envoy than before under the same id. */
  function look(id: string, decision: Decision | undefined): boolean {
    const earlier = possible.get(id);
    const problem = decision && problemWith(decision);
    if (problem) problems.set(id, problem);
    else problems.delete(id);
    if (!decision || problem) {
      possible.delete(id);
      admission.remove(id);
      return false;
    }
    possible.set(id, decision);
    if (earlier === decision) return false;
    admission.put(decision);
    return earlier !== undefined && !asksTheSame(earlier, decision);
  }

  function change(ids: Iterable<string>, inForce: ReadonlyMap<string, Decision>): PlacementChanges {
    const replaced: string[] = [];
    for (const id of ids) if (look(id, inForce.get(id))) replaced.push(id);
    const changes = admission.changes();
    const anew = replaced.filter((id) => admission.admits(id) && !changes.has(id));
    const left = [...changes].filter(([, admitted]) => !admitted).map(([id]) => id);
    const entered = [...[...changes].filter(([, admitted]) => admitted).map(([id]) => id), ...anew];
    const entering = entered.map((id) => possible.get(id)).filter((d) => d !== undefined);
    // What could be programmed and lost its place did so to a higher score.
    const isDisplaced = (id: string): boolean => possible.has(id);
    const ended = left.filter((id) => !isDisplaced(id));
    return { layers: layers.change([...ended, ...anew], entering, left.filter(isDisplaced)), entered, left };
  }

  return {
    layers,
    change,
    setApis(next, inForce) {
      apis = next;
      return change(new Set([...possible.keys(), ...problems.keys(), ...inForce.keys()]), inForce);
    },
    problemOf(id) {
      // Nearly all have a place, and there may be a hundred thousand to ask for.
      if (admission.admits(id)) return undefined;
      const problem = problems.get(id);
      if (problem || !possible.has(id)) return problem;
      return { reason: 'Capacity', message: 'the filters are full and higher scores come first' };
    },
  };
}

/** Without the state that Envoy would compare, such a decision would be in force and meet nobody. */
function whyNotByJa4({ match }: Decision): Unplaced | undefined {
  if (!match.some(({ predicate }) => predicate.case === 'ja4')) return undefined;
  return { reason: 'BadMatch', message: 'it names a JA4 fingerprint: start with --ja4 where all listeners compute it' };
}

function asksTheSame(a: Decision, b: Decision): boolean {
  const pick = ({ apiUid, kind, pseudonym, action, mode, level, throttleRequestsPerMinute, match }: Decision) =>
    create(DecisionSchema, { apiUid, kind, pseudonym, action, mode, level, throttleRequestsPerMinute, match });
  return equals(DecisionSchema, pick(a), pick(b));
}

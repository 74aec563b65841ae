/** Counts what decisions would have met, and whom they should not have. */
import { type ActionName, actionNames, type WouldActRow } from './result.ts';

/** Distinct principals remembered per action; past it counts say "at least". */
const maxDistinct = 50_000;

interface Tally {
  requests: number;
  ordinaryRequests: number;
  subjects: Set<string>;
  ordinary: Set<string>;
}

export interface ActionTally {
  add(acted: { action: ActionName; subject: string; ordinary?: string }): void;
  /** Mildest first; only actions that met something. */
  rows(): WouldActRow[];
  /** Some distinct count reached its bound. */
  readonly saturated: boolean;
}

export function createActionTally(): ActionTally {
  const tallies = new Map<ActionName, Tally>();
  let saturated = false;
  const note = (set: Set<string>, value: string) => {
    if (set.size < maxDistinct) set.add(value);
    else if (!set.has(value)) saturated = true;
  };
  return {
    get saturated() {
      return saturated;
    },
    add(acted) {
      let t = tallies.get(acted.action);
      if (t === undefined) {
        t = { requests: 0, ordinaryRequests: 0, subjects: new Set(), ordinary: new Set() };
        tallies.set(acted.action, t);
      }
      t.requests++;
      note(t.subjects, acted.subject);
      if (acted.ordinary !== undefined) {
        t.ordinaryRequests++;
        note(t.ordinary, acted.ordinary);
      }
    },
    rows: () =>
      actionNames.flatMap((action) => {
        const t = tallies.get(action);
        if (t === undefined) return [];
        return [
          {
            action,
            principals: t.subjects.size,
            requests: t.requests,
            ordinaryPrincipals: t.ordinary.size,
            ordinaryRequests: t.ordinaryRequests,
          },
        ];
      }),
  };
}

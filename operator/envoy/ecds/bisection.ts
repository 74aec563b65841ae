/**
 * Finds the decisions that make Envoy refuse a layer: serves what is known good with one more group of the doubtful
 * ones, and halves a group that is refused. A layer is refused as a whole, so one bad key would otherwise keep every
 * other decision out.
 */
export interface Bisection {
  /** Decisions to serve next; undefined when every doubtful one is judged. */
  readonly trial: ReadonlySet<string> | undefined;
  accepted(): void;
  refused(): void;
  readonly good: ReadonlySet<string>;
  readonly bad: ReadonlySet<string>;
}

/**
 * @param good decisions of the last acknowledged version.
 * @param doubtful decisions of the refused version that are not in `good`; together with them known to be refused.
 */
export function createBisection(good: Iterable<string>, doubtful: Iterable<string>): Bisection {
  const accepted = new Set(good);
  const bad = new Set<string>();
  const groups: string[][] = [];
  split([...doubtful]);

  function split(group: string[]): void {
    const only = group[0];
    if (group.length === 1 && only !== undefined) {
      bad.add(only);
      return;
    }
    const half = Math.ceil(group.length / 2);
    if (group.length > half) groups.push(group.slice(half));
    if (half > 0) groups.push(group.slice(0, half));
  }

  return {
    get trial() {
      const group = groups.at(-1);
      return group && new Set([...accepted, ...group]);
    },
    accepted() {
      for (const id of groups.pop() ?? []) accepted.add(id);
    },
    refused() {
      split(groups.pop() ?? []);
    },
    good: accepted,
    bad,
  };
}

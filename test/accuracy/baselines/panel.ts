/** All reference rules at all scales over one stretch of traffic. */
import { baselines, scales } from './catalogue.ts';
import type { Row } from './row.ts';

export interface PanelState {
  states: unknown[][];
}

/** Alerts of one rule set at one scale. */
export interface PanelTally {
  /** First alert on an attacker's request, event time; NaN = none. */
  foundAt: number;
  /** Keys reported by benign requests, each at most once an hour. */
  benignAlerts: number;
}

export interface Panel {
  observe(row: Row): void;
  tallies: PanelTally[][];
  save(): PanelState;
}

const repeatMs = 3_600_000;

export function createPanel(from?: PanelState): Panel {
  const states = from ? structuredClone(from.states) : baselines.map((b) => scales.map(() => b.start()));
  const tallies = baselines.map(() => scales.map((): PanelTally => ({ foundAt: Number.NaN, benignAlerts: 0 })));
  const told = new Map<string, number>();
  return {
    tallies,
    observe(row) {
      for (const [b, baseline] of baselines.entries())
        for (const [s, scale] of scales.entries()) {
          const key = baseline.observe((states[b] as unknown[])[s], row, scale);
          if (key === undefined) continue;
          const tally = (tallies[b] as PanelTally[])[s] as PanelTally;
          if (row.attack) {
            if (Number.isNaN(tally.foundAt)) tally.foundAt = row.at;
            continue;
          }
          const id = `${b} ${s} ${key}`;
          if (row.at - (told.get(id) ?? Number.NEGATIVE_INFINITY) < repeatMs) continue;
          told.set(id, row.at);
          tally.benignAlerts++;
        }
    },
    save: () => ({ states: structuredClone(states) }),
  };
}

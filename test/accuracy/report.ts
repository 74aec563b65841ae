/** Figures of all runs as one table per question. */
import { type AttackRun } from './attack.ts';
import { baselines, scales } from './baselines/catalogue.ts';
import type { BenignFigures, BenignRun, Honesty } from './benign.ts';
import { poissonInterval, shareInterval } from './interval.ts';
import type { TrapRun } from './traps.ts';

export interface FamilyFigures {
  family: string;
  runs: number;
  recall: { mean: number; low: number; high: number; worst: number; worstCell: string };
  precision: { share: number; low: number; high: number; trueVerdicts: number; falseVerdicts: number };
  /** Medians over runs that found it, and the worst cell's median. */
  seconds: { median: number; worst: number };
  requests: { median: number; worst: number };
  traitPrecision: { mean: number; least: number };
  by: string[];
}

export interface CellFigures {
  family: string;
  cell: string;
  runs: number;
  found: number;
  suspected: number;
  acted: number;
  medianSeconds: number;
  medianRequests: number;
  traitPrecision: number;
  by: string[];
  falseCases: string[];
}

export interface Rate {
  count: number;
  per100k: number;
  low: number;
  high: number;
}

export interface BaselineFigures {
  name: string;
  source: string;
  scale: number;
  benignAlerts: number;
  per100k: number;
  recall: Record<string, number>;
}

export interface Summary {
  seeds: { attacks: string[]; traps: string[]; days: string[] };
  families: FamilyFigures[];
  cells: CellFigures[];
  benign: { sessions: number; requests: number; elevated: Rate; high: Rate; acted: Rate; cases: string[] };
  cold: { sessions: number; elevated: Rate; high: Rate; cases: string[] };
  honesty: {
    detector: string;
    windows: number;
    alpha: number;
    share: number;
    low: number;
    high: number;
    ok: boolean;
  }[];
  traps: {
    trap: string;
    runs: number;
    requests: number;
    elevated: number;
    high: number;
    acted: number;
    cases: string[];
  }[];
  baselines: BaselineFigures[];
}

export function summarise(input: {
  /** "<seed>: <step>" */
  done: readonly string[];
  attacks: AttackRun[];
  benign: BenignRun[];
  traps: TrapRun[];
  cold: BenignFigures[];
}): Summary {
  const cells = group(input.attacks, (r) => `${r.family}\n${r.cell}`).map(cellFigures);
  const benign = sum(input.benign.map((b) => b.figures));
  const cold = sum(input.cold);
  return {
    seeds: {
      attacks: seedsOf(input.done, 'attack'),
      traps: seedsOf(input.done, 'trap'),
      days: seedsOf(input.done, 'ordinary day'),
    },
    families: group(input.attacks, (r) => r.family).map((runs) => familyFigures(runs, cells)),
    cells,
    benign: {
      sessions: benign.sessions,
      requests: benign.requests,
      elevated: rate(benign.elevated, benign.sessions),
      high: rate(benign.high, benign.sessions),
      acted: rate(benign.acted, benign.sessions),
      cases: benign.cases,
    },
    cold: {
      sessions: cold.sessions,
      elevated: rate(cold.elevated, cold.sessions),
      high: rate(cold.high, cold.sessions),
      cases: cold.cases,
    },
    honesty: honestyRows(input.benign.map((b) => b.honesty)),
    traps: group(input.traps, (t) => t.trap).map((runs) => ({
      trap: runs[0]?.trap ?? '',
      runs: runs.length,
      requests: total(runs.map((r) => r.requests)),
      elevated: total(runs.map((r) => r.elevated)),
      high: total(runs.map((r) => r.high)),
      acted: total(runs.map((r) => r.acted)),
      cases: runs.flatMap((r) => r.cases),
    })),
    baselines: baselineFigures(input.attacks, input.benign, benign.sessions, benign.high),
  };
}

function seedsOf(done: readonly string[], step: string): string[] {
  return [
    ...new Set(done.filter((name) => name.includes(`: ${step} `)).map((name) => name.slice(0, name.indexOf(':')))),
  ];
}

function cellFigures(runs: AttackRun[]): CellFigures {
  const found = runs.filter((r) => r.found);
  return {
    family: runs[0]?.family ?? '',
    cell: runs[0]?.cell ?? '',
    runs: runs.length,
    found: found.length,
    suspected: runs.filter((r) => r.suspected).length,
    acted: runs.filter((r) => !Number.isNaN(r.secondsToAct)).length,
    medianSeconds: median(found.map((r) => r.secondsToFind)),
    medianRequests: median(found.map((r) => r.requestsToFind)),
    traitPrecision: mean(runs.map((r) => r.traitPrecision).filter((p) => !Number.isNaN(p))),
    by: [...new Set(found.map((r) => r.by))],
    falseCases: runs.flatMap((r) => r.falseCases),
  };
}

function familyFigures(runs: AttackRun[], allCells: CellFigures[]): FamilyFigures {
  const family = runs[0]?.family ?? '';
  const cells = allCells.filter((c) => c.family === family);
  const found = runs.filter((r) => r.found);
  const yes = total(runs.map((r) => r.trueVerdicts));
  const no = total(runs.map((r) => r.falseVerdicts));
  const worst = [...cells].sort((a, b) => a.found / a.runs - b.found / b.runs)[0];
  const traits = runs.map((r) => r.traitPrecision).filter((p) => !Number.isNaN(p));
  return {
    family,
    runs: runs.length,
    recall: {
      mean: found.length / runs.length,
      ...shareInterval(found.length, runs.length),
      worst: worst ? worst.found / worst.runs : 0,
      worstCell: worst?.cell ?? '',
    },
    precision: {
      share: yes + no === 0 ? Number.NaN : yes / (yes + no),
      ...shareInterval(yes, yes + no),
      trueVerdicts: yes,
      falseVerdicts: no,
    },
    seconds: { median: median(found.map((r) => r.secondsToFind)), worst: most(cells.map((c) => c.medianSeconds)) },
    requests: { median: median(found.map((r) => r.requestsToFind)), worst: most(cells.map((c) => c.medianRequests)) },
    traitPrecision: { mean: mean(traits), least: traits.length > 0 ? Math.min(...traits) : Number.NaN },
    by: [...new Set(found.map((r) => r.by))],
  };
}

function honestyRows(runs: Honesty[]): Summary['honesty'] {
  const rows: Summary['honesty'] = [];
  for (const detector of Object.keys(runs[0] ?? {}))
    for (const [i, alpha] of [1e-2, 1e-3, 1e-4].entries()) {
      const windows = Math.round(total(runs.map((r) => r[detector]?.windows ?? 0)));
      const k = Math.round(total(runs.map((r) => r[detector]?.atMost[i] ?? 0)));
      const interval = shareInterval(k, windows);
      rows.push({
        detector,
        windows,
        alpha,
        share: windows > 0 ? k / windows : 0,
        ...interval,
        ok: interval.low <= alpha,
      });
    }
  return rows;
}

function baselineFigures(attacks: AttackRun[], benign: BenignRun[], sessions: number, ours: number): BaselineFigures[] {
  return baselines.flatMap((baseline, b) => {
    const alerts = scales.map((_, s) => total(benign.map((run) => run.panel[b]?.[s]?.benignAlerts ?? 0)));
    // The first scale at which it says no more of the innocent than we do; the last when none is.
    const equal = alerts.findIndex((n) => n <= ours);
    return [...new Set([0, equal < 0 ? scales.length - 1 : equal])].map((s) => ({
      name: baseline.name,
      source: baseline.source,
      scale: scales[s] as number,
      benignAlerts: alerts[s] as number,
      per100k: sessions > 0 ? ((alerts[s] as number) / sessions) * 1e5 : Number.NaN,
      recall: Object.fromEntries(
        group(attacks, (r) => r.family).map((runs) => [
          runs[0]?.family ?? '',
          runs.filter((r) => !Number.isNaN(r.panel[b]?.[s]?.foundAt ?? Number.NaN)).length / runs.length,
        ]),
      ),
    }));
  });
}

/** Markdown, for the terminal and the documentation alike. */
export function renderTables(s: Summary): string {
  const parts: string[] = [];
  if (s.families.length > 0) {
    parts.push(
      table(
        ['family', 'runs', 'recall (95 %)', 'worst cell', 'precision', 'seconds to find', 'requests to find', 'traits'],
        s.families.map((f) => [
          f.family,
          f.runs,
          `${percent(f.recall.mean)} (${percent(f.recall.low)}–${percent(f.recall.high)})`,
          `${percent(f.recall.worst)}: ${f.recall.worstCell}`,
          `${percent(f.precision.share)} (${f.precision.falseVerdicts} false)`,
          `${number(f.seconds.median)}, worst cell ${number(f.seconds.worst)}`,
          `${number(f.requests.median)}, worst cell ${number(f.requests.worst)}`,
          Number.isNaN(f.traitPrecision.mean)
            ? ''
            : `${percent(f.traitPrecision.mean)}, least ${percent(f.traitPrecision.least)}`,
        ]),
      ),
      table(
        ['family', 'cell', 'found', 'Elevated', 'acted', 'seconds', 'requests', 'traits', 'by'],
        s.cells.map((c) => [
          c.family,
          c.cell,
          `${c.found}/${c.runs}`,
          `${c.suspected}/${c.runs}`,
          `${c.acted}/${c.runs}`,
          number(c.medianSeconds),
          number(c.medianRequests),
          percent(c.traitPrecision),
          c.by.join(', '),
        ]),
      ),
    );
  }
  const row = (name: string, r: Rate) => [name, r.count, `${number(r.per100k)} (${number(r.low)}–${number(r.high)})`];
  if (s.cold.sessions > 0)
    parts.push(
      `${s.benign.sessions} benign sessions, ${s.benign.requests} requests; the first day of each shop (${s.cold.sessions} sessions) apart.`,
      table(
        ['said of the innocent', 'count', 'per 100,000 sessions (95 %)'],
        [
          ...(s.benign.sessions > 0
            ? [
                row('Elevated or more', s.benign.elevated),
                row('High or more', s.benign.high),
                row('throttled or denied', s.benign.acted),
              ]
            : []),
          row('Elevated or more, first day', s.cold.elevated),
          row('High or more, first day', s.cold.high),
        ],
      ),
    );
  if (s.benign.sessions > 0)
    parts.push(
      table(
        ['detector', 'windows', 'P(p ≤ 0.01)', 'P(p ≤ 0.001)', 'P(p ≤ 0.0001)'],
        group(s.honesty, (h) => h.detector).map((rows) => [
          rows[0]?.detector ?? '',
          rows[0]?.windows ?? 0,
          ...rows.map(
            (r) =>
              `${r.share.toExponential(1)} (${r.low.toExponential(1)}–${r.high.toExponential(1)})${r.ok ? '' : ' **too bold**'}`,
          ),
        ]),
      ),
    );
  if (s.traps.length > 0)
    parts.push(
      table(
        ['trap', 'runs', 'requests', 'Elevated+', 'High+', 'throttled or denied'],
        s.traps.map((t) => [t.trap, t.runs, t.requests, t.elevated, t.high, t.acted]),
      ),
    );
  if (s.families.length > 0 && s.benign.sessions > 0)
    parts.push(
      table(
        ['reference rules', 'thresholds ×', 'benign alerts per 100,000', ...s.families.map((f) => f.family)],
        [
          ['Picket, High', 1, number(s.benign.high.per100k), ...s.families.map((f) => percent(f.recall.mean))],
          ...s.baselines.map((b) => [
            b.name,
            b.scale,
            number(b.per100k),
            ...s.families.map((f) => percent(b.recall[f.family] ?? 0)),
          ]),
        ],
      ),
    );
  return parts.join('\n\n');
}

function table(head: string[], rows: (string | number)[][]): string {
  const line = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function rate(count: number, sessions: number): Rate {
  const { low, high } = poissonInterval(count);
  const scale = sessions > 0 ? 1e5 / sessions : Number.NaN;
  return { count, per100k: count * scale, low: low * scale, high: high * scale };
}

function sum(runs: BenignFigures[]): BenignFigures {
  const add = (pick: (f: BenignFigures) => number) => total(runs.map(pick));
  return {
    sessions: add((f) => f.sessions),
    requests: add((f) => f.requests),
    elevated: add((f) => f.elevated),
    high: add((f) => f.high),
    acted: add((f) => f.acted),
    cases: runs.flatMap((f) => f.cases),
  };
}

function group<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups.values()];
}

function total(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : total(values) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return mean(middle.filter((v) => v !== undefined));
}

function most(values: readonly number[]): number {
  return Math.max(...values.filter((v) => !Number.isNaN(v)));
}

function percent(share: number): string {
  return Number.isNaN(share) ? '' : `${Math.round(share * 1000) / 10} %`;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return value >= 100 ? String(Math.round(value)) : String(Math.round(value * 100) / 100);
}

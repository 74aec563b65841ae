/** Raw results of runs, which parts run apart can be put together from. */
import { readFile, writeFile } from 'node:fs/promises';
import type { AttackRun } from './attack.ts';
import type { BenignFigures, BenignRun } from './benign.ts';
import type { Summary } from './report.ts';
import type { TrapRun } from './traps.ts';

export interface Runs {
  seeds: string[];
  attacks: AttackRun[];
  benign: BenignRun[];
  traps: TrapRun[];
  cold: BenignFigures[];
}

export function noRuns(): Runs {
  return { seeds: [], attacks: [], benign: [], traps: [], cold: [] };
}

/** JSON has no NaN; null stands for it in the summary, the text "NaN" in the runs. */
export async function writeRuns(path: string, summary: Summary, runs: Runs): Promise<void> {
  const kept = JSON.stringify(runs, (_, value: unknown) => (Number.isNaN(value) ? 'NaN' : value));
  await writeFile(path, `{"summary":${JSON.stringify(summary, null, 1)},\n"runs":${kept}}\n`);
}

export async function readRuns(paths: readonly string[]): Promise<Runs> {
  const all = noRuns();
  for (const path of paths) {
    const { runs } = JSON.parse(await readFile(path, 'utf8'), (_, value: unknown) =>
      value === 'NaN' ? Number.NaN : value,
    ) as { runs: Runs };
    all.seeds.push(...runs.seeds.filter((s) => !all.seeds.includes(s)));
    all.attacks.push(...runs.attacks);
    all.benign.push(...runs.benign);
    all.traps.push(...runs.traps);
    all.cold.push(...runs.cold);
  }
  return all;
}

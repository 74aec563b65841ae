/** Raw results of runs, which parts run apart can be put together from, and which an interrupted run goes on from. */
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { deserialize, serialize } from 'node:v8';
import type { AttackRun } from './attack.ts';
import type { BenignFigures, BenignRun, BenignState } from './benign.ts';
import type { Summary } from './report.ts';
import type { TrapRun } from './traps.ts';

export interface Runs {
  /** Names of the steps whose results are in here: attacks, traps and ordinary days of each seed. */
  done: string[];
  attacks: AttackRun[];
  benign: BenignRun[];
  traps: TrapRun[];
  cold: BenignFigures[];
}

export function noRuns(): Runs {
  return { done: [], attacks: [], benign: [], traps: [], cold: [] };
}

/** JSON has no NaN; null stands for it in the summary, the text "NaN" in the runs. */
export async function writeRuns(path: string, summary: Summary, runs: Runs): Promise<void> {
  const kept = JSON.stringify(runs, (_, value: unknown) => (Number.isNaN(value) ? 'NaN' : value));
  await writeFile(`${path}.new`, `{"summary":${JSON.stringify(summary, null, 1)},\n"runs":${kept}}\n`);
  await rename(`${path}.new`, path);
}

export async function readRuns(paths: readonly string[]): Promise<Runs> {
  const all = noRuns();
  for (const path of paths) {
    const { runs } = JSON.parse(await readFile(path, 'utf8'), (_, value: unknown) =>
      value === 'NaN' ? Number.NaN : value,
    ) as { runs: Runs };
    all.done.push(...runs.done);
    all.attacks.push(...runs.attacks);
    all.benign.push(...runs.benign);
    all.traps.push(...runs.traps);
    all.cold.push(...runs.cold);
  }
  return all;
}

/** The state between two ordinary days, beside the results: 100 MB and more, gone when the days are over. */
export function stateFile(out: string | undefined, seed: string) {
  const path = `${out}.${seed}.state`;
  return {
    async read(): Promise<BenignState | undefined> {
      return out !== undefined && existsSync(path) ? (deserialize(await readFile(path)) as BenignState) : undefined;
    },
    async write(state: BenignState): Promise<void> {
      if (out === undefined) return;
      await writeFile(`${path}.new`, serialize(state));
      await rename(`${path}.new`, path);
    },
    async remove(): Promise<void> {
      if (out !== undefined) await rm(path, { force: true });
    },
  };
}

/**
 * `make test`: the checks, then the named suites two at a time, each with a report under `.tools/reports`. What the
 * suite `kubernetes` needs is built meanwhile; what is not there within the budget leaves its tests skipped and counted.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildTools, linkBuiltTools } from '../kubernetes/tools/build.ts';
import { check } from './check.ts';
import { readReport } from './reports.ts';
import { runCommand, type StepResult, stepTable } from './steps.ts';

const folder = '.tools/reports';
/** A cold build of Kubernetes on two cores takes half of this; no build may cost the other suites their time. */
const buildBudgetMs = 55 * 60_000;
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const suites = process.argv.slice(2);
// Not built here: a cold build would take longer than all suites. Without it their tests are skipped.
if (suites.includes('providers')) linkBuiltTools('providers');
const building = suites.includes('kubernetes') ? buildInBackground() : Promise.resolve();
const results = await check(folder);
process.stdout.write(stepTable(results));
// Much of a suite is waiting for clocks and processes: two at a time, one per core of the smallest machine that is supported.
const queue = [...suites];
const drain = async (): Promise<void> => {
  for (let suite = queue.shift(); suite !== undefined; suite = queue.shift()) results.push(await runSuite(suite));
};
await Promise.all([drain(), drain()]);
process.stdout.write(`\n${stepTable(results.map((r) => ({ ...r, output: '' })))}`);
for (const suite of ['unit', ...suites]) {
  const { passed, failed, skipped, failures } = readReport(join(folder, `${suite}.json`));
  process.stdout.write(`${suite}: ${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  for (const failure of failures) process.stdout.write(`  FAILED ${failure}\n`);
}
process.exitCode = results.every((r) => r.ok) ? 0 : 1;

async function runSuite(suite: string): Promise<StepResult> {
  if (suite === 'kubernetes') await building;
  const report = `--outputFile.json=${join(folder, `${suite}.json`)}`;
  const reporters = ['--reporter=default', '--reporter=json', report];
  return runCommand(suite, 'vitest', ['run', `--project=${suite}`, '--passWithNoTests', ...reporters], true);
}

async function buildInBackground(): Promise<void> {
  const stop = new AbortController();
  const say = (line: string): void => void process.stdout.write(`tools: ${line}\n`);
  const timer = new AbortController();
  const late = delay(buildBudgetMs, undefined, { signal: timer.signal }).then(
    () => stop.abort(),
    () => undefined,
  );
  await buildTools('kubernetes', say, stop.signal).catch((error: Error) =>
    say(stop.signal.aborted ? `not built within ${buildBudgetMs / 60_000} min: its tests are skipped` : error.message),
  );
  timer.abort();
  await late;
}

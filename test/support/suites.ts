/** `make test`: the checks, then the named suites one after the other, each with a report under `.tools/reports`. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './check.ts';
import { readReport } from './reports.ts';
import { runCommand, stepTable } from './steps.ts';

const folder = '.tools/reports';
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const results = await check(folder);
process.stdout.write(stepTable(results));
const suites = process.argv.slice(2);
for (const suite of suites) {
  const report = join(folder, `${suite}.json`);
  process.stdout.write(`\n── ${suite}\n`);
  const result = await runCommand(
    suite,
    'vitest',
    [
      'run',
      `--project=${suite}`,
      '--passWithNoTests',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    true,
  );
  results.push(result);
}
process.stdout.write(`\n${stepTable(results.map((r) => ({ ...r, output: '' })))}`);
for (const suite of ['unit', ...suites]) {
  const { passed, failed, skipped } = readReport(join(folder, `${suite}.json`));
  process.stdout.write(`${suite}: ${passed} passed, ${failed} failed, ${skipped} skipped\n`);
}
process.exitCode = results.every((r) => r.ok) ? 0 : 1;

/**
 * `npm run check`: generated copies, format, lint, types, dead code and unit tests. Prints what failed and one table.
 * Steps that only read run two at a time, one per core of the smallest machine that is supported.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, runCommand, type StepResult, stepTable } from './steps.ts';

/** Where generators and what they write live. */
const generatedFolders = ['proto', 'crds', 'charts', 'docs'];

const stampPath = '.tools/generated.sha256';

/** Runs all steps; resolves to their results in the order of the table. */
export async function check(reportFolder: string): Promise<StepResult[]> {
  mkdirSync(reportFolder, { recursive: true });
  const generated = await generateWithoutDrift();
  const report = join(reportFolder, 'unit.json');
  const queue: (() => Promise<StepResult>)[] = [
    () =>
      runCommand('unit', 'vitest', [
        'run',
        '--project=unit',
        '--passWithNoTests',
        '--reporter=dot',
        '--reporter=json',
        `--outputFile.json=${report}`,
      ]),
    () => runCommand('lint', 'oxlint', ['--type-aware', '--deny-warnings']),
    () => runCommand('types', 'tsc', ['-p', 'tsconfig.json']),
    () => runCommand('dead code', 'knip', ['--no-progress']),
    () => runCommand('format', 'biome', ['format', '.']),
    () => runCommand('proto lint', 'npm', ['run', '--silent', 'lint', '--workspace=proto']),
    () => runCommand('proto compatible', 'npm', ['run', '--silent', 'breaking', '--workspace=proto']),
  ];
  const results: StepResult[] = [];
  const drain = async () => {
    for (let step = queue.shift(); step; step = queue.shift()) results.push(await step());
  };
  await Promise.all([drain(), drain()]);
  return [generated, ...results];
}

/**
 * Generation must reproduce what is committed: a difference fails, and leaves the new files to be committed. It takes
 * some twenty seconds, so it is left out when neither a generator nor what it wrote has changed since it last agreed.
 */
async function generateWithoutDrift(): Promise<StepResult> {
  const before = digestFiles(generatedFolders);
  if (stampOf(before) === readStamp()) return { name: 'generate', ok: true, seconds: 0, output: '' };
  const result = await runCommand('generate', 'npm', ['run', '--silent', 'generate', '--workspaces', '--if-present']);
  if (!result.ok) return result;
  const after = digestFiles(generatedFolders);
  const drifted = [...new Set([...before.keys(), ...after.keys()])].filter((f) => before.get(f) !== after.get(f));
  if (drifted.length === 0) {
    writeFileSync(stampPath, stampOf(after));
    return result;
  }
  return { ...result, ok: false, output: `generated files were out of date, now rewritten:\n${drifted.join('\n')}\n` };
}

/** Of sources and copies alike, and of the tools' versions. */
function stampOf(digests: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256').update(readFileSync('package-lock.json'));
  for (const [file, digest] of [...digests].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${file} ${digest}\n`);
  return hash.digest('hex');
}

function readStamp(): string | undefined {
  return existsSync(stampPath) ? readFileSync(stampPath, 'utf8') : undefined;
}

function digestFiles(folders: readonly string[]): Map<string, string> {
  const digests = new Map<string, string>();
  for (const folder of folders) {
    for (const file of filesUnder(folder)) {
      digests.set(file, createHash('sha256').update(readFileSync(file)).digest('hex'));
    }
  }
  return digests;
}

function filesUnder(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}

if (isMain(import.meta.url)) {
  const results = await check('.tools/reports');
  process.stdout.write(stepTable(results));
  process.exitCode = results.every((r) => r.ok) ? 0 : 1;
}

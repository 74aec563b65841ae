/** Steps of the checks and test runs: commands of node_modules, timed, with their output kept until somebody needs it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

export interface StepResult {
  name: string;
  ok: boolean;
  seconds: number;
  /** What the command printed; "" when it was shown as it came. */
  output: string;
}

/** Runs one command to its end. `show` prints its lines as they come, the step's name before each, instead of keeping them. */
export async function runCommand(
  name: string,
  command: string,
  args: readonly string[],
  show = false,
): Promise<StepResult> {
  const startedAt = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (show) createInterface({ input: stream }).on('line', (line) => process.stdout.write(`${name} │ ${line}\n`));
    else stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  }
  const failure = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`${command} could not be started: ${error.message}; run make setup\n`));
    child.on('close', (code, signal) =>
      resolve(code === 0 ? '' : `${command} ended with ${signal ?? `code ${code}`}\n`),
    );
  });
  return {
    name,
    ok: failure === '',
    seconds: (performance.now() - startedAt) / 1000,
    output: Buffer.concat(chunks).toString('utf8') + failure,
  };
}

/** Output of the failed steps, then one line per step. */
export function stepTable(results: readonly StepResult[]): string {
  const failed = results.filter((r) => !r.ok && r.output !== '').map((r) => `── ${r.name}\n${r.output.trimEnd()}\n\n`);
  const rows = results.map(
    (r) => `${r.ok ? 'ok    ' : 'FAILED'}  ${r.name.padEnd(12)} ${r.seconds.toFixed(1).padStart(6)} s`,
  );
  return `${failed.join('')}${rows.join('\n')}\n`;
}

/** Whether the module with this URL is the program that was started. */
export function isMain(url: string): boolean {
  const program = process.argv[1];
  return program !== undefined && pathToFileURL(program).href === url;
}

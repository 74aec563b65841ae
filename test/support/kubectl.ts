import { spawnSync } from 'node:child_process';
import { type CommandResult, runToEnd } from './commands.ts';
import { findTool } from './tools.ts';

/** The kubectl that was built, else the machine's. */
function findKubectl(): string | undefined {
  const built = findTool('kubectl').path;
  if (built !== undefined) return built;
  return spawnSync('kubectl', ['version', '--client'], { stdio: 'ignore' }).status === 0 ? 'kubectl' : undefined;
}

export const missingKubectl = findKubectl() === undefined ? findTool('kubectl').missing : undefined;

/** What kubectl prints. @throws Error with its complaint */
export function kubectl(kubeconfig: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(
    findKubectl() ?? 'kubectl',
    ['--kubeconfig', kubeconfig, ...args],
    { encoding: 'utf8', timeout: 120_000 },
  );
  if (status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr || error?.message}`);
  return stdout;
}

/** Runs kubectl to its end. Without `KUBECONFIG` in `env` it finds no cluster. */
export async function runKubectl(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
  return runToEnd(findKubectl() ?? 'kubectl', args, { env: { KUBECONFIG: '/dev/null', ...env } });
}

/** A table of `kubectl get` as rows by heading. Columns are set apart by three spaces. */
export function parseTable(text: string): Record<string, string>[] {
  const [heading = '', ...lines] = text.trimEnd().split('\n');
  const starts = [...heading.matchAll(/\S+(?: \S+)*/g)].map(({ 0: name, index }) => ({ name, index }));
  return lines.map((line) =>
    Object.fromEntries(
      starts.map(({ name, index }, i) => [name, line.slice(index, starts[i + 1]?.index ?? line.length).trim()]),
    ),
  );
}

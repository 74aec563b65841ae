/** Programs run to their end, with what they printed. */
import { spawn } from 'node:child_process';

export interface CommandResult {
  code: number;
  out: string;
  err: string;
}

export async function runToEnd(
  command: string,
  args: readonly string[],
  options: { cwd?: string | undefined; env?: Record<string, string>; input?: string } = {},
): Promise<CommandResult> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  // A program that does not read its input closes it first.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      err += error.message;
      resolve(127);
    });
    child.once('close', (status) => resolve(status ?? -1));
  });
  return { code, out, err };
}

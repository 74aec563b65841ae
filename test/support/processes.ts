/** Child processes of tests: stopped by handle, output kept in a file until the run is known to have gone well. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RunningProcess {
  readonly pid: number;
  /** Everything the process printed so far. */
  output(): string;
  /** Path of the file that holds it. */
  readonly logPath: string;
  /** Undefined while it runs. */
  exitCode(): number | undefined;
  /** Resolves when the process has ended, to its exit code; -1 when a signal ended it. */
  readonly ended: Promise<number>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after `graceMs`; resolves to the exit code. `keepLog` leaves the output on disk. */
  stop(options?: { graceMs?: number; keepLog?: boolean }): Promise<number>;
}

export interface StartOptions {
  command: string;
  args: readonly string[];
  logPath: string;
  cwd?: string;
  env?: Record<string, string>;
  /** A process group of its own: Ctrl-C in the terminal reaches the program that started it, which stops it. */
  ownGroup?: true;
}

export function startProcess(options: StartOptions): RunningProcess {
  const log = createWriteStream(options.logPath, { flags: 'a' });
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.ownGroup === true,
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      log.write(text);
      chunks.push(text);
      // Tests look for lines near the end; the file has everything.
      if (chunks.length > 4096) chunks.splice(0, 2048);
    });
  }
  let exitCode: number | undefined;
  const ended = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      chunks.push(`${options.command}: ${error.message}\n`);
      exitCode = 127;
      resolve(127);
    });
    child.once('close', (code) => {
      exitCode ??= code ?? -1;
      log.end();
      resolve(exitCode);
    });
  });
  stopWithParent(child, ended);
  return {
    pid: child.pid ?? -1,
    logPath: options.logPath,
    output: () => chunks.join(''),
    exitCode: () => exitCode,
    ended,
    signal: (signal) => void child.kill(signal),
    async stop({ graceMs = 10_000, keepLog = false } = {}) {
      if (exitCode === undefined) {
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
        await ended;
        clearTimeout(timer);
      }
      if (!keepLog) rmSync(options.logPath, { force: true });
      return ended;
    },
  };
}

let endsOnTerm = false;

/**
 * Nothing outlives the test run. SIGTERM, not SIGKILL: a child may have children of its own to stop. A runner ends workers
 * that hang by SIGTERM, after which there is no `exit`, unless somebody listens.
 */
function stopWithParent(child: ChildProcess, ended: Promise<number>): void {
  if (!endsOnTerm) {
    endsOnTerm = true;
    process.on('SIGTERM', () => {
      if (process.listenerCount('SIGTERM') === 1) process.exit(143);
    });
  }
  const kill = () => void child.kill('SIGTERM');
  process.once('exit', kill);
  void ended.then(() => process.off('exit', kill));
}

/** Waits for `probe` to answer something other than undefined; throws `what` and the process's last words otherwise. */
export async function waitFor<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  options: { timeoutMs?: number; everyMs?: number; process?: RunningProcess; signal?: AbortSignal } = {},
): Promise<T> {
  const { timeoutMs = 90_000, everyMs = 50 } = options;
  const until = performance.now() + timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const found = await probe();
    if (found !== undefined) return found;
    const code = options.process?.exitCode();
    if (code !== undefined) throw new Error(`${what}: the process ended with ${code}\n${lastWords(options.process)}`);
    if (performance.now() > until) {
      throw new Error(`${what}: not within ${timeoutMs} ms\n${lastWords(options.process)}`);
    }
    await sleep(everyMs);
  }
}

function lastWords(running: RunningProcess | undefined): string {
  if (running === undefined) return '';
  try {
    return readFileSync(running.logPath, 'utf8').split('\n').slice(-40).join('\n');
  } catch {
    return running.output().split('\n').slice(-40).join('\n');
  }
}

/** A process that is configured by flags and environment alone: help, every wrong setting at once, signals, exit codes. */
import { parseArgs } from 'node:util';
import { readSettings, type Setting, type SettingValues } from './config.ts';
import { exitCodeOf, PicketError } from './errors.ts';
import type { Host } from './host.ts';

export interface Program<S extends Record<string, Setting<unknown>>> {
  /** As it is started: "picket-operator". */
  name: string;
  version: string;
  description: string;
  settings: S;
  /** Works until `signal` aborts, then drains. */
  run(settings: SettingValues<S>, host: Host, signal: AbortSignal): Promise<void>;
}

/** Runs to the end and sets the exit code; `args` without interpreter and script. */
export async function runProgram<S extends Record<string, Setting<unknown>>>(
  program: Program<S>,
  host: Host,
  args: readonly string[],
): Promise<void> {
  const stopping = new AbortController();
  const release = host.onStop((signal) => stopping.abort(signal));
  try {
    const flags = readFlags(program, args);
    if (flags['help'] !== undefined) await host.out(helpOf(program));
    else if (flags['version'] !== undefined) await host.out(`${program.version}\n`);
    else await program.run(readSettings(program.settings, { flags, env: host.env }), host, stopping.signal);
  } catch (error) {
    host.err(`${program.name}: ${error instanceof Error ? error.message : String(error)}\n`);
    if (!(error instanceof PicketError) && error instanceof Error && error.stack) host.err(`${error.stack}\n`);
    host.setExitCode(exitCodeOf(error));
  } finally {
    release();
  }
}

/** @throws PicketError Usage */
function readFlags(
  { name, settings }: Program<Record<string, Setting<unknown>>>,
  args: readonly string[],
): Record<string, string | undefined> {
  const texts = Object.fromEntries(Object.values(settings).map(({ flag }) => [flag, { type: 'string' as const }]));
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { ...texts, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } },
    });
    return Object.fromEntries(Object.entries(values).map(([flag, value]) => [flag, String(value)]));
  } catch (error) {
    throw new PicketError('Usage', `${(error as Error).message}; ${name} --help lists the flags`, { cause: error });
  }
}

function helpOf({ name, description, settings }: Program<Record<string, Setting<unknown>>>): string {
  const rows = Object.values(settings).map(({ flag, env, help, default: fallback }) => {
    const notes = [
      ...(fallback === undefined ? ['required'] : fallback === '' ? [] : [`default ${fallback}`]),
      ...(env === undefined ? [] : [env]),
    ];
    return { flag: `--${flag}`, text: `${help}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}` };
  });
  const width = Math.max(...rows.map(({ flag }) => flag.length));
  const listed = rows.map(({ flag, text }) => `  ${flag.padEnd(width)}  ${text}`).join('\n');
  return `${description}\n\nUsage: ${name} [--flag value]…\n\n${listed}\n\nA flag goes before its variable. SIGTERM drains.\n`;
}

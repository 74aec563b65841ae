/** Runs a command line: errors in one line on standard error, exit codes by what went wrong. */
import { type Command, CommanderError } from 'commander';
import { errorCodes, exitCodeOf, PicketError } from '@picket/runtime/errors.ts';
import type { Host } from '@picket/runtime/host.ts';

/** @param args left out, those of the process */
export async function runCommandLine(
  program: Command,
  name: string,
  host: Host,
  args?: readonly string[],
): Promise<void> {
  overrideExit(program);
  try {
    await (args ? program.parseAsync(args, { from: 'user' }) : program.parseAsync());
  } catch (error) {
    if (error instanceof CommanderError) host.setExitCode(error.exitCode === 0 ? 0 : errorCodes.Usage.exitCode);
    else {
      host.err(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
      if (!(error instanceof PicketError) && error instanceof Error && error.stack) host.err(`${error.stack}\n`);
      host.setExitCode(exitCodeOf(error));
    }
  }
}

function overrideExit(command: Command): void {
  command.exitOverride();
  for (const inner of command.commands) overrideExit(inner);
}

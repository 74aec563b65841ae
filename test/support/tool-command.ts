/** The command lines of the project's own programs: `--help`, and a clear error with exit code 2 for a wrong call. */
import { Command, InvalidArgumentError } from 'commander';

/** @param name as a person types it, `npm run bench --` for instance */
export function toolCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .allowExcessArguments(false)
    .showHelpAfterError(`${name} --help lists the options`)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
}

/** Reads an option of commander that is a whole number of zero or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('Give a whole number.');
  return value;
}

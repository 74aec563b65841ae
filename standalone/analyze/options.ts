/** The flags of `picket analyze`, checked before anything is read. */
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type LevelName, levelNames } from './result.ts';

export interface AnalyzeOptions {
  /** Paths, globs, `-` for standard input; as given, not expanded. At least one. */
  files: string[];
  format?: string;
  manifests?: string;
  manifestsOut?: string;
  html?: string;
  /** `-` is standard output, in place of the terminal report. */
  json?: string;
  csv?: string;
  top: number;
  /** Unix ms, inclusive. */
  sinceMs?: number;
  /** Unix ms, exclusive. */
  untilMs?: number;
  api?: string;
  principal?: string;
  pseudonymise: boolean;
  failOn?: LevelName;
  /** Absent: as many as serve the machine. */
  workers?: number;
  progress: boolean;
}

const examples = `
Examples:
  picket analyze access.log
  picket analyze 'logs/access.log*' --html report.html
  zcat access.log.gz | picket analyze - --since 2026-03-01T12:00 --top 20
  picket analyze access.log --principal 203.0.113.7
  picket analyze access.log --json=report.json --csv tables --pseudonymise
  picket analyze access.log --manifests-out manifests
  picket analyze access.log --fail-on High

Plain, gzip and zstd files are read, and several are merged by time. The format is told from the content.
--json alone prints to standard output in place of this report; put it last, or write --json=FILE.

Exit codes: 0 it ran, 2 unusable input or options, 3 a principal reached the level of --fail-on.
`;

interface RawOptions extends Omit<AnalyzeOptions, 'files' | 'sinceMs' | 'untilMs' | 'json'> {
  json?: string | true;
  since?: number;
  until?: number;
  pseudonymize?: true;
}

/** The command with its help; `act` gets options that are complete and in range. */
export function defineAnalyze(act: (options: AnalyzeOptions) => Promise<void>): Command {
  const command = new Command('analyze')
    .description('Say from access logs who misuses an API, and how its operations do. Nothing is stored or sent.')
    .argument('[FILE...]', 'access logs: paths, globs, or - for standard input')
    .option('--format <name>', 'log format, or regex:<pattern with named groups>; default: told from the content')
    .option('--manifests <dir>', 'state APIs and policies with this YAML instead of inferring them')
    .option('--manifests-out <dir>', 'write starter YAML that picket up and Kubernetes accept')
    .option('--html <file>', 'write a self-contained page with charts')
    .option('--json [file]', 'write the result as JSON')
    .option('--csv <dir>', 'write operations.csv, verdicts.csv, findings.csv and series.csv')
    .option('--top <n>', 'rows per list on the terminal', wholeNumber(1, 100_000), 10)
    .option('--since <time>', 'leave out requests before this time (RFC 3339; UTC without a zone)', parseTime)
    .option('--until <time>', 'leave out requests from this time on', parseTime)
    .option('--api <name>', 'report on this API or host only')
    .option('--principal <value>', 'show one principal in full: its value, or the start of its pseudonym')
    .option('--pseudonymise', 'hide users, addresses and other values in every report', false)
    .addOption(new Option('--pseudonymize').implies({ pseudonymise: true }).hideHelp())
    .option(
      '--fail-on <level>',
      `exit with 3 when a principal reaches it: ${levelNames.slice(1).join(', ')}`,
      parseLevel,
    )
    .option('--workers <n>', 'worker threads', wholeNumber(0, 64))
    .option('--no-progress', 'show no progress on standard error')
    .addHelpText('after', examples)
    .action(async (files: string[], raw: RawOptions) => {
      const { since, until, json, pseudonymize: _, ...rest } = raw;
      if (since !== undefined && until !== undefined && since >= until)
        command.error('error: --since must be before --until', { exitCode: 2 });
      if (rest.manifests !== undefined && rest.manifestsOut !== undefined)
        command.error('error: --manifests-out writes what is inferred, and with --manifests nothing is', {
          exitCode: 2,
        });
      const settled = settleJson(files, json);
      if (settled.files.length === 0)
        command.error('error: name at least one access log, or - for standard input', { exitCode: 2 });
      await act({
        ...rest,
        ...settled,
        ...(since === undefined ? {} : { sinceMs: since }),
        ...(until === undefined ? {} : { untilMs: until }),
      });
    });
  command.exitOverride((error) => {
    throw Object.assign(error, { exitCode: error.exitCode === 0 ? 0 : 2 });
  });
  return command;
}

/**
 * `--json access.log` must not write over the log: the word after `--json` is an input when no other is named, or when
 * it exists and does not end in .json. Whatever else exists there and is not a report, `checkOutputs` refuses.
 */
function settleJson(files: string[], json: string | true | undefined): { files: string[]; json?: string } {
  if (json === undefined) return { files };
  if (json === true) return { files, json: '-' };
  const input = files.length === 0 || (!json.endsWith('.json') && json !== '-' && existsSync(json));
  return input ? { files: [json, ...files], json: '-' } : { files, json };
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (!/^\d+$/.test(text) || n < least || n > most)
      throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
    return n;
  };
}

/** A date, or a date and time with or without zone; UTC without. */
export function parseTime(text: string): number {
  const m = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(
    text.trim(),
  );
  const day = m?.[1] ?? '';
  const ms = m === null ? Number.NaN : Date.parse(`${day}T${m[2] ?? '00:00'}${m[3]?.toUpperCase() ?? 'Z'}`);
  if (Number.isNaN(ms) || new Date(`${day}T00:00Z`).toISOString().slice(0, 10) !== day)
    throw new InvalidArgumentError('Give a time as 2026-03-01T12:00:00Z or 2026-03-01.');
  return ms;
}

function parseLevel(text: string): LevelName {
  const level = levelNames.slice(1).find((l) => l.toLowerCase() === text.toLowerCase());
  if (level === undefined) throw new InvalidArgumentError(`Give one of ${levelNames.slice(1).join(', ')}.`);
  return level;
}

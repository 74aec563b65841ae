/** `picket analyze`: options in, engine run, reports out, exit code. The engine is the caller's. */
import type { Command } from 'commander';
import { onlyApi } from './filter.ts';
import { renderJson } from './json.ts';
import { type AnalyzeOptions, defineAnalyze } from './options.ts';
import { checkOutputs, writeReports } from './outputs.ts';
import { pseudonymise } from './pseudonymise.ts';
import { type AnalyzeResult, levelRank } from './result.ts';
import { renderTerminal } from './terminal/report.ts';
import { visible } from './text.ts';
import { UnusableInput } from './unusable-input.ts';

/** Exit codes of `picket analyze`. */
export const exitCodes = { ran: 0, unusable: 2, levelReached: 3 } as const;

export interface AnalyzeHost {
  /** Standard output; resolves when written, so that a long report is not cut by the exit. */
  print(text: string): Promise<void>;
  /** Standard error. */
  complain(text: string): void;
  /** Columns of the terminal; 80 where there is none. */
  columns: number;
  /** Standard output is a terminal and NO_COLOR is unset or empty. */
  colour: boolean;
  /** Calls `stop` on the first Ctrl-C; returns how to stop listening. The second one is the host's. */
  onInterrupt(stop: () => void): () => void;
  setExitCode(code: number): void;
}

/**
 * `run` reads and judges. When `stop` fires it returns the result so far with `interrupted` set. It throws
 * `UnusableInput` for input that nothing can be made of; anything else it throws is a bug and passes through.
 */
export type RunAnalyze = (options: AnalyzeOptions, stop: AbortSignal) => Promise<AnalyzeResult>;

export function analyzeCommand(run: RunAnalyze, host: AnalyzeHost): Command {
  return defineAnalyze(async (options) => {
    const stop = new AbortController();
    const release = host.onInterrupt(() => stop.abort());
    try {
      await checkOutputs(options);
      const result = chosenPart(await run(options, stop.signal), options);
      const shown = options.pseudonymise ? pseudonymise(result) : result;
      await writeReports(shown, options);
      const wanted =
        options.pseudonymise && options.principal !== undefined
          ? pseudonymOf(result, options.principal)
          : options.principal;
      await host.print(
        options.json === '-'
          ? renderJson(shown)
          : renderTerminal(shown, {
              columns: host.columns,
              colour: host.colour,
              top: options.top,
              principal: wanted,
            }),
      );
      host.setExitCode(exitCodeOf(result, options));
    } catch (error) {
      if (!(error instanceof UnusableInput)) throw error;
      host.complain(`picket analyze: ${visible(error.message)}\n`);
      host.setExitCode(exitCodes.unusable);
    } finally {
      release();
    }
  });
}

function chosenPart(result: AnalyzeResult, options: AnalyzeOptions): AnalyzeResult {
  if (options.api === undefined) return result;
  const part = onlyApi(result, options.api);
  if (part !== undefined) return part;
  const names = result.apis.slice(0, 10).map((a) => a.name);
  const known = names.length > 0 ? `; there are ${names.join(', ')}` : '';
  throw new UnusableInput(`No API is called ${options.api}${known}.`);
}

/** A value typed by the person at the keyboard still finds its principal when values are hidden. */
function pseudonymOf(result: AnalyzeResult, wanted: string): string {
  return result.verdicts.find((v) => v.principal.value === wanted)?.principal.pseudonym ?? wanted;
}

/** `levelReached` counts peaks: an attack that has faded by the end of the log was still one. */
export function exitCodeOf(result: AnalyzeResult, options: Pick<AnalyzeOptions, 'failOn'>): number {
  if (options.failOn === undefined) return exitCodes.ran;
  const bar = levelRank(options.failOn);
  return result.verdicts.some((v) => levelRank(v.level) >= bar) ? exitCodes.levelReached : exitCodes.ran;
}

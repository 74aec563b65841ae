/** The `picket` command. */
import { Command, CommanderError } from 'commander';
import { systemClock } from '@picket/runtime/clock.ts';
import { errorCodes, exitCodeOf, PicketError } from '@picket/runtime/errors.ts';
import { runAnalyze } from './analyze/run.ts';
import { analyzeCommand } from './analyze/command.ts';
import { envoyCommand } from './envoy/envoy.ts';
import { processHost } from '@picket/runtime/host.ts';
import { replayCommand } from './replay/replay.ts';
import { riskCommand } from './risk/risk.ts';
import { renderTable } from '@picket/kubectl-risk/table.ts';
import { defineUp } from './up/options.ts';
import { up } from './up/up.ts';

const host = processHost();

const program = new Command('picket')
  .description('API behaviour analytics: learns how each caller normally uses every API, and stops abuse at Envoy.')
  .version('0.1.0')
  .showSuggestionAfterError()
  .addHelpText('after', '\nStart with "picket analyze access.log", or with "picket up --help".\n');
program.addCommand(defineUp((options) => up(options, host)));
program.addCommand(riskCommand(host, systemClock));
program.addCommand(
  analyzeCommand((options, stop) => runAnalyze(options, stop, host), {
    print: (text) => host.out(text),
    complain: (text) => host.err(text),
    columns: host.columns,
    colour: host.colour,
    onInterrupt: (stop) => host.onStop(stop),
    setExitCode: (code) => host.setExitCode(code),
  }),
);
program.addCommand(replayCommand(host));
program.addCommand(envoyCommand(host));
program
  .command('exit-codes')
  .description('What exit codes mean')
  .action(async () => {
    const rows = [
      ['0', 'Success', 'It worked.'],
      ...Object.entries(errorCodes).map(([name, c]) => [String(c.exitCode), name, c.meaning]),
    ];
    await host.out(renderTable(['CODE', 'NAME', 'MEANING'], rows));
  });
for (const command of [program, ...program.commands, ...program.commands.flatMap((c) => c.commands)])
  command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) host.setExitCode(error.exitCode === 0 ? 0 : errorCodes.Usage.exitCode);
  else {
    host.err(`picket: ${error instanceof Error ? error.message : String(error)}\n`);
    if (!(error instanceof PicketError) && error instanceof Error && error.stack) host.err(`${error.stack}\n`);
    host.setExitCode(exitCodeOf(error));
  }
}

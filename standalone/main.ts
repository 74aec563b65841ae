/** The `picket` command. */
import { Command } from 'commander';
import { runCommandLine } from '@picket/kubectl-risk/run-command-line.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { errorCodes } from '@picket/runtime/errors.ts';
import { runAnalyze } from './analyze/run.ts';
import { analyzeCommand } from './analyze/command.ts';
import { envoyCommand } from './envoy/envoy.ts';
import { processHost } from '@picket/runtime/host.ts';
import { keysCommand } from './keys/keys.ts';
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
program.addCommand(keysCommand(host, systemClock));
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
await runCommandLine(program, 'picket', host);

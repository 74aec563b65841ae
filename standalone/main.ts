/** The `picket` command. */
import { Command } from 'commander';
import { runCommandLine } from '@picket/kubectl-risk/run-command-line.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { errorCodes } from '@picket/runtime/errors.ts';
import { processHost } from '@picket/runtime/host.ts';
import { renderTable } from '@picket/kubectl-risk/table.ts';

const host = processHost();

const program = new Command('picket')
  .description('API behaviour analytics: learns how each caller normally uses every API, and stops abuse at Envoy.')
  .version('0.1.0')
  .showSuggestionAfterError()
  .addHelpText('after', '\nStart with "picket analyze access.log", or with "picket up --help".\n');
/** In the order of the help. Each with what it needs: most of the time to start is the loading of modules. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  async up() {
    const { defineUp } = await import('./up/options.ts');
    return defineUp(async (options) => (await import('./up/up.ts')).up(options, host));
  },
  risk: async () => (await import('./risk/risk.ts')).riskCommand(host, systemClock),
  async analyze() {
    const [{ analyzeCommand }, { runAnalyze }] = await Promise.all([
      import('./analyze/command.ts'),
      import('./analyze/run.ts'),
    ]);
    return analyzeCommand((options, stop) => runAnalyze(options, stop, host), {
      print: (text) => host.out(text),
      complain: (text) => host.err(text),
      columns: host.columns,
      colour: host.colour,
      onInterrupt: (stop) => host.onStop(stop),
      setExitCode: (code) => host.setExitCode(code),
    });
  },
  replay: async () => (await import('./replay/replay.ts')).replayCommand(host),
  keys: async () => (await import('./keys/keys.ts')).keysCommand(host, systemClock),
  envoy: async () => (await import('./envoy/envoy.ts')).envoyCommand(host),
};
const asked = process.argv[2] ?? '';
for (const [name, load] of Object.entries(commands))
  if (name === asked || !Object.hasOwn(commands, asked)) program.addCommand(await load());
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

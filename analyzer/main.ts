/** The process `picket-analyzer`: takes access logs, judges callers, writes verdicts to Kubernetes and NATS. */
import { processHost } from '@picket/runtime/host.ts';
import { runProgram } from '@picket/runtime/program.ts';
import { analyzerSettings } from './config.ts';
import { runAnalyzer } from './process.ts';

await runProgram(
  {
    name: 'picket-analyzer',
    version: '0.1.0',
    description: 'Takes access logs of Envoys, learns what is usual, and says who does not behave so.',
    settings: analyzerSettings,
    run: runAnalyzer,
  },
  processHost(),
  process.argv.slice(2),
);

/** The process `picket-operator`: reconciles objects of a Kubernetes API server and serves filters to Envoys. */
import { processHost } from '@picket/runtime/host.ts';
import { runProgram } from '@picket/runtime/program.ts';
import { operatorSettings } from './config.ts';
import { runOperator } from './process.ts';

await runProgram(
  {
    name: 'picket-operator',
    version: '0.1.0',
    description: 'Validates and compiles the objects of picket.dev, serves what Envoy enforces, and writes status.',
    settings: operatorSettings,
    run: runOperator,
  },
  processHost(),
  process.argv.slice(2),
);

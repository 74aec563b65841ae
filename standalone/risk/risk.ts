/** `picket risk`: the risks that a running Picket knows. */
import { Command } from 'commander';
import { outputOption } from '@picket/kubectl-risk/output.ts';
import { addReadCommands } from '@picket/kubectl-risk/read.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Host } from '@picket/runtime/host.ts';
import { adminSource } from './admin-client.ts';

export function riskCommand(host: Host, clock: Clock): Command {
  const risk = new Command('risk')
    .description('Read and review the risks that a running Picket knows.')
    .option('--admin <url>', 'admin port of the running Picket', 'http://127.0.0.1:18092')
    .addOption(outputOption())
    .option('-n, --namespace <name>', 'only this namespace')
    .configureHelp({ showGlobalOptions: true });
  addReadCommands(risk, {
    host,
    clock,
    name: 'picket risk',
    firstStep: 'Put one into the manifests folder.',
    open: async ({ admin, namespace }) => adminSource(admin as string, namespace as string | undefined),
  });
  return risk;
}

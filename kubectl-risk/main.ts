/** The `kubectl risk` plugin: kubectl runs the program `kubectl-risk` that it finds in PATH. */
import { systemClock } from '@picket/runtime/clock.ts';
import { processHost } from '@picket/runtime/host.ts';
import { kubectlRisk } from './program.ts';
import { runCommandLine } from './run-command-line.ts';

const host = processHost();
await runCommandLine(kubectlRisk(host, systemClock), 'kubectl risk', host);

/** The commands of `kubectl risk`. */
import { Command } from 'commander';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Host } from '@picket/runtime/host.ts';
import {
  type Cluster,
  type ClusterFlags,
  clusterOptions,
  contextNames,
  namespaceNames,
  openCluster,
} from './cluster.ts';
import { type Candidate, complete, type Names, renderCandidates } from './complete.ts';
import { addDoctorCommand } from './doctor/doctor.ts';
import { addExemptCommand } from './exempt.ts';
import { addModeCommands } from './mode.ts';
import { outputOption } from './output.ts';
import { addReadCommands } from './read.ts';

const examples = `
Examples:
  kubectl risk status -A                 every API: risk, traffic, what is enforced
  kubectl risk top -n shop               who stands out
  kubectl risk explain payments-user-7f  why, and what would make it benign
  kubectl risk review payments-user-7f --false-positive --note "support tool"
  kubectl risk doctor                    what is missing, and how to mend it
`;

export function kubectlRisk(host: Host, clock: Clock): Command {
  const program = clusterOptions(new Command('kubectl risk'))
    .description('Read, explain and review the risks that Picket sees in a cluster.')
    .addOption(outputOption())
    .version('0.1.0')
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', examples);
  const withCluster = async (flags: ClusterFlags, act: (cluster: Cluster) => Promise<void>): Promise<void> => {
    const cluster = openCluster(flags, host, clock);
    try {
      await act(cluster);
    } finally {
      await cluster.close();
    }
  };
  addReadCommands(program, {
    host,
    clock,
    name: 'kubectl risk',
    firstStep: 'Apply one, or name its namespace with -n or -A.',
    open: async (flags) => openCluster(flags, host, clock),
  });
  addModeCommands(program, host, withCluster);
  addExemptCommand(program, host, clock, withCluster);
  addDoctorCommand(program, host, clock, withCluster);
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      const flags = flagsIn(words);
      await host.out(renderCandidates(await complete(program, words, namesOf(flags, withCluster))));
    });
  return program;
}

/** The flags among words that are still being typed; none where they do not fit together yet. */
function flagsIn(words: readonly string[]): ClusterFlags {
  const parser = clusterOptions(new Command())
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  try {
    return parser.parse(words.slice(0, -1), { from: 'user' }).opts<ClusterFlags>();
  } catch {
    return {};
  }
}

function namesOf(
  flags: ClusterFlags,
  withCluster: (flags: ClusterFlags, act: (cluster: Cluster) => Promise<void>) => Promise<void>,
): Names {
  /** Nobody reads an error in the middle of a command line: what cannot be known is not offered. */
  const ask = async (question: (cluster: Cluster) => Promise<Candidate[]>): Promise<Candidate[]> => {
    let found: Candidate[] = [];
    try {
      await withCluster(flags, async (cluster) => {
        found = await question(cluster);
      });
    } catch {
      return [];
    }
    return found;
  };
  return {
    verdicts: () =>
      ask(async (cluster) =>
        (await cluster.list('RiskVerdict')).map(({ metadata, status }) => ({
          value: metadata.name,
          about: `${status?.level ?? 'None'} ${status?.score ?? 0} ${status?.columns?.principal ?? ''}`.trim(),
        })),
      ),
    policies: () =>
      ask(async (cluster) =>
        (await cluster.list('BehaviorPolicy')).map(({ metadata, spec }) => ({
          value: metadata.name,
          about: spec.mode,
        })),
      ),
    apis: () =>
      ask(async (cluster) => (await cluster.list('ProtectedAPI')).map(({ metadata }) => ({ value: metadata.name }))),
    namespaces: () => ask(async (cluster) => (await namespaceNames(cluster)).map((value) => ({ value }))),
    contexts: async () => contextNames(flags).map((value) => ({ value })),
  };
}

/** `enforce` and `observe`: how much of a policy is real. */
import type { Command } from 'commander';
import type { BehaviorPolicy } from '@picket/crds/gen/types.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { Host } from '@picket/runtime/host.ts';
import type { Cluster, ClusterFlags } from './cluster.ts';
import { type OutputFormat, printObjects } from './output.ts';

type Mode = BehaviorPolicy['spec']['mode'];

export function addModeCommands(
  risk: Command,
  host: Host,
  withCluster: (flags: ClusterFlags, act: (cluster: Cluster) => Promise<void>) => Promise<void>,
): void {
  const add = (name: string, mode: Mode, description: string): void => {
    risk
      .command(name)
      .description(description)
      .argument('<policy>', 'name of the BehaviorPolicy')
      .action(async (policyName: string, _, command: Command) => {
        const flags = command.optsWithGlobals<ClusterFlags & { output?: OutputFormat }>();
        await withCluster(flags, async (cluster) => {
          const policy = await findPolicy(cluster, policyName);
          const { apiVersion, kind, metadata, spec } = policy;
          const changed =
            spec.mode === mode
              ? policy
              : ((await cluster.apply({
                  apiVersion,
                  kind,
                  metadata: { name: metadata.name, namespace: metadata.namespace },
                  spec: { mode },
                })) as unknown as BehaviorPolicy);
          await printObjects(host, flags.output, [changed], () => whatHappens(policy, mode));
          const keeper = keeperOf(policy);
          if (keeper && spec.mode !== mode)
            host.err(`${keeper} keeps this policy: change spec.mode in Git too, or it will be set back\n`);
        });
      });
  };
  add('enforce', 'Enforce', 'Let Envoys carry out what a policy decides');
  add('observe', 'Observe', 'Let a policy only watch; what is in force is lifted');
}

/** @throws PicketError NotFound when there is none, or one in several namespaces */
async function findPolicy(cluster: Cluster, name: string): Promise<BehaviorPolicy> {
  const policies = await cluster.list('BehaviorPolicy');
  const found = policies.filter(({ metadata }) => metadata.name === name);
  const [policy] = found;
  if (policy && found.length === 1) return policy;
  const where = cluster.allNamespaces ? 'any namespace' : `namespace ${cluster.namespace}`;
  const known = policies.map(({ metadata }) => metadata.name).join(', ') || 'none';
  throw new PicketError(
    'NotFound',
    policy
      ? `policy ${name} is in ${found.map((p) => p.metadata.namespace).join(', ')}: name one with -n`
      : `no BehaviorPolicy ${name} in ${where}; there is ${known}`,
  );
}

function whatHappens({ metadata, spec, status }: BehaviorPolicy, mode: Mode): string {
  const name = `${metadata.namespace}/${metadata.name}`;
  if (spec.mode === mode) return `${name} is in mode ${mode} already\n`;
  const lines = [`${name}: ${spec.mode} → ${mode}`];
  const { wouldAct = 0, acting = 0 } = status?.activity ?? {};
  if (mode === 'Enforce' && wouldAct > 0) lines.push(`  ${decisions(wouldAct)} that it only told of will be in force`);
  if (mode === 'Observe' && acting > 0) lines.push(`  ${decisions(acting)} in force will be lifted`);
  const refused = status?.conditions?.find(({ type, status: state }) => type === 'Accepted' && state === 'False');
  if (refused) lines.push(`  but it is not accepted: ${refused.message}`);
  return `${lines.join('\n')}\n`;
}

function decisions(count: number): string {
  return count === 1 ? '1 decision' : `${count} decisions`;
}

/** Who would put a changed object back, by the marks that such tools leave. */
function keeperOf({ metadata: { labels = {}, annotations = {} } }: BehaviorPolicy): string | undefined {
  if (labels['kustomize.toolkit.fluxcd.io/name'] || labels['helm.toolkit.fluxcd.io/name']) return 'Flux';
  if (annotations['argocd.argoproj.io/tracking-id'] || labels['argocd.argoproj.io/instance']) return 'Argo CD';
  if (labels['app.kubernetes.io/managed-by'] === 'Helm') return 'Helm';
  return undefined;
}

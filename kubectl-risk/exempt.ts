/** `exempt`: somebody who is never acted on, until a day. */
import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import type { PolicyExemption, PolicyExemptionSpec } from '@picket/crds/gen/types.ts';
import { API_VERSION } from '@picket/crds/schema/kind.ts';
import { formatFieldError, validateObject } from '@picket/crds/validate.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import { parseDurationMs } from '@picket/runtime/config.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { Host } from '@picket/runtime/host.ts';
import type { ApplyObject } from '@picket/runtime/objects/object-store.ts';
import type { Cluster, ClusterFlags } from './cluster.ts';
import { type OutputFormat, printObjects } from './output.ts';

type Subject = PolicyExemptionSpec['subjects'][number];

interface ExemptFlags extends ClusterFlags {
  cidr: string[];
  workload: string[];
  principal: string[];
  api: string[];
  reason: string;
  owner?: string;
  for: string;
  dryRun?: true;
  output?: OutputFormat;
}

const collect = (value: string, all: string[]): string[] => [...all, value];

export function addExemptCommand(
  risk: Command,
  host: Host,
  clock: Clock,
  withCluster: (flags: ClusterFlags, act: (cluster: Cluster) => Promise<void>) => Promise<void>,
): void {
  risk
    .command('exempt')
    .description('Say who is never acted on, why, and until when')
    .argument('<name>', 'name of the PolicyExemption')
    .option('--cidr <network>', 'addresses, for example 192.0.2.0/24; repeatable', collect, [])
    .option('--workload <id>', 'SPIFFE id of a workload; repeatable', collect, [])
    .option('--principal <kind=value>', 'a principal, for example App=synthetic-monitor; repeatable', collect, [])
    .option('--api <name>', 'only for this API; repeatable', collect, [])
    .requiredOption('--reason <text>', 'why')
    .option('--owner <who>', 'who answers for it; default: you')
    .addOption(new Option('--for <duration>', 'how long, at most a year: 30d, 12h').default('30d'))
    .option('--dry-run', 'print the object, for Git, and change nothing')
    .action(async (name: string, _, command: Command) => {
      const flags = command.optsWithGlobals<ExemptFlags>();
      await withCluster(flags, async (cluster) => {
        const owner = flags.owner ?? (await cluster.whoAmI());
        if (!owner) throw new PicketError('Usage', 'say who answers for the exemption with --owner');
        const object = buildExemption(name, cluster.namespace, owner, flags, clock.now());
        if (flags.dryRun) return host.out(stringify(object, { version: '1.1' }));
        const made = await cluster.apply(object);
        await printObjects(host, flags.output, [made], () => {
          const { expiresAt } = (made as unknown as PolicyExemption).spec;
          return `${made.metadata.namespace}/${made.metadata.name} is in force until ${expiresAt}\n`;
        });
      });
    });
}

/** @throws PicketError Usage, or InvalidObject with every problem */
export function buildExemption(
  name: string,
  namespace: string,
  owner: string,
  flags: Pick<ExemptFlags, 'cidr' | 'workload' | 'principal' | 'api' | 'reason' | 'for'>,
  now: number,
): ApplyObject & { spec: PolicyExemptionSpec } {
  const subjects: Subject[] = [
    ...flags.cidr.map((cidr) => ({ cidr })),
    ...flags.workload.map((workload) => ({ workload })),
    ...flags.principal.map(principalSubject),
  ];
  if (subjects.length === 0)
    throw new PicketError('Usage', 'say who is exempted with --cidr, --workload or --principal');
  const object = {
    apiVersion: API_VERSION,
    kind: 'PolicyExemption',
    metadata: { name, namespace },
    spec: {
      subjects,
      ...(flags.api.length > 0 ? { apis: flags.api.map((api) => ({ name: api })) } : {}),
      reason: flags.reason,
      owner,
      grantedAt: instant(now),
      expiresAt: instant(now + durationOf(flags.for)),
    },
  };
  const { errors } = validateObject(object.kind, object);
  if (errors.length > 0) throw new PicketError('InvalidObject', errors.map(formatFieldError).join('\n'));
  return object;
}

function principalSubject(text: string): Subject {
  const at = text.indexOf('=');
  if (at < 1)
    throw new PicketError('Usage', `--principal "${text}": write Kind=value, for example App=synthetic-monitor`);
  const kind = text.slice(0, at) as NonNullable<Subject['principal']>['kind'];
  return { principal: { kind, value: text.slice(at + 1) } };
}

function durationOf(text: string): number {
  try {
    return parseDurationMs(text);
  } catch (error) {
    throw new PicketError('Usage', `--for "${text}": ${(error as Error).message}`, { cause: error });
  }
}

/** To the second, as people write it. */
function instant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

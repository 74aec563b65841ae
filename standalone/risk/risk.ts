/** `picket risk`: the risks a running Picket knows, as tables or objects. */
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import type { BehaviorPolicy, ProtectedAPI, RiskVerdict } from '@picket/crds/gen/types.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { Host } from '../host.ts';
import { paintFor } from '../paint.ts';
import { adminClient } from './admin-client.ts';
import { explainVerdict } from './explain.ts';
import { ageText, renderTable, untilText } from './table.ts';

interface Common {
  admin: string;
  output?: 'json' | 'yaml';
  namespace?: string;
}

export function riskCommand(host: Host, clock: Clock): Command {
  const risk = new Command('risk').description('Read and review the risks that a running Picket knows.');
  const sub = (name: string, description: string): Command =>
    risk
      .command(name)
      .description(description)
      .option('--admin <url>', 'admin port of the running Picket', 'http://127.0.0.1:18092')
      .addOption(new Option('-o, --output <format>', 'print objects').choices(['json', 'yaml']))
      .option('-n, --namespace <name>', 'only this namespace');

  const print = async (options: Common, objects: unknown[], table: () => string): Promise<void> => {
    if (options.output === 'json') await host.out(`${JSON.stringify(list(objects), null, 2)}\n`);
    else if (options.output === 'yaml') await host.out(stringify(list(objects)));
    else await host.out(table());
  };

  sub('status', 'APIs and policies: risk, traffic, what is enforced').action(async (options: Common) => {
    const client = adminClient(options.admin);
    const apis = within(await client.list<ProtectedAPI>('ProtectedAPI'), options);
    const policies = within(await client.list<BehaviorPolicy>('BehaviorPolicy'), options);
    await print(options, [...apis, ...policies], () => {
      const now = clock.now();
      const apiTable = renderTable(
        ['NAME', 'RISK', 'LEVEL', 'ENFORCING', 'OPS', 'RPS', 'ERR%', 'P99', 'COMPLETE', 'AGE'],
        apis.map(({ metadata, status }) => [
          metadata.name,
          String(status?.risk?.score ?? 0),
          status?.risk?.level ?? 'None',
          String(status?.enforcement?.active ?? 0),
          String(status?.operations?.known ?? 0),
          String(status?.traffic?.requestsPerSecond ?? 0),
          status?.columns?.errors ?? '-',
          status?.columns?.p99 ?? '-',
          status?.columns?.complete ?? 'Unknown',
          ageText(metadata.creationTimestamp, now),
        ]),
      );
      const condition = (policy: BehaviorPolicy, type: string): string =>
        policy.status?.conditions?.find((c) => c.type === type)?.status ?? 'Unknown';
      const policyTable = renderTable(
        ['POLICY', 'MODE', 'TARGETS', 'ACCEPTED', 'PROGRAMMED', 'WOULD-ACT', 'ACTING'],
        policies.map((p) => [
          p.metadata.name,
          p.spec.mode,
          String(p.status?.attachedTargets ?? 0),
          condition(p, 'Accepted'),
          condition(p, 'Programmed'),
          String(p.status?.activity?.wouldAct ?? 0),
          String(p.status?.activity?.acting ?? 0),
        ]),
      );
      if (apis.length === 0) return 'No ProtectedAPI is known. Put one into the manifests folder.\n';
      return policies.length === 0
        ? `${apiTable}\nNo BehaviorPolicy: nothing is enforced.\n`
        : `${apiTable}\n${policyTable}`;
    });
  });

  sub('top', 'Principals and campaigns by score')
    .option('--api <name>', 'only this API')
    .action(async (options: Common & { api?: string }) => {
      const verdicts = within(await adminClient(options.admin).list<RiskVerdict>('RiskVerdict'), options)
        .filter((v) => options.api === undefined || v.spec.apiRef.name === options.api)
        .sort((a, b) => (b.status?.score ?? 0) - (a.status?.score ?? 0));
      await print(options, verdicts, () =>
        verdicts.length === 0
          ? 'No verdicts: nobody stands out.\n'
          : renderTable(
              ['NAME', 'API', 'PRINCIPAL', 'LEVEL', 'SCORE', 'ACTION', 'WHY', 'EXPIRES'],
              verdicts.map(({ metadata, spec, status }) => [
                metadata.name,
                spec.apiRef.name,
                status?.columns?.principal ?? `${spec.principal.kind}/${spec.principal.pseudonym.slice(0, 8)}`,
                status?.level ?? 'None',
                String(Math.round(status?.score ?? 0)),
                status?.decision?.action ?? whyNot(status),
                status?.columns?.why ?? '-',
                untilText(status?.decision?.expiresAt ?? status?.expiresAt, clock.now()),
              ]),
            ),
      );
    });

  sub('explain', 'One verdict: what was seen, what was expected, what is done about it')
    .argument('<name>', 'name of the verdict, or the start of it')
    .action(async (name: string, options: Common) => {
      const verdict = await find(options, name);
      await print(options, [verdict], () => explainVerdict(verdict, clock.now(), paintFor(host)));
    });

  sub('review', 'Say what a verdict really was; benign ones lift the decision at once')
    .argument('<name>', 'name of the verdict, or the start of it')
    .option('--false-positive', 'the evidence misled: this was ordinary use')
    .option('--benign', 'the evidence is right, but the cause is harmless (a test, a partner)')
    .option('--true-positive', 'it was abuse')
    .option('--by <who>', 'who says so')
    .option('--note <text>', 'why')
    .action(
      async (
        name: string,
        options: Common & { falsePositive?: true; benign?: true; truePositive?: true; by?: string; note?: string },
      ) => {
        const chosen = [
          ...(options.falsePositive ? ['FalsePositive'] : []),
          ...(options.benign ? ['BenignTrigger'] : []),
          ...(options.truePositive ? ['TruePositive'] : []),
        ];
        const [disposition] = chosen;
        if (!disposition || chosen.length > 1)
          throw new PicketError('Usage', 'give exactly one of --false-positive, --benign and --true-positive');
        const verdict = await find(options, name);
        const reviewed = await adminClient(options.admin).review(
          verdict.metadata.namespace ?? 'default',
          verdict.metadata.name,
          {
            disposition,
            ...(options.by ? { by: options.by } : {}),
            ...(options.note ? { note: options.note } : {}),
          },
        );
        await print(options, [reviewed], () => `${verdict.metadata.name} reviewed as ${disposition}\n`);
      },
    );

  const find = async (options: Common, name: string): Promise<RiskVerdict> => {
    const verdicts = within(await adminClient(options.admin).list<RiskVerdict>('RiskVerdict'), options);
    const exact = verdicts.find((v) => v.metadata.name === name);
    if (exact) return exact;
    const matches = verdicts.filter((v) => v.metadata.name.startsWith(name));
    if (matches.length === 1) return matches[0] as RiskVerdict;
    throw new PicketError(
      'NotFound',
      matches.length === 0
        ? `no verdict is called ${name}; see "picket risk top"`
        : `${name} fits ${matches.length} verdicts: ${matches.map((v) => v.metadata.name).join(', ')}`,
    );
  };
  return risk;
}

function within<T extends { metadata: { namespace?: string } }>(objects: T[], options: Common): T[] {
  return objects.filter((o) => options.namespace === undefined || o.metadata.namespace === options.namespace);
}

function list(objects: unknown[]): unknown {
  return objects.length === 1 ? objects[0] : { apiVersion: 'v1', kind: 'List', items: objects };
}

/** Nothing is done: the reason, where there is one. */
function whyNot(status: RiskVerdict['status']): string {
  const reason = status?.enforceable?.ok === false ? status.enforceable.reason : undefined;
  return reason ? `- (${reason})` : '-';
}

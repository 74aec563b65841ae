/** `status`, `top`, `explain` and `review`: what `picket risk` and `kubectl risk` share. */
import type { Command } from 'commander';
import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { Host } from '@picket/runtime/host.ts';
import { explainVerdict } from './explain.ts';
import { objectTable, type OutputFormat, printObjects } from './output.ts';
import { paintFor } from './paint.ts';
import type { Review, RiskSource } from './source.ts';
import { apiColumns, policyColumns, verdictColumns } from './tables.ts';

/** The command that carries the shared ones, and what differs between its two forms. */
export interface RiskFront {
  host: Host;
  clock: Clock;
  /** As a person types it: `picket risk`. */
  name: string;
  /** What to do while there is no ProtectedAPI. */
  firstStep: string;
  /** @param options those of the command and of its parents */
  open(options: Record<string, unknown>): Promise<RiskSource>;
}

interface Common extends Record<string, unknown> {
  output?: OutputFormat;
}

export function addReadCommands(risk: Command, front: RiskFront): void {
  const { host, clock } = front;

  risk
    .command('status')
    .description('APIs and policies: risk, traffic, what is enforced')
    .action(async (_, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const source = await front.open(options);
      const [apis, policies] = await Promise.all([source.list('ProtectedAPI'), source.list('BehaviorPolicy')]);
      await printObjects(host, options.output, [...apis, ...policies], () => {
        if (apis.length === 0) return `No ProtectedAPI is known. ${front.firstStep}\n`;
        const now = clock.now();
        const shape = { wide: options.output === 'wide', allNamespaces: source.allNamespaces };
        const policyTable =
          policies.length === 0
            ? 'No BehaviorPolicy: nothing is enforced.\n'
            : objectTable(policyColumns(now), policies, shape);
        return `${objectTable(apiColumns(now), apis, shape)}\n${policyTable}`;
      });
    });

  risk
    .command('top')
    .description('Principals and campaigns by score')
    .option('--api <name>', 'only this API')
    .action(async (_, command: Command) => {
      const options = command.optsWithGlobals<Common & { api?: string }>();
      const source = await front.open(options);
      const verdicts = (await source.list('RiskVerdict'))
        .filter((v) => options.api === undefined || v.spec.apiRef.name === options.api)
        .sort((a, b) => (b.status?.score ?? 0) - (a.status?.score ?? 0));
      await printObjects(host, options.output, verdicts, () =>
        verdicts.length === 0
          ? 'No verdicts: nobody stands out.\n'
          : objectTable(verdictColumns(clock.now()), verdicts, {
              wide: options.output === 'wide',
              allNamespaces: source.allNamespaces,
            }),
      );
    });

  risk
    .command('explain')
    .description('One verdict: what was seen, what was expected, what is done about it')
    .argument('<name>', 'name of the verdict, or the start of it')
    .action(async (name: string, _, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const verdict = await findVerdict(await front.open(options), name, front.name);
      await printObjects(host, options.output, [verdict], () =>
        explainVerdict(verdict, clock.now(), paintFor(host.colour)),
      );
    });

  risk
    .command('review')
    .description('Say what a verdict really was; benign ones lift the decision at once')
    .argument('<name>', 'name of the verdict, or the start of it')
    .option('--false-positive', 'the evidence misled: this was ordinary use')
    .option('--benign', 'the evidence is right, but the cause is harmless (a test, a partner)')
    .option('--true-positive', 'it was abuse')
    .option('--by <who>', 'who says so')
    .option('--note <text>', 'why')
    .action(async (name: string, _, command: Command) => {
      const options = command.optsWithGlobals<Common & ReviewFlags>();
      const disposition = dispositionOf(options);
      const source = await front.open(options);
      const verdict = await findVerdict(source, name, front.name);
      const by = options.by ?? (await source.whoAmI?.());
      const reviewed = await source.review(verdict, {
        disposition,
        ...(by ? { by } : {}),
        ...(options.note ? { note: options.note } : {}),
      });
      await printObjects(
        host,
        options.output,
        [reviewed],
        () => `${verdict.metadata.name} reviewed as ${disposition}\n`,
      );
    });
}

interface ReviewFlags {
  falsePositive?: true;
  benign?: true;
  truePositive?: true;
  by?: string;
  note?: string;
}

/** @throws PicketError Usage */
function dispositionOf(flags: ReviewFlags): Review['disposition'] {
  const chosen: Review['disposition'][] = [
    ...(flags.falsePositive ? (['FalsePositive'] as const) : []),
    ...(flags.benign ? (['BenignTrigger'] as const) : []),
    ...(flags.truePositive ? (['TruePositive'] as const) : []),
  ];
  const [disposition] = chosen;
  if (!disposition || chosen.length > 1)
    throw new PicketError('Usage', 'give exactly one of --false-positive, --benign and --true-positive');
  return disposition;
}

/** @throws PicketError NotFound when the name fits none or several */
async function findVerdict(source: RiskSource, name: string, front: string): Promise<RiskVerdict> {
  const verdicts = await source.list('RiskVerdict');
  const exact = verdicts.filter((v) => v.metadata.name === name);
  const matches = exact.length > 0 ? exact : verdicts.filter((v) => v.metadata.name.startsWith(name));
  const [match] = matches;
  if (match && matches.length === 1) return match;
  throw new PicketError(
    'NotFound',
    matches.length === 0
      ? `no verdict is called ${name}; see "${front} top"`
      : `${name} fits ${matches.length} verdicts: ${matches.map((v) => `${v.metadata.namespace}/${v.metadata.name}`).join(', ')}; say more of the name, or the namespace with -n`,
  );
}

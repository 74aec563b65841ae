/** `doctor`: is everything there and working, and if not, what to do. */
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Clock } from '@picket/runtime/clock.ts';
import { errorCodes } from '@picket/runtime/errors.ts';
import type { Host } from '@picket/runtime/host.ts';
import type { Cluster, ClusterFlags } from '../cluster.ts';
import type { OutputFormat } from '../output.ts';
import { type Paint, paintFor } from '../paint.ts';
import { type Check, diagnose, type Result } from './diagnose.ts';
import { gatherFacts } from './gather.ts';

export function addDoctorCommand(
  risk: Command,
  host: Host,
  clock: Clock,
  withCluster: (flags: ClusterFlags, act: (cluster: Cluster) => Promise<void>) => Promise<void>,
): void {
  risk
    .command('doctor')
    .description('Check kinds, rights, operator, analyzer, feeds and Envoys, and say what to fix')
    .addHelpText(
      'after',
      `\nLooks at every namespace unless -n names one. Exit code ${errorCodes.Unhealthy.exitCode}: something must be fixed.\n`,
    )
    .action(async (_, command: Command) => {
      const flags = command.optsWithGlobals<ClusterFlags & { output?: OutputFormat }>();
      await withCluster(flags, async (cluster) => {
        const checks = diagnose(await gatherFacts(cluster, flags.namespace, clock.now()));
        const answer = { healthy: !checks.some(({ result }) => result === 'failure'), checks };
        if (flags.output === 'json') await host.out(`${JSON.stringify(answer, null, 2)}\n`);
        else if (flags.output === 'yaml') await host.out(stringify(answer));
        else await host.out(renderChecks(checks, paintFor(host.colour)));
        if (!answer.healthy) host.setExitCode(errorCodes.Unhealthy.exitCode);
      });
    });
}

const marks: Record<Result, string> = { ok: '✓', warning: '!', failure: '✗', skipped: '?' };

export function renderChecks(checks: readonly Check[], paint: Paint): string {
  const painted: Record<Result, (text: string) => string> = {
    ok: paint.ok,
    warning: paint.warn,
    failure: paint.fail,
    skipped: paint.dim,
  };
  const lines: string[] = [];
  let area = '';
  for (const check of checks) {
    if (check.area !== area) {
      if (area !== '') lines.push('');
      area = check.area;
      lines.push(paint.bold(area));
    }
    lines.push(`  ${painted[check.result](marks[check.result])} ${check.message}`);
    if (check.fix) lines.push(`      ${paint.dim(`fix: ${check.fix}`)}`);
  }
  const count = (result: Result): number => checks.filter((check) => check.result === result).length;
  const summary = [
    count('failure') > 0 ? `${count('failure')} to fix` : 'nothing to fix',
    ...(count('warning') > 0 ? [`${count('warning')} to look at`] : []),
    ...(count('skipped') > 0 ? [`${count('skipped')} not looked at`] : []),
  ];
  return `${lines.join('\n')}\n\n${summary.join(', ')}\n`;
}

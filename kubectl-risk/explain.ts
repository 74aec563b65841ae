/** One verdict in words. */
import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import type { Paint } from './paint.ts';
import { untilText } from './table.ts';

export function explainVerdict(verdict: RiskVerdict, now: number, paint: Paint): string {
  const { metadata, spec, status = {} } = verdict;
  const level = status.level ?? 'None';
  const lines = [
    `${paint.bold(metadata.name)}  ${paint.level(level, `${level} ${(status.score ?? 0).toFixed(0)}`)}`,
    `${spec.principal.kind} ${spec.principal.pseudonym} on API ${spec.apiRef.name}`,
    `first evidence ${status.firstSeen ?? '-'}, last ${status.lastSeen ?? '-'}${requestsText(verdict)}`,
    `confidence ${Math.round((status.confidence ?? 0) * 100)} %: how much the baselines can carry`,
    '',
    paint.bold('Why'),
    ...(status.findings ?? []).flatMap((f) => [
      `  ${f.detector}: ${f.observed} ${f.unit ?? ''}, expected ${f.expected}`,
      paint.dim(
        `    p = ${f.pValue.toExponential(1)}, since ${f.since}, baseline ${f.baseline?.prior ? 'mostly a prior' : `of ${f.baseline?.n} samples`}, ` +
          `${f.baseline?.age ?? '0m'} old, ${[...(f.owasp ?? []), ...(f.oat ?? [])].join(' ')}`,
      ),
    ]),
    '',
    paint.bold('Score'),
    ...(status.contributions ?? []).map(
      (c) => `  ${c.points >= 0 ? '+' : ''}${c.points.toFixed(1).padStart(5)}  ${c.source}`,
    ),
    // A whole number, as the object has it; its parts are not rounded so far.
    `  = ${(status.score ?? 0).toFixed(0).padStart(2)}`,
  ];
  if (status.campaign) {
    const { traits = [], precision = 0, addresses = 0, accounts = 0 } = status.campaign;
    lines.push(
      '',
      paint.bold('Campaign'),
      `  traits ${traits.map((t) => `${t.trait}=${t.value.slice(0, 8)}`).join(' and ')}`,
      `  ${Math.round(precision * 100)} % of what carries them is attack; ${addresses} addresses, ${accounts} accounts`,
    );
  }
  lines.push('', paint.bold('What is done'));
  if (status.decision) {
    const d = status.decision;
    lines.push(
      `  ${d.action} (${d.mode}) by policy ${d.policyRef?.name ?? '-'}, ${d.id ?? ''}, for another ${untilText(d.expiresAt, now)}`,
      `  in force on ${status.enforcement?.programmedEnvoys ?? 0} of ${status.enforcement?.totalEnvoys ?? 0} Envoys` +
        (status.enforcement?.programmedAt ? ` since ${status.enforcement.programmedAt}` : ''),
    );
  } else
    lines.push(
      `  nothing${status.enforceable?.ok === false ? `: ${status.enforceable.message ?? status.enforceable.reason}` : ''}`,
    );
  lines.push(
    '',
    paint.bold('Check it'),
    `  requests ${(status.evidence?.requestIds ?? []).join(', ') || '-'}`,
    `  ${status.evidence?.replay ?? ''}`,
    `  benign if ${status.evidence?.benignIf ?? '-'}`,
    ...(spec.review
      ? [`  reviewed as ${spec.review.disposition}${spec.review.by ? ` by ${spec.review.by}` : ''}`]
      : []),
  );
  return `${lines.join('\n')}\n`;
}

/** What a campaign sent is told by its addresses and accounts. */
function requestsText({ spec, status }: RiskVerdict): string {
  if (spec.principal.kind === 'Campaign') return '';
  const count = status?.requests ?? 0;
  return `, ${count} request${count === 1 ? '' : 's'}`;
}

/** The columns of APIs, policies and verdicts, as `kubectl get` names them too. */
import type { BehaviorPolicy, ProtectedAPI, RiskVerdict } from '@picket/crds/gen/types.ts';
import type { Column } from './output.ts';
import { ageText, untilText } from './table.ts';

export function apiColumns(now: number): Column<ProtectedAPI>[] {
  return [
    { head: 'NAME', cell: ({ metadata }) => metadata.name },
    { head: 'RISK', cell: ({ status }) => String(status?.risk?.score ?? 0) },
    { head: 'LEVEL', cell: ({ status }) => status?.risk?.level ?? 'None' },
    { head: 'ENFORCING', cell: ({ status }) => String(status?.enforcement?.active ?? 0) },
    { head: 'OPS', cell: ({ status }) => String(status?.operations?.known ?? 0) },
    { head: 'RPS', cell: ({ status }) => String(status?.traffic?.requestsPerSecond ?? 0) },
    { head: 'ERR%', cell: ({ status }) => status?.columns?.errors ?? '-' },
    { head: 'P99', cell: ({ status }) => status?.columns?.p99 ?? '-' },
    { head: 'COMPLETE', cell: ({ status }) => status?.columns?.complete ?? 'Unknown' },
    { head: 'AGE', cell: ({ metadata }) => ageText(metadata.creationTimestamp, now) },
    { head: 'READY', wide: true, cell: (api) => conditionText(api, 'Ready') },
    { head: 'OBSERVING', wide: true, cell: (api) => conditionText(api, 'Observing') },
    { head: 'LEARNING', wide: true, cell: ({ status }) => status?.learning?.phase ?? '-' },
    {
      head: 'ENVOYS',
      wide: true,
      cell: ({ status }) => shareText(status?.enforcement?.programmedEnvoys, status?.enforcement?.totalEnvoys),
    },
  ];
}

export function policyColumns(now: number): Column<BehaviorPolicy>[] {
  return [
    { head: 'POLICY', cell: ({ metadata }) => metadata.name },
    { head: 'MODE', cell: ({ spec }) => spec.mode },
    { head: 'TARGETS', cell: ({ status }) => String(status?.attachedTargets ?? 0) },
    { head: 'ACCEPTED', cell: (policy) => conditionText(policy, 'Accepted') },
    { head: 'PROGRAMMED', cell: (policy) => conditionText(policy, 'Programmed') },
    { head: 'WOULD-ACT', cell: ({ status }) => String(status?.activity?.wouldAct ?? 0) },
    { head: 'ACTING', cell: ({ status }) => String(status?.activity?.acting ?? 0) },
    { head: 'SAFETY', wide: true, cell: (policy) => conditionText(policy, 'WithinSafety') },
    { head: 'AGE', wide: true, cell: ({ metadata }) => ageText(metadata.creationTimestamp, now) },
  ];
}

export function verdictColumns(now: number): Column<RiskVerdict>[] {
  return [
    { head: 'NAME', cell: ({ metadata }) => metadata.name },
    { head: 'API', cell: ({ spec }) => spec.apiRef.name },
    {
      head: 'PRINCIPAL',
      cell: ({ spec, status }) =>
        status?.columns?.principal ?? `${spec.principal.kind}/${spec.principal.pseudonym.slice(0, 8)}`,
    },
    { head: 'LEVEL', cell: ({ status }) => status?.level ?? 'None' },
    { head: 'SCORE', cell: ({ status }) => String(Math.round(status?.score ?? 0)) },
    { head: 'ACTION', cell: ({ status }) => status?.decision?.action ?? whyNot(status) },
    { head: 'WHY', cell: ({ status }) => status?.columns?.why ?? '-' },
    { head: 'EXPIRES', cell: ({ status }) => untilText(status?.decision?.expiresAt ?? status?.expiresAt, now) },
    { head: 'MODE', wide: true, cell: ({ status }) => status?.decision?.mode ?? '-' },
    {
      head: 'ENVOYS',
      wide: true,
      cell: ({ status }) => shareText(status?.enforcement?.programmedEnvoys, status?.enforcement?.totalEnvoys),
    },
    { head: 'REQUESTS', wide: true, cell: ({ status }) => String(status?.requests ?? 0) },
    { head: 'REVIEW', wide: true, cell: ({ spec }) => spec.review?.disposition ?? '-' },
  ];
}

interface WithConditions {
  status?: { conditions?: { type: string; status: string }[] };
}

function conditionText(object: WithConditions, type: string): string {
  return object.status?.conditions?.find((condition) => condition.type === type)?.status ?? 'Unknown';
}

function shareText(part: number | undefined, whole: number | undefined): string {
  return whole === undefined ? '-' : `${part ?? 0}/${whole}`;
}

/** Nothing is done: the reason, where there is one. */
function whyNot(status: RiskVerdict['status']): string {
  const reason = status?.enforceable?.ok === false ? status.enforceable.reason : undefined;
  return reason ? `- (${reason})` : '-';
}

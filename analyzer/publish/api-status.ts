/** What the analyzer knows of an API and its policy, as status. Pure; conditions get their generation when written. */
import type { Condition, ProtectedAPIStatus } from '@picket/crds/gen/types.ts';
import { Level, type CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { FlowLearning } from '../identify/identifier.ts';
import type { Operation } from '../operations/operation.ts';
import { Outcome } from '../observation.ts';
import { levelOf } from '../score/score.ts';
import type { Verdict } from '../verdict.ts';
import { kindNames, levelNames } from './names.ts';
import { iso, round } from './risk-verdict.ts';
import type { TrafficFigures } from './traffic.ts';

export interface StatusView {
  api: string;
  policy: CompiledPolicy;
  traffic: TrafficFigures | undefined;
  operations: readonly Operation[];
  learning: readonly FlowLearning[];
  observations: number;
  since: number;
  activity: { acting: number; wouldAct: number; suppressed: number; eased: number };
  /** Seen by expected requests; undefined = unknown. */
  completeness: number | undefined;
}

/** A condition before the writer adds generation and transition time. */
export interface ConditionDraft {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
}

/** The transition time changes only with the status of the condition. */
export function conditionFrom(
  draft: ConditionDraft,
  before: readonly Condition[] | undefined,
  generation: number,
  now: number,
): Condition {
  const same = before?.find((c) => c.type === draft.type && c.status === draft.status);
  return { ...draft, observedGeneration: generation, lastTransitionTime: same?.lastTransitionTime ?? iso(now) };
}

/** Numeric gates of `Learned`. */
const gates = { observations: 5_000, hours: 24 } as const;

export function apiStatus(view: StatusView, verdicts: readonly Verdict[], now: number): ProtectedAPIStatus {
  const top = verdicts[0];
  const score = top?.score ?? 0;
  const byDetector = new Map<string, number>();
  for (const verdict of verdicts)
    for (const detector of new Set(verdict.findings.map((f) => f.detector)))
      byDetector.set(detector, (byDetector.get(detector) ?? 0) + 1);
  const ageHours = view.since === 0 ? 0 : (now - view.since) / 3_600_000;
  const learned = view.observations >= gates.observations && ageHours >= gates.hours;
  const declared = view.operations.filter((o) => o.declared);
  return {
    risk: {
      score: Math.round(score),
      level: levelNames[levelOf(score, Level.NONE)],
      topPrincipals: verdicts.slice(0, 10).map((v) => ({
        kind: kindNames[v.kind] ?? 'Address',
        pseudonym: v.pseudonym,
        score: Math.round(v.score),
        verdict: v.name,
      })),
      topFindings: [...byDetector]
        .sort((a, b) => b[1] - a[1])
        .slice(0, 10)
        .map(([detector, principals]) => ({ detector, principals })),
      ...(top ? { since: iso(top.firstSeen) } : {}),
    },
    ...(view.traffic
      ? {
          traffic: {
            requestsPerSecond: significant(view.traffic.requestsPerSecond),
            errorRatio: round(view.traffic.errorRatio, 3),
            p50Ms: significant(view.traffic.p50Ms),
            p95Ms: significant(view.traffic.p95Ms),
            p99Ms: significant(view.traffic.p99Ms),
            window: '5m',
            ...(view.completeness === undefined ? {} : { completeness: round(view.completeness, 4) }),
          },
        }
      : {}),
    operations: {
      known: view.operations.length,
      declared: declared.length,
      undocumented: declared.length > 0 ? view.operations.length - declared.length : 0,
      unused: declared.filter((o) => o.count === 0).length,
      shadow: 0,
    },
    learning: {
      phase: view.observations === 0 ? 'Cold' : learned ? 'Learned' : 'Learning',
      observations: view.observations,
      ...(view.since > 0 ? { since: iso(view.since) } : {}),
      gates: [
        { name: 'observations', have: view.observations, need: gates.observations },
        { name: 'hours', have: Math.floor(ageHours), need: gates.hours },
      ],
      ...learnedOutcomes(view.learning),
    },
    columns: {
      errors: view.traffic ? `${round(view.traffic.errorRatio * 100, 1)}` : '',
      p99: view.traffic ? `${significant(view.traffic.p99Ms)}ms` : '',
      complete: view.completeness === undefined ? 'Unknown' : `${round(view.completeness * 100, 2)}%`,
    },
  };
}

/** What counts as success in flows that declare no rule, as far as that is known. */
function learnedOutcomes(
  learning: readonly FlowLearning[],
): Pick<NonNullable<ProtectedAPIStatus['learning']>, 'outcomes'> {
  const outcomes = learning
    .filter(({ declared }) => !declared)
    .slice(0, 64)
    .map(({ flow, answers }) => {
      const successes = answers.filter((a) => a.outcome === Outcome.success).map(answerText);
      const rule =
        successes.length > 0 ? successes.join(' or ') : 'not known yet: declare spec.flows[].success to be sure';
      return { flow, rule };
    });
  return outcomes.length === 0 ? {} : { outcomes };
}

function answerText({ status, meanBytes }: FlowLearning['answers'][number]): string {
  return Number.isNaN(meanBytes) ? `status ${status}` : `status ${status} with about ${significant(meanBytes)} bytes`;
}

export function apiConditions(view: StatusView, now: number): ConditionDraft[] {
  const ageHours = view.since === 0 ? 0 : (now - view.since) / 3_600_000;
  const learned = view.observations >= gates.observations && ageHours >= gates.hours;
  const observing: ConditionDraft = view.traffic
    ? {
        type: 'Observing',
        status: 'True',
        reason: 'RecordsArriving',
        message: 'requests of this API arrived within five minutes',
      }
    : {
        type: 'Observing',
        status: 'False',
        reason: view.observations > 0 ? 'Silent' : 'NoRecords',
        message:
          'no request of this API arrived within five minutes; check hosts and pathPrefix, and that Envoy sends its access log',
      };
  return [
    observing,
    learned
      ? {
          type: 'Learned',
          status: 'True',
          reason: 'GatesPassed',
          message: 'baselines rest on a day and on enough requests',
        }
      : {
          type: 'Learned',
          status: 'False',
          reason: 'Learning',
          message: `${view.observations} of ${gates.observations} requests, ${Math.floor(ageHours)} of ${gates.hours} hours`,
        },
  ];
}

export function withinSafety(views: readonly StatusView[]): ConditionDraft {
  const suppressed = views.reduce((sum, v) => sum + v.activity.suppressed, 0);
  const eased = views.reduce((sum, v) => sum + v.activity.eased, 0);
  if (suppressed > 0)
    return {
      type: 'WithinSafety',
      status: 'False',
      reason: 'Suppressed',
      message: `${suppressed} decisions on established principals were held back: review them, then raise safety or exempt them`,
    };
  if (eased > 0)
    return {
      type: 'WithinSafety',
      status: 'False',
      reason: 'Eased',
      message: `${eased} principals are throttled instead of denied, or left to the decision on a campaign: more are under suspicion than spec.safety lets deny`,
    };
  return {
    type: 'WithinSafety',
    status: 'True',
    reason: 'WithinLimits',
    message: 'no decision was held back by the safety limits',
  };
}

export function policyActivity(views: readonly StatusView[]): {
  wouldAct: number;
  acting: number;
  suppressedBySafety: number;
} {
  return {
    wouldAct: views.reduce((sum, v) => sum + v.activity.wouldAct, 0),
    acting: views.reduce((sum, v) => sum + v.activity.acting, 0),
    suppressedBySafety: views.reduce((sum, v) => sum + v.activity.suppressed + v.activity.eased, 0),
  };
}

/** Two significant digits: status is written only when something a person would notice changed. */
function significant(value: number): number {
  return value === 0 ? 0 : Number(value.toPrecision(2));
}

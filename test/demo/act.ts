/** One act of the story: an attack, Picket's verdict on it, and the first request that Envoy refused. */
import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import type { AttackFamily, EventStream, Label, Window } from '../scenarios/request-event.ts';
import type { Attempt } from './ledger.ts';
import type { Screen } from './screen.ts';

export interface Act {
  family: AttackFamily;
  title: string;
  /** Detectors whose finding counts as recognition. */
  detectors: readonly string[];
  stream: (window: Window) => EventStream;
  /** First abusive request when it lies in the replayed day. */
  startedAt?: number;
}

export interface ActResult {
  family: AttackFamily;
  title: string;
  verdict?: { name: string; principal: string; level: string; score: number; why: string[]; decision: string };
  requests: number;
  refused: number;
  firstRefusalStatus?: number;
  /** Seconds from the first abusive request to the verdict. */
  toVerdictSeconds?: number;
  /** Seconds from complete evidence to the first refusal. */
  toRefusalSeconds?: number;
  /** Seconds from complete evidence until every Envoy had acknowledged the decision. */
  toProgrammedSeconds?: number;
  /** The evidence was complete before the live part. */
  evidenceInReplay: boolean;
  problem?: string;
}

/**
 * The verdict on an attack: recognised by one of its detectors, with requests of the attack as evidence, acted on, highest
 * score first.
 *
 * @param authorOf whose a request of the live part was, by its id
 */
export function verdictOf(
  act: Act,
  verdicts: readonly RiskVerdict[],
  authorOf: (requestId: string) => Label | undefined,
): RiskVerdict | undefined {
  const isBlamed = ({ status }: RiskVerdict): boolean => {
    const authors = (status?.evidence?.requestIds ?? []).map(authorOf).filter((author) => author !== undefined);
    // Of an attack that began in the replayed day the samples may all be from there.
    if (authors.length === 0) return act.startedAt !== undefined;
    return authors.filter((author) => author === act.family).length * 2 >= authors.length;
  };
  return verdicts
    .filter((v) => v.status?.findings?.some((f) => act.detectors.includes(f.detector)))
    .filter(isBlamed)
    .sort((a, b) => rank(b) - rank(a))[0];
}

function rank({ status }: RiskVerdict): number {
  const acts = status?.decision !== undefined && status.decision.action !== 'Tag';
  return (acts ? 1000 : 0) + (status?.score ?? 0);
}

/** Puts together what was seen of an act, attempts in the order in which they ended. `liveFrom` is when live traffic began. */
export function resultOf(
  act: Pick<Act, 'family' | 'title' | 'startedAt'>,
  verdict: RiskVerdict | undefined,
  attempts: readonly Attempt[],
  liveFrom: number,
): ActResult {
  const firstRefusal = attempts.find((a) => a.refused);
  const result: ActResult = {
    family: act.family,
    title: act.title,
    requests: attempts.length,
    refused: attempts.filter((a) => a.refused).length,
    evidenceInReplay: false,
  };
  if (verdict !== undefined) result.verdict = describeVerdict(verdict);
  if (firstRefusal !== undefined) result.firstRefusalStatus = firstRefusal.status;
  const decidedAt = decisionTime(verdict);
  const firstAbuseAt = act.startedAt ?? attempts[0]?.sentAt;
  if (decidedAt !== undefined && firstAbuseAt !== undefined) {
    result.toVerdictSeconds = Math.max(0, decidedAt - firstAbuseAt) / 1000;
    const completeAt = evidenceCompleteAt(verdict) ?? lastEndedBefore(attempts, decidedAt) ?? decidedAt;
    result.evidenceInReplay = completeAt < liveFrom;
    // Evidence that was complete before the live part cannot be acted on before its first live request.
    const actableAt = result.evidenceInReplay ? (attempts[0]?.sentAt ?? liveFrom) : completeAt;
    const programmedAt = Date.parse(verdict?.status?.enforcement?.programmedAt ?? '');
    if (programmedAt >= completeAt && !result.evidenceInReplay)
      result.toProgrammedSeconds = (programmedAt - completeAt) / 1000;
    if (firstRefusal !== undefined) result.toRefusalSeconds = Math.max(0, firstRefusal.endedAt - actableAt) / 1000;
  }
  const problem = problemOf(result, attempts.length);
  if (problem !== undefined) result.problem = problem;
  return result;
}

function problemOf(result: ActResult, attempts: number): string | undefined {
  if (attempts === 0) return 'the attack sent nothing';
  if (result.verdict === undefined) return 'no verdict names it';
  if (result.verdict.why.length === 0) return 'the verdict gives no reason';
  if (result.verdict.decision === '') return 'nothing was decided';
  if (result.firstRefusalStatus === undefined) return 'Envoy refused nothing';
  return undefined;
}

function describeVerdict({ metadata, spec, status }: RiskVerdict): NonNullable<ActResult['verdict']> {
  const why = (status?.findings ?? []).map((f) => {
    const p = f.pValue > 0 ? `, p = ${f.pValue.toPrecision(1)}` : '';
    return `${f.detector}: ${round(f.observed)} ${f.unit ?? ''} (usual ${round(f.expected)}${p})`;
  });
  const decision = status?.decision;
  return {
    name: metadata.name,
    principal: `${spec.principal.kind}/${spec.principal.pseudonym.slice(0, 8)}`,
    level: status?.level ?? 'None',
    score: Math.round(status?.score ?? 0),
    why,
    decision: decision === undefined ? '' : `${decision.action} until ${decision.expiresAt.slice(11, 19)}Z`,
  };
}

function round(value: number): string {
  return value >= 10 ? value.toFixed(0) : String(Number(value.toPrecision(2)));
}

function decisionTime(verdict: RiskVerdict | undefined): number | undefined {
  const text = verdict?.status?.decision?.decidedAt;
  return text === undefined ? undefined : Date.parse(text);
}

function evidenceCompleteAt(verdict: RiskVerdict | undefined): number | undefined {
  const text = verdict?.status?.decision?.evidenceCompleteAt;
  return text === undefined ? undefined : Date.parse(text);
}

function lastEndedBefore(attempts: readonly { endedAt: number }[], instant: number): number | undefined {
  return attempts.findLast((a) => a.endedAt <= instant)?.endedAt;
}

/** Tells it. */
export function printAct(screen: Screen, act: ActResult): void {
  const { verdict } = act;
  if (verdict !== undefined) {
    screen.line(`  verdict   ${verdict.name}: ${verdict.principal}, ${verdict.level}, score ${verdict.score}`);
    for (const why of verdict.why) screen.line(`  why       ${why}`);
    screen.line(`  decision  ${verdict.decision || 'none'}`);
  }
  if (act.firstRefusalStatus !== undefined) {
    screen.line(
      `  refused   first with ${act.firstRefusalStatus} by Envoy, then ${act.refused} of ${act.requests} requests`,
    );
  }
  if (act.toVerdictSeconds !== undefined) {
    const replay = act.evidenceInReplay ? ' (evidence was complete in the replayed day)' : '';
    screen.line(`  times     ${span(act.toVerdictSeconds)} from first abuse to verdict${replay}`);
  }
  if (act.toProgrammedSeconds !== undefined)
    screen.line(
      `            ${act.toProgrammedSeconds.toFixed(2)} s from complete evidence to its acknowledgement by Envoy`,
    );
  if (act.toRefusalSeconds !== undefined) {
    const since = act.evidenceInReplay ? 'its first live request' : 'complete evidence';
    screen.line(`            ${act.toRefusalSeconds.toFixed(2)} s from ${since} to the first refusal`);
  }
  screen.line(
    act.problem === undefined ? '  stopped\n' : `  FAILED: ${act.problem}\n`,
    act.problem === undefined ? 'good' : 'bad',
  );
}

function span(seconds: number): string {
  return seconds < 600 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

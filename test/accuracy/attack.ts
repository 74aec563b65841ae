/** One attack over ordinary traffic, from the state of a finished warm-up. */
import { type CompiledPolicy, Level, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { ordinaryDay } from '../scenarios/day.ts';
import { loginRush } from '../scenarios/login-rush.ts';
import { mergeEvents } from '../scenarios/merge.ts';
import type { EventStream } from '../scenarios/request-event.ts';
import { type Alert, createAlertLog } from './alerts.ts';
import { createPanel, type PanelTally } from './baselines/panel.ts';
import { rowOf } from './baselines/row.ts';
import type { Warmth } from './benign.ts';
import type { Cell } from './families.ts';
import { createPipeline } from './pipeline.ts';
import { createTruth } from './truth.ts';
import { epoch, type Stage, warmUpMs } from './world.ts';

export interface AttackRun {
  family: string;
  cell: string;
  /** Reached High, and Elevated, on something that was attack. */
  found: boolean;
  suspected: boolean;
  secondsToFind: number;
  requestsToFind: number;
  /** Seconds until it was throttled or denied; NaN = never. */
  secondsToAct: number;
  /** Which detector and which kind of principal were first at High. */
  by: string;
  /** Verdicts at High whose principal was at least half attack, and those that were not. */
  trueVerdicts: number;
  falseVerdicts: number;
  /** Share of attack among what carried the first campaign's traits; NaN without one. */
  traitPrecision: number;
  falseCases: string[];
  panel: PanelTally[][];
  panelAttackStart: number;
}

/** Ordinary logins before the attack, where it is measured as a share of them. */
const rushLeadMs = 15 * 60_000;

export async function runAttack(
  stage: Stage,
  policies: readonly CompiledPolicy[],
  warmth: Warmth,
  cell: Cell,
): Promise<AttackRun> {
  const start = epoch + warmUpMs;
  const from = start + (cell.rush > 0 ? rushLeadMs : 60_000);
  const until = from + cell.durationMs;
  const random = stage.world.random.fork(`attack/${cell.family}/${cell.name}`);
  const streams: EventStream[] = [
    ordinaryDay(stage.world, { from: start, until }),
    cell.attack(stage, random, { from, until }),
  ];
  if (cell.rush > 0) streams.push(loginRush(random.fork('rush'), stage.visitors(), { from: start, until }, cell.rush));
  const pipeline = await createPipeline(stage, policies, warmth.pipeline);
  const panel = createPanel(warmth.panel);
  const truth = createTruth({ traits: true });
  const log = createAlertLog();
  await pipeline.play(mergeEvents(streams), stage.openShop(cell.name), {
    onReply: (event, reply) => panel.observe(rowOf(event, reply)),
    onObservation(event, batch, base) {
      if (event.at >= from) truth.add(event, batch, base);
    },
    onOutcome: (outcome) => log.take(outcome),
  });
  await pipeline.close();

  const guilty = (alert: Alert): boolean => truth.attackShare(alert.verdict) >= 0.5;
  const first = (level: Level): Alert | undefined =>
    log
      .alerts()
      .filter((a) => a.reachedAt.has(level) && guilty(a))
      .sort((a, b) => (a.reachedAt.get(level) as number) - (b.reachedAt.get(level) as number))[0];
  const high = first(Level.HIGH);
  const at = high?.reachedAt.get(Level.HIGH) ?? Number.NaN;
  const judged = log.alerts().filter((a) => a.reachedAt.has(Level.HIGH) && (a.reachedAt.get(Level.HIGH) ?? 0) >= from);
  const wrong = judged.filter((a) => !guilty(a));
  const campaign = judged
    .filter((a) => a.verdict.kind === PrincipalKind.CAMPAIGN)
    .sort((a, b) => (a.reachedAt.get(Level.HIGH) as number) - (b.reachedAt.get(Level.HIGH) as number))[0];
  const acted = log.alerts().filter((a) => guilty(a) && !Number.isNaN(a.actedAt));
  return {
    family: cell.family,
    cell: cell.name,
    found: high !== undefined,
    suspected: first(Level.ELEVATED) !== undefined,
    secondsToFind: high ? Math.max(0, (at - from) / 1000) : Number.NaN,
    requestsToFind: high ? truth.attackRequestsUntil(at) : Number.NaN,
    secondsToAct: acted.length > 0 ? (Math.min(...acted.map((a) => a.actedAt)) - from) / 1000 : Number.NaN,
    by: high?.atHigh
      ? `${high.atHigh.findings[0]?.detector ?? ''} on ${(PrincipalKind[high.atHigh.kind] ?? '').toLowerCase()}`
      : '',
    trueVerdicts: judged.length - wrong.length,
    falseVerdicts: wrong.length,
    traitPrecision: campaign ? truth.attackShare(campaign.atHigh ?? campaign.verdict) : Number.NaN,
    falseCases: wrong.map(
      ({ verdict }) =>
        `${verdict.name} ${verdict.score} ${truth.personaOf(verdict)} ${Math.round(truth.attackShare(verdict) * 100)} %: ${verdict.findings
          .map((f) => `${f.detector} ${f.observed} for ${f.expected.toFixed(1)} ${f.unit}`)
          .join('; ')}`,
    ),
    panel: panel.tallies,
    panelAttackStart: from,
  };
}

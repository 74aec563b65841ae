/** Ordinary days, to count what is said of people who did nothing, and how honest the p-values are. */
import { BINS, cellOf } from '@picket/analyzer/detect/population.ts';
import { detectorIds } from '@picket/analyzer/verdict.ts';
import { type CompiledPolicy, Level } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { ordinaryDay, type Surprises } from '../scenarios/day.ts';
import type { RequestEvent } from '../scenarios/request-event.ts';
import { createAlertLog } from './alerts.ts';
import { createPanel, type PanelState, type PanelTally } from './baselines/panel.ts';
import { rowOf } from './baselines/row.ts';
import { createPipeline, type PipelineState } from './pipeline.ts';
import { createTruth } from './truth.ts';
import { dayMs, epoch, type Stage, warmUpMs } from './world.ts';

export interface Warmth {
  pipeline: PipelineState;
  panel: PanelState;
  /** Said during the warm-up, when little was known. */
  cold: BenignFigures;
}

export interface BenignFigures {
  sessions: number;
  requests: number;
  /** Verdicts by the level they reached, and principals throttled or denied. A principal counts once a day. */
  elevated: number;
  high: number;
  acted: number;
  /** What was said, for whoever looks into it. */
  cases: string[];
}

/** Windows closed, and those with p at most 1e-2, 1e-3, 1e-4, by detector. */
export type Honesty = Record<string, { windows: number; atMost: [number, number, number] }>;

export interface BenignRun {
  figures: BenignFigures;
  honesty: Honesty;
  panel: PanelTally[][];
}

/** A pause this long begins a new session, as in web analytics. */
const sessionGapMs = 30 * 60_000;

function createSessionCount() {
  const lastAt = new Map<string, number>();
  let sessions = 0;
  return {
    add(event: RequestEvent): void {
      const last = lastAt.get(event.actor.id);
      if (last === undefined || event.at - last > sessionGapMs) sessions++;
      lastAt.set(event.actor.id, event.at);
    },
    get count() {
      return sessions;
    },
  };
}

async function playDay(
  stage: Stage,
  policies: readonly CompiledPolicy[],
  window: { from: number; until: number },
  surprises: Surprises,
  from: { pipeline: PipelineState; panel: PanelState } | undefined,
) {
  const pipeline = await createPipeline(stage, policies, from?.pipeline);
  const panel = createPanel(from?.panel);
  const truth = createTruth({ traits: false });
  const log = createAlertLog();
  const sessions = createSessionCount();
  let requests = 0;
  await pipeline.play(ordinaryDay(stage.world, window, surprises), stage.openShop(`day/${window.from}`), {
    onReply: (event, reply) => panel.observe(rowOf(event, reply)),
    onObservation(event, batch, base) {
      requests++;
      sessions.add(event);
      truth.add(event, batch, base);
    },
    onOutcome: (outcome) => log.take(outcome),
  });
  const checkpoint = await pipeline.save();
  const reached = (level: Level) => log.alerts().filter((a) => a.reachedAt.has(level));
  const figures: BenignFigures = {
    sessions: sessions.count,
    requests,
    elevated: reached(Level.ELEVATED).length,
    high: reached(Level.HIGH).length,
    acted: log.alerts().filter((a) => !Number.isNaN(a.actedAt)).length,
    cases: reached(Level.ELEVATED).map(
      ({ verdict }) =>
        `${verdict.name} ${verdict.score} ${truth.personaOf(verdict)}: ${verdict.findings
          .map(
            (f) => `${f.detector} ${f.observed} for ${f.expected.toFixed(1)} ${f.unit}, p ${f.pValue.toExponential(1)}`,
          )
          .join('; ')}`,
    ),
  };
  const dropped = pipeline.dropped();
  if (dropped > 0) throw new Error(`${dropped} entries were dropped: the figures would mean nothing`);
  await pipeline.close();
  return { figures, state: { pipeline: checkpoint, panel: panel.save() }, panel: panel.tallies };
}

export async function warmUp(stage: Stage, policies: readonly CompiledPolicy[]): Promise<Warmth> {
  const { figures, state } = await playDay(stage, policies, { from: epoch, until: epoch + warmUpMs }, {}, undefined);
  return { ...state, cold: figures };
}

/** What one ordinary day goes on from. */
export interface BenignState {
  day: number;
  pipeline: PipelineState;
  panel: PanelState;
}

const surprises: readonly Surprises[] = [
  {},
  { marketingSpike: true },
  { retryStorm: true },
  { rotatedPasswords: 0.3 },
  {},
];

/** Plays a day after the warm-up, with that day's own surprise, from where the day before ended. */
export async function benignDay(
  stage: Stage,
  policies: readonly CompiledPolicy[],
  from: BenignState,
): Promise<{ run: BenignRun; state: BenignState }> {
  const { day } = from;
  const at = epoch + warmUpMs + day * dayMs;
  const window = { from: at, until: at + dayMs };
  const { figures, panel, state } = await playDay(
    stage,
    policies,
    window,
    surprises[day % surprises.length] as Surprises,
    from,
  );
  const cases = figures.cases.map((c) => `${stage.seed}, day ${day}: ${c}`);
  const honesty = difference(claimsOf(state.pipeline), claimsOf(from.pipeline));
  return { run: { figures: { ...figures, cases }, honesty, panel }, state: { ...state, day: day + 1 } };
}

function claimsOf(state: PipelineState): Honesty {
  const honesty: Honesty = {};
  const [api] = state.analysis.engine.population.apis;
  const claims = new Map(api?.[1].claims);
  for (const [d, id] of detectorIds.entries()) {
    const entry = (honesty[id] = { windows: 0, atMost: [0, 0, 0] as [number, number, number] });
    for (let kind = 0; kind < 16; kind++) {
      const bins = claims.get(cellOf(d, kind));
      for (let i = 0; bins && i < BINS; i++) {
        const n = bins[i] as number;
        entry.windows += n;
        // Bins are quarters of a decade.
        for (let decade = 2; decade <= 4; decade++)
          if (i >= decade * 4) entry.atMost[decade - 2] = (entry.atMost[decade - 2] as number) + n;
      }
    }
  }
  return honesty;
}

function difference(after: Honesty, before: Honesty): Honesty {
  return Object.fromEntries(
    Object.entries(after).map(([id, a]) => {
      const b = before[id];
      return [
        id,
        {
          windows: a.windows - (b?.windows ?? 0),
          atMost: a.atMost.map((n, i) => n - (b?.atMost[i] ?? 0)) as [number, number, number],
        },
      ];
    }),
  );
}

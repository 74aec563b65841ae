/** Each benign trap of the design on its own, from the state of a finished warm-up. */
import { type CompiledPolicy, Level } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Shop } from '../../examples/shop/shop.ts';
import { ordinaryDay, type Surprises } from '../scenarios/day.ts';
import { mergeEvents } from '../scenarios/merge.ts';
import type { EventStream, Window } from '../scenarios/request-event.ts';
import * as traps from '../scenarios/traps.ts';
import { createAlertLog } from './alerts.ts';
import { type Warmth, warmUp } from './benign.ts';
import { createPipeline } from './pipeline.ts';
import { createTruth } from './truth.ts';
import { buildStage, epoch, hourMs, type Stage, warmUpMs } from './world.ts';

export interface TrapRun {
  seed: string;
  trap: string;
  requests: number;
  elevated: number;
  high: number;
  acted: number;
  cases: string[];
}

export interface Trap {
  name: string;
  surprises?: Surprises;
  streams?(stage: Stage, window: Window): EventStream[];
  change?(day: EventStream, window: Window): EventStream;
}

export const trapList: readonly Trap[] = [
  { name: 'page prefetch', streams: (s, w) => traps.pagePrefetch(s.world, w) },
  { name: 'office NAT', streams: (s, w) => traps.officeNat(s.world, w) },
  { name: 'carrier NAT', streams: (s, w) => traps.carrierNat(s.world, w) },
  { name: 'marketing spike', surprises: { marketingSpike: true } },
  { name: 'deploy retry storm', surprises: { retryStorm: true } },
  { name: 'batch and cron', streams: (s, w) => traps.batchJobs(s.world, w) },
  { name: 'monitoring probes', streams: (s, w) => traps.monitoringProbes(s.world, w) },
  { name: 'phones hopping networks', streams: (s, w) => traps.networkHoppers(s.world, w) },
  { name: 'power users paging lists', streams: (s, w) => traps.powerUsers(s.world, w) },
  { name: 'pages left open', streams: (s, w) => traps.pagesLeftOpen(s.world, w) },
  { name: 'waiting for sales', streams: (s, w) => traps.waitingForSales(s.world, w) },
  { name: 'support opening orders', streams: (s, w) => traps.supportOrders(s.world, w) },
  { name: 'new API version', change: (day, w) => traps.newApiVersion(day, w.from + 600_000) },
  { name: 'daylight-saving shift', change: (day) => traps.clocksChanged(day) },
  { name: 'password rotation day', surprises: { rotatedPasswords: 0.6 } },
];

const trapHours = 4;

export const releaseTrap: Trap = { name: 'mobile app release' };

/** Every phone's user agent changes at once: another population, and so another warm-up. */
export async function warmRelease(seed: string, policies: readonly CompiledPolicy[]) {
  const appReleaseAt = epoch + warmUpMs + hourMs;
  const stage = buildStage(seed, { people: 620, customers: 5000, appReleaseAt });
  return { stage, warmth: await warmUp(stage, policies) };
}

function streamsOf(stage: Stage, trap: Trap): EventStream[] {
  const from = epoch + warmUpMs;
  const window = { from, until: from + trapHours * hourMs };
  // One hour more, of which the shift of the clocks takes the first.
  const dayWindow =
    trap.name === 'daylight-saving shift' ? { from: from + hourMs, until: window.until + hourMs } : window;
  const day = ordinaryDay(stage.world, dayWindow, trap.surprises ?? {});
  return [trap.change?.(day, window) ?? day, ...(trap.streams?.(stage, window) ?? [])];
}

export async function runTrap(
  stage: Stage,
  policies: readonly CompiledPolicy[],
  warmth: Warmth,
  trap: Trap,
): Promise<TrapRun> {
  const from = epoch + warmUpMs;
  const streams = streamsOf(stage, trap);
  const pipeline = await createPipeline(stage, policies, warmth.pipeline);
  const truth = createTruth({ traits: false });
  const log = createAlertLog();
  let requests = 0;
  await pipeline.play(mergeEvents(streams), withNewVersion(stage.openShop(trap.name)), {
    onObservation(event, batch, base) {
      requests++;
      truth.add(event, batch, base);
    },
    onOutcome: (outcome) => log.take(outcome),
  });
  await pipeline.close();
  const reached = (level: Level) =>
    log.alerts().filter((a) => (a.reachedAt.get(level) ?? Number.NEGATIVE_INFINITY) >= from);
  return {
    seed: stage.seed,
    trap: trap.name,
    requests,
    elevated: reached(Level.ELEVATED).length,
    high: reached(Level.HIGH).length,
    acted: log.alerts().filter((a) => a.actedAt >= from).length,
    cases: reached(Level.ELEVATED).map(
      ({ verdict }) =>
        `${verdict.name} ${verdict.score} ${truth.personaOf(verdict)}: ${verdict.findings
          .map(
            (f) => `${f.detector} ${f.observed} for ${f.expected.toFixed(1)} ${f.unit}, p ${f.pValue.toExponential(1)}`,
          )
          .join('; ')}`,
    ),
  };
}

/** The shop with a second name for its product list. */
function withNewVersion(shop: Shop): Shop {
  return {
    handle: (request) => shop.handle({ ...request, path: request.path.replace('/v1/catalog/items', '/v1/products') }),
  };
}

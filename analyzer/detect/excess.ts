/**
 * Too many requests: for everybody (a log-normal population with a learned tail) and for this principal, whose own past
 * moves what is expected of it. Volume alone is not guilt, and a busy client that was always busy is no news.
 */
import { F, Flag } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import type { Detector, DetectorFactory, Scene } from './detector.ts';
import { burstMs, burstWeight, flagsOf, hasFlag, isAsset, isOwnProgram } from './facts.ts';
import { cellOf, type Partial, SUMS, sumsOf } from './population.ts';
import { normalOf, normalSurprise } from './statistics.ts';
import { WindowTable } from './window-table.ts';

const id = 'excess';
const DETECTOR = 6;

/**
 * Start of the running second and of the last request (f64), requests of that second, the most of any second, requests,
 * what they weigh, sharers of the window, requests of the running burst, of the two fullest seconds that are over, and
 * what three seconds reached each.
 */
const O = {
  second: 0,
  last: 2,
  running: 4,
  peak: 5,
  requests: 6,
  weight: 7,
  sharedBy: 8,
  burst: 9,
  fullest: 10,
  fuller: 11,
  thrice: 12,
  words: 14,
} as const;
/** Mean of the logarithm of requests per window, and how many windows. */
const Kept = { mean: 0, windows: 1, words: 2 } as const;

const minRequests = 30;
/** However alike most callers are (monitors, cron), one person's minute is several times another's. */
const leastDeviation = 0.9;
/** Own windows that weigh as much as what everybody does. */
const ownWeight = 10;
const settings = [
  { windowMs: 60_000, prior: { mean: 1.6, deviation: 1.1, windows: 60, between: 0.5 } },
  { windowMs: 600_000, prior: { mean: 2.4, deviation: 1.25, windows: 60, between: 0.5 } },
];
/**
 * Most requests of any second in a minute: a page that loads its parts asks for some ten at once, hardly for fifty. One
 * second alone says no more than `once`, too little to refuse anybody: whoever was cut off sends what had waited at once.
 */
const peak = { prior: { mean: 0.8, deviation: 0.7, windows: 60 }, least: 20, leastDeviation: 0.6, place: 6, once: 7 };

/** A program that says it is one and belongs to nobody may be a job that is in a hurry: how much it asks says no more than this. */
const mostOfJob = 6;

export const excess: DetectorFactory = (close) => {
  const tables = settings.map(
    ({ windowMs }, index) =>
      new WindowTable({
        windowMs,
        keptWords: Kept.words,
        words: O.words,
        maxSlots: 16_384,
        doorkeeperBits: 65_536,
        onClose: (t, base) => close(t, base, (partial, kind) => learn(t, base, index, partial, kind)),
      }),
  );
  const detector: Detector = {
    id,
    kinds: [Key.user, Key.app, Key.session, Key.token, Key.address, Key.client],
    tables,
    update(scene) {
      if (isAsset(scene) || hasFlag(scene, Flag.declaredBot) || isOwnProgram(flagsOf(scene))) return;
      for (let index = 0; index < tables.length; index++) {
        const table = tables[index] as WindowTable;
        const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
        if (base < 0) continue;
        const { f32 } = table.slab;
        const own = base + table.own;
        const requests = (f32[own + O.requests] as number) + 1;
        f32[own + O.requests] = requests;
        f32[own + O.sharedBy] = scene.sharedBy;
        weigh(table, own, scene);
        if (index === 0) statePeak(table, base, scene);
        if ((requests & 15) !== 0 || requests < minRequests * Math.max(1, scene.sharedBy)) continue;
        stateCount(table, base, scene, index);
      }
    },
  };
  return detector;
};

function stateCount(table: WindowTable, base: number, scene: Scene, index: number): void {
  const { f32 } = table.slab;
  const shared = Math.max(1, scene.sharedBy);
  const requests = f32[base + table.own + O.requests] as number;
  const weight = f32[base + table.own + O.weight] as number;
  table.sample(base, scene.seq);
  const at = cellOf(DETECTOR, scene.kind) * SUMS + index * 3;
  const usual = normalOf(scene.population?.sums, at, (settings[index] as (typeof settings)[number]).prior);
  const windows = f32[base + table.kept + Kept.windows] as number;
  const own = f32[base + table.kept + Kept.mean] as number;
  const mean = usual.mean + (windows / (windows + ownWeight)) * (own - usual.mean);
  scene.say(table, base, {
    detector: id,
    family: 'volume',
    surprise: Math.min(
      isJob(scene) ? mostOfJob : Number.POSITIVE_INFINITY,
      normalSurprise((Math.log(weight / shared) - mean) / Math.max(leastDeviation, usual.deviation)),
    ),
    observed: requests,
    expected: Math.exp(mean) * shared,
    unit: `requests within ${table.windowMs / 60_000} min`,
    baseline: scene.population?.sums[at] ?? 0,
    successShare: 0,
  });
}

function isJob(scene: Scene): boolean {
  return hasFlag(scene, Flag.library) && (scene.kind === Key.address || scene.kind === Key.client);
}

function weigh(table: WindowTable, own: number, scene: Scene): void {
  const { f32, f64 } = table.slab;
  const startedAt = scene.f64[(scene.record + F.startedAt) >> 1] as number;
  const follows =
    hasFlag(scene, Flag.hasReferer) && Math.abs(startedAt - (f64[(own + O.last) >> 1] as number)) <= burstMs;
  const running = follows ? (f32[own + O.burst] as number) + 1 : 1;
  f64[(own + O.last) >> 1] = startedAt;
  f32[own + O.burst] = running;
  f32[own + O.weight] = (f32[own + O.weight] as number) + burstWeight(running);
}

function statePeak(table: WindowTable, base: number, scene: Scene): void {
  const { f32, f64 } = table.slab;
  const own = base + table.own;
  const second = Math.floor((scene.f64[(scene.record + F.startedAt) >> 1] as number) / 1000);
  // What comes late counts for the running second.
  if (second > (f64[(own + O.second) >> 1] as number)) {
    const past = f32[own + O.running] as number;
    if (past > (f32[own + O.fullest] as number)) {
      f32[own + O.fuller] = f32[own + O.fullest] as number;
      f32[own + O.fullest] = past;
    } else if (past > (f32[own + O.fuller] as number)) f32[own + O.fuller] = past;
    f64[(own + O.second) >> 1] = second;
    f32[own + O.running] = 0;
  }
  const running = (f32[own + O.running] as number) + 1;
  f32[own + O.running] = running;
  const reached = Math.min(running, f32[own + O.fuller] as number);
  if (running > (f32[own + O.peak] as number)) {
    f32[own + O.peak] = running;
    sayPeak(table, base, scene, running, 'requests within one second', peak.once);
  }
  if (reached > (f32[own + O.thrice] as number)) {
    f32[own + O.thrice] = reached;
    sayPeak(table, base, scene, reached, 'requests in each of three seconds', Number.POSITIVE_INFINITY);
  }
}

function sayPeak(table: WindowTable, base: number, scene: Scene, observed: number, unit: string, most: number): void {
  const shared = Math.max(1, scene.sharedBy);
  if (observed / shared < peak.least) return;
  const at = cellOf(DETECTOR, scene.kind) * SUMS + peak.place;
  const usual = normalOf(scene.population?.sums, at, peak.prior);
  if ((observed & 7) === 0) table.sample(base, scene.seq);
  const beyond = (Math.log(observed / shared) - usual.mean) / Math.max(peak.leastDeviation, usual.deviation);
  scene.say(table, base, {
    detector: id,
    family: 'volume',
    surprise: Math.min(most, normalSurprise(beyond)),
    observed,
    expected: Math.exp(usual.mean) * shared,
    unit,
    baseline: scene.population?.sums[at] ?? 0,
    successShare: 0,
  });
}

function learn(table: WindowTable, base: number, index: number, partial: Partial, kind: number): void {
  const { f32 } = table.slab;
  const own = base + table.own;
  const kept = base + table.kept;
  const shared = Math.max(1, f32[own + O.sharedBy] as number);
  const ln = Math.log(Math.max(1, (f32[own + O.weight] as number) / shared));
  const windows = f32[kept + Kept.windows] as number;
  f32[kept + Kept.mean] =
    (f32[kept + Kept.mean] as number) + (ln - (f32[kept + Kept.mean] as number)) / Math.min(windows + 1, 500);
  f32[kept + Kept.windows] = windows + 1;
  // Callers are the population, not minutes: what asks day and night would be all there is.
  const share = 1 / (1 + windows);
  // Two windows and the peak share one cell of nine numbers: three each.
  const at = cellOf(DETECTOR, kind) * SUMS;
  const sums = sumsOf(partial, DETECTOR);
  addNormal(sums, at + index * 3, ln, share);
  if (index === 0) addNormal(sums, at + peak.place, Math.log(Math.max(1, f32[own + O.peak] as number)), share);
}

function addNormal(sums: Float64Array, at: number, value: number, share: number): void {
  sums[at] = (sums[at] as number) + share;
  sums[at + 1] = (sums[at + 1] as number) + share * value;
  sums[at + 2] = (sums[at + 2] as number) + share * value * value;
}

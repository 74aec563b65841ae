/**
 * Bulk reading, three looks at an hour of one caller: how much of the resource space it covers; how evenly, since people
 * linger and burst and a program on a timer hardly varies, however politely it waits; and with how little else, since
 * people who read a lot also search, look at what is theirs and come back to what they saw. Who reads for hours is looked
 * at by the day as well.
 */
import { F, Flag } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import type { Detector, DetectorFactory, Scene } from './detector.ts';
import { burstMs, burstWeight, flagsOf, hasFlag, isAsset, isLogin, isOwnProgram, methodOf, statusOf } from './facts.ts';
import { MAJORITY_WORDS, monotonySurprise, mostOfManner, noteMajority, requestsOf, sameness } from './majority.ts';
import { cellOf, SUMS, sumsOf } from './population.ts';
import { createReadingDay } from './reading-day.ts';
import { combinedSurprise, normalOf, normalSurprise } from './statistics.ts';
import { W, WindowTable } from './window-table.ts';

const id = 'scraping';
const DETECTOR = 4;

/**
 * Last read (f64), reads, pauses, sum and sum of squares of their logarithms, reads that a page led to, parts of pages
 * fetched beside, what it asks for most, reads of the running
 * burst, what all reads weigh, reads with a large answer, targets; kept: own mean and windows, best surprise and start (f64) of the last window.
 */
const O = {
  lastAt: 0,
  reads: 2,
  pauses: 3,
  sum: 4,
  squares: 5,
  linked: 6,
  parts: 7,
  majority: 8,
  burst: 8 + MAJORITY_WORDS,
  weight: 9 + MAJORITY_WORDS,
  large: 10 + MAJORITY_WORDS,
  targets: 12 + MAJORITY_WORDS,
  words: 12 + MAJORITY_WORDS + DISTINCT_WORDS,
} as const;
const Kept = { mean: 0, windows: 1, last: 2, lastAt: 4, words: 6 } as const;

/** Logarithm of distinct resources per hour, and of the spread of the logarithms of pauses, before anything is known. */
const coverage = { mean: 1.8, deviation: 1.1, windows: 40, between: 0.8 };
const evenness = { mean: 0.3, deviation: 0.4, windows: 40 };
const leastDeviation = 0.35;
/**
 * What else a caller does beside what it does most, as a share: callers differ as x^(1/mean), with the mean of −ln x learned.
 * Never below 1, as if every share were equally common: what most people do says little of how rare it is to do nothing else.
 */
const monotony = { mean: 1, windows: 40, least: 1, minRequests: 20 };
const minReads = 40;
/**
 * A program that says it is one may be somebody's job: what is even and alike by nature says nothing of it, and an hour of
 * it no more than this. Who goes on all day is judged by the day.
 */
const mostOfJob = 6;
/** Reads of an hour after which somebody's day counts. */
const busyReads = 16;
/** A statement costs more than a read; each further one says hardly more. */
const stateEvery = 4;
/** A page fetches its parts evenly, too, but not for so long. */
const evenAfterMs = 600_000;
const minTargets = 30;
/**
 * What following links, and fetching the parts of pages as browsers do, take from the surprise about the amount. A tool
 * says where it comes from with one header; that it fetches every picture is rarer.
 */
const browsing = { share: 0.5, linked: 0.1, parts: 0.4 };
/** Large answers to a page that shows them one after another are a film: evenly paced by nature, and one choice. */
const film = { bytes: 200_000, share: 0.5, weight: 0.1 };
/** Windows after which an application is also held against its own past. */
const ownWindows = 12;
const GET = 1;
const windowMs = 3_600_000;
/**
 * Who was conspicuous in the hour before and is again: half of that surprise counts, for hours of one caller are not
 * independent. Below the threshold busy people would add up.
 */
const persistence = { share: 0.5, threshold: 4 };

export const scraping: DetectorFactory = (close) => {
  const table: WindowTable = new WindowTable({
    windowMs,
    keptWords: Kept.words,
    words: O.words,
    maxSlots: 16_384,
    doorkeeperBits: 65_536,
    onClose: (t, base) => {
      const { u32, f32, f64 } = t.slab;
      const own = base + t.own;
      const targets = countDistinct(u32, own + O.targets);
      if (targets === 0) return;
      const windows = f32[base + t.kept + Kept.windows] as number;
      const mean = f32[base + t.kept + Kept.mean] as number;
      f32[base + t.kept + Kept.mean] = mean + (Math.log(targets) - mean) / Math.min(windows + 1, 72);
      f32[base + t.kept + Kept.windows] = windows + 1;
      f32[base + t.kept + Kept.last] = f32[base + W.best] as number;
      f64[(base + t.kept + Kept.lastAt) >> 1] = f64[(base + W.windowAt) >> 1] as number;
      close(t, base, (partial, kind) => {
        const at = cellOf(DETECTOR, kind) * SUMS;
        const sums = sumsOf(partial, DETECTOR);
        const ln = Math.log(targets * choiceShare(f32, own));
        sums[at] = (sums[at] as number) + 1;
        sums[at + 1] = (sums[at + 1] as number) + ln;
        sums[at + 2] = (sums[at + 2] as number) + ln * ln;
        if (requestsOf(f32, own + O.majority) >= monotony.minRequests) {
          sums[at + 6] = (sums[at + 6] as number) + 1;
          sums[at + 7] = (sums[at + 7] as number) + sameness(f32, own + O.majority);
        }
        const spread = Math.log(spreadOf(f32, own));
        if ((f32[own + O.pauses] as number) < 10) return;
        sums[at + 3] = (sums[at + 3] as number) + 1;
        sums[at + 4] = (sums[at + 4] as number) + spread;
        sums[at + 5] = (sums[at + 5] as number) + spread * spread;
      });
    },
  });
  const day = createReadingDay(DETECTOR, close);

  const stateDay = (scene: Scene, choice: number, browses: number, usualSame: number): void => {
    const said = day.read(scene, choice, browses, usualSame);
    if (!said || said.surprise === 0) return;
    scene.say(day.table, said.base, {
      detector: id,
      family: 'volume',
      surprise: said.surprise,
      observed: said.targets,
      expected: said.expected,
      unit: `distinct resources read within the day, in ${said.hours} of its hours`,
      baseline: said.baseline,
      successShare: 1,
    });
  };

  const detector: Detector = {
    id,
    kinds: [Key.user, Key.app, Key.session, Key.address, Key.client],
    tables: [table, day.table],
    update(scene) {
      if (isAsset(scene)) return notePart(table, scene);
      if (hasFlag(scene, Flag.declaredBot) || isOwnProgram(flagsOf(scene))) return;
      if (methodOf(scene) !== GET || isLogin(scene) || statusOf(scene) >= 400) {
        if (noteOther(table, scene)) day.other(scene);
        return;
      }
      const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
      if (base < 0) return;
      const { u32, f32, f64 } = table.slab;
      const own = base + table.own;
      const reads = (f32[own + O.reads] as number) + 1;
      f32[own + O.reads] = reads;
      noteMajority(table.slab, own + O.majority, scene);
      if (hasFlag(scene, Flag.hasReferer)) {
        f32[own + O.linked] = (f32[own + O.linked] as number) + 1;
        if ((scene.f64[(scene.record + F.responseBytes) >> 1] as number) >= film.bytes)
          f32[own + O.large] = (f32[own + O.large] as number) + 1;
      }
      addDistinct(
        u32,
        own + O.targets,
        fold(scene.u32[scene.record + F.target] as number, scene.u32[scene.record + F.target + 1] as number),
      );
      const last = f64[(own + O.lastAt) >> 1] as number;
      const startedAt = scene.f64[(scene.record + F.startedAt) >> 1] as number;
      noteBurst(f32, own, last !== 0 && Math.abs(startedAt - last) <= burstMs);
      if (last !== 0) {
        const ln = Math.log(Math.max(0.05, Math.abs(startedAt - last) / 1000));
        f32[own + O.pauses] = (f32[own + O.pauses] as number) + 1;
        f32[own + O.sum] = (f32[own + O.sum] as number) + ln;
        f32[own + O.squares] = (f32[own + O.squares] as number) + ln * ln;
      }
      f64[(own + O.lastAt) >> 1] = startedAt;
      if ((reads & 7) === 0) table.sample(base, scene.seq);
      if (reads < busyReads) return;
      const at = cellOf(DETECTOR, scene.kind) * SUMS;
      const sums = scene.population?.sums;
      const usualSame = usualSameness(scene, sums, at);
      if (scene.kind !== Key.app) stateDay(scene, choiceShare(f32, own), browsingShare(f32, own), usualSame);
      if (reads < minReads || reads % stateEvery !== 0) return;
      // Several people behind an address read in proportion, and their pauses interleave.
      const shared = Math.max(1, scene.sharedBy);
      const targets = countDistinct(u32, own + O.targets) / shared;
      if (targets < minTargets) return;
      const usual = normalOf(sums, at, coverage);
      let surprise =
        normalSurprise((Math.log(targets * choiceShare(f32, own)) - usual.mean) / usual.deviation) *
        browsingShare(f32, own);
      // Programs are even and do one thing by nature: for an application with a key only the amount counts, and its own past.
      if (scene.kind === Key.app) {
        if ((f32[base + table.kept + Kept.windows] as number) >= ownWindows)
          surprise = Math.min(
            surprise,
            normalSurprise((Math.log(targets) - (f32[base + table.kept + Kept.mean] as number)) / 0.5),
          );
      } else if (shared < 2 && !hasFlag(scene, Flag.library)) {
        const even = normalOf(sums, at + 3, evenness);
        surprise = combinedSurprise(
          surprise,
          monotonySurprise(f32, own + O.majority, usualSame),
          scene.at - (f64[(base + W.windowAt) >> 1] as number) < evenAfterMs || isFilm(f32, own)
            ? 0
            : Math.min(
                mostOfManner,
                normalSurprise((even.mean - Math.log(spreadOf(f32, own))) / Math.max(leastDeviation, even.deviation)),
              ),
        );
      }
      surprise += persistence.share * lastSurprise(table, base);
      if (hasFlag(scene, Flag.library)) surprise = Math.min(mostOfJob, surprise);
      scene.say(table, base, {
        detector: id,
        family: 'volume',
        surprise,
        observed: Math.round(targets * shared),
        expected: Math.exp(usual.mean) * shared,
        unit: `distinct resources read within the hour, ${Math.round(100 * (1 - Math.exp(-sameness(f32, own + O.majority))))} % alike, pauses spread over a factor of ${Math.exp(spreadOf(f32, own)).toFixed(1)}`,
        baseline: sums?.[at] ?? 0,
        successShare: 1,
      });
    },
  };
  return detector;
};

/** Minus the logarithm of what callers do beside what they do most, as it is here; of several people at once it says nothing. */
function usualSameness(scene: Scene, sums: Float64Array | undefined, at: number): number {
  if (scene.sharedBy > 1) return Number.POSITIVE_INFINITY;
  const mean = ((sums?.[at + 7] ?? 0) + monotony.mean * monotony.windows) / ((sums?.[at + 6] ?? 0) + monotony.windows);
  return Math.max(monotony.least, mean);
}

/** What is left of the surprise about the amount for whoever follows links and fetches the parts of pages. */
function browsingShare(f32: Float32Array, own: number): number {
  const least = (f32[own + O.reads] as number) * browsing.share;
  return (
    1 -
    ((f32[own + O.linked] as number) >= least ? browsing.linked : 0) -
    ((f32[own + O.parts] as number) >= least ? browsing.parts : 0)
  );
}

/** Surprise of the window before, if it led up to the open one and was conspicuous. */
function lastSurprise(table: WindowTable, base: number): number {
  const { f32, f64 } = table.slab;
  const last = f32[base + table.kept + Kept.last] as number;
  const gap = (f64[(base + W.windowAt) >> 1] as number) - (f64[(base + table.kept + Kept.lastAt) >> 1] as number);
  return last >= persistence.threshold && gap <= 2 * windowMs ? last : 0;
}

function noteBurst(f32: Float32Array, own: number, follows: boolean): void {
  const running = follows ? (f32[own + O.burst] as number) + 1 : 1;
  f32[own + O.burst] = running;
  f32[own + O.weight] = (f32[own + O.weight] as number) + burstWeight(running);
}

/** Part of the reads that were choices. */
function choiceShare(f32: Float32Array, own: number): number {
  const share = (f32[own + O.weight] as number) / (f32[own + O.reads] as number);
  return isFilm(f32, own) ? Math.min(share, film.weight) : share;
}

function isFilm(f32: Float32Array, own: number): boolean {
  return (f32[own + O.large] as number) > (f32[own + O.reads] as number) * film.share;
}

/** A request that reads nothing, of a caller that reads: it interrupts the reading. True for a busy reader. */
function noteOther(table: WindowTable, scene: Scene): boolean {
  const base = table.slab.find(scene.keyLo, scene.keyHi);
  if (base < 0) return false;
  noteMajority(table.slab, base + table.own + O.majority, scene);
  return (table.slab.f32[base + table.own + O.reads] as number) >= busyReads;
}

function notePart(table: WindowTable, scene: Scene): void {
  const base = table.slab.find(scene.keyLo, scene.keyHi);
  if (base < 0) return;
  const { f32 } = table.slab;
  f32[base + table.own + O.parts] = (f32[base + table.own + O.parts] as number) + 1;
}

/** Standard deviation of the logarithm of the pauses. */
function spreadOf(f32: Float32Array, own: number): number {
  const n = f32[own + O.pauses] as number;
  if (n < 2) return Math.exp(evenness.mean);
  const mean = (f32[own + O.sum] as number) / n;
  return Math.sqrt(Math.max(1e-4, (f32[own + O.squares] as number) / n - mean * mean));
}

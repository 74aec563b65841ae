/**
 * A day of one reader, for `scraping`: whoever waits long enough between two pages reads no more in an hour than a person
 * does, and goes on when people sleep. Only who read a lot within an hour has a day.
 */
import { F, Flag } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { MAJORITY_WORDS, monotonySurprise, mostOfManner, noteMajority } from './majority.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import type { DetectorFactory, Scene } from './detector.ts';
import { hasFlag } from './facts.ts';
import { cellOf, SUMS, sumsOf } from './population.ts';
import { betaBinomialSurprise, combinedSurprise, normalOf, normalSurprise } from './statistics.ts';
import { W, WindowTable } from './window-table.ts';

/** Reads and their weight (f32), hours of the day with reads (bits), what was asked for most, targets. */
const O = {
  reads: 0,
  weight: 1,
  hours: 2,
  majority: 3,
  targets: 3 + MAJORITY_WORDS,
  words: 3 + MAJORITY_WORDS + DISTINCT_WORDS,
} as const;
/** Best surprise and start (f64) of the day before. */
const Kept = { last: 0, lastAt: 2, words: 4 } as const;
/** Half of what the day before said counts, if it was conspicuous: days of one caller are not independent. */
const persistence = { share: 0.5, threshold: 4 };

/** Logarithm of distinct resources of such a day, before anything is known. */
const usualDay = { mean: 4, deviation: 0.8, windows: 40, between: 0.6 };
/** Hours of the day in which somebody reads: people differ a lot, and sleep. */
const awake = { share: 0.12, strength: 4 };
const hourMs = 3_600_000;
const stateEvery = 8;

export interface ReadingDay {
  readonly table: WindowTable;
  /**
   * @param choice part of a read that was chosen
   * @param browses part of the surprise about the amount that is left of whoever does as browsers do
   * @param usualSame mean sameness of callers
   */
  read(scene: Scene, choice: number, browses: number, usualSame: number): DayStatement | undefined;
  /** A request of a busy reader that reads nothing. */
  other(scene: Scene): void;
}

/** Refilled by the next call. */
export interface DayStatement {
  base: number;
  surprise: number;
  targets: number;
  expected: number;
  hours: number;
  baseline: number;
}

export function createReadingDay(detector: number, close: Parameters<DetectorFactory>[0]): ReadingDay {
  // One kind stands for all, one that nothing reads as.
  const comparedAs = Key.network;
  const sumsAt = cellOf(detector, comparedAs) * SUMS;
  const table = new WindowTable({
    windowMs: 24 * hourMs,
    keptWords: Kept.words,
    words: O.words,
    maxSlots: 4096,
    comparedAs,
    onClose: (t, base) => {
      const { f32, f64 } = t.slab;
      f32[base + t.kept + Kept.last] = f32[base + W.best] as number;
      f64[(base + t.kept + Kept.lastAt) >> 1] = f64[(base + W.windowAt) >> 1] as number;
      close(t, base, (partial) => {
        const sums = sumsOf(partial, detector);
        const ln = Math.log(Math.max(1, chosen(t, base)));
        sums[sumsAt] = (sums[sumsAt] as number) + 1;
        sums[sumsAt + 1] = (sums[sumsAt + 1] as number) + ln;
        sums[sumsAt + 2] = (sums[sumsAt + 2] as number) + ln * ln;
      });
    },
  });
  const statement: DayStatement = { base: 0, surprise: 0, targets: 0, expected: 0, hours: 0, baseline: 0 };
  return {
    table,
    other(scene) {
      const base = table.slab.find(scene.keyLo, scene.keyHi);
      if (base >= 0) noteMajority(table.slab, base + table.own + O.majority, scene);
    },
    read(scene, choice, browses, usualSame) {
      const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
      if (base < 0) return undefined;
      const { u32, f32, f64 } = table.slab;
      const own = base + table.own;
      const reads = (f32[own + O.reads] as number) + 1;
      f32[own + O.reads] = reads;
      f32[own + O.weight] = (f32[own + O.weight] as number) + choice;
      noteMajority(table.slab, own + O.majority, scene);
      const hour = Math.floor((scene.at - (f64[(base + W.windowAt) >> 1] as number)) / hourMs);
      u32[own + O.hours] = (u32[own + O.hours] as number) | (1 << Math.max(0, Math.min(23, hour)));
      addDistinct(
        u32,
        own + O.targets,
        fold(scene.u32[scene.record + F.target] as number, scene.u32[scene.record + F.target + 1] as number),
      );
      if (reads % stateEvery !== 0) return undefined;
      table.sample(base, scene.seq);
      const shared = Math.max(1, scene.sharedBy);
      const sums = scene.population?.sums;
      const usual = normalOf(sums, sumsAt, usualDay);
      const hours = bitsOf(u32[own + O.hours] as number);
      const same = monotonySurprise(f32, own + O.majority, usualSame);
      const beyond = (Math.log(Math.max(1, chosen(table, base) / shared)) - usual.mean) / usual.deviation;
      statement.base = base;
      statement.surprise = combinedSurprise(
        normalSurprise(beyond) * browses,
        same,
        // That it never sleeps says something of who does one thing; of many people somebody is always awake.
        Math.min(1, same) * Math.min(mostOfManner, betaBinomialSurprise(hours, 24, awake.share, awake.strength)),
      );
      if (!hasFlag(scene, Flag.library)) statement.surprise += persistence.share * dayBefore(table, base);
      statement.targets = countDistinct(u32, own + O.targets);
      statement.expected = Math.exp(usual.mean) * shared;
      statement.hours = hours;
      statement.baseline = sums?.[sumsAt] ?? 0;
      return statement;
    },
  };
}

function dayBefore(table: WindowTable, base: number): number {
  const { f32, f64 } = table.slab;
  const last = f32[base + table.kept + Kept.last] as number;
  const gap = (f64[(base + W.windowAt) >> 1] as number) - (f64[(base + table.kept + Kept.lastAt) >> 1] as number);
  return last >= persistence.threshold && gap <= 2 * table.windowMs ? last : 0;
}

/** Distinct resources that were chosen. */
function chosen(table: WindowTable, base: number): number {
  const { u32, f32 } = table.slab;
  const own = base + table.own;
  return (countDistinct(u32, own + O.targets) * (f32[own + O.weight] as number)) / (f32[own + O.reads] as number);
}

function bitsOf(word: number): number {
  let bits = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}

/**
 * Scanners and forced browsing: distinct things asked for that are not there, and requests whose content no ordinary
 * client sends. A page with broken links is the same few for everybody; a word list is many, each once.
 */
import { F, Flag, Signal } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import type { Detector, DetectorFactory, Scene } from './detector.ts';
import { hasFlag, isAsset, statusOf } from './facts.ts';
import { cellOf, SUMS } from './population.ts';
import { betaGeometricSurprise } from './statistics.ts';
import { WindowTable } from './window-table.ts';

const id = 'probing';
const DETECTOR = 7;

const O = { requests: 0, hits: 1, missing: 2, hostile: 2 + DISTINCT_WORDS, words: 2 + 2 * DISTINCT_WORDS } as const;

/** One more missing path, one more hostile request, per window, before anything is known. */
const missing = { mean: 0.25, count: 60, strength: 16 };
const hostile = { mean: 0.015, count: 200, strength: 12 };
/** A scanner that names itself counts as this many hostile requests once. */
const toolWeight = 2;

const windowMs = 3_600_000;

export const probing: DetectorFactory = (close) => {
  const table = new WindowTable({
    windowMs,
    keptWords: 0,
    words: O.words,
    maxSlots: 16_384,
    onClose: (t, base) =>
      close(t, base, (partial, kind) => {
        const { u32 } = t.slab;
        const at = cellOf(DETECTOR, kind) * SUMS;
        const sums = partial.sums;
        sums[at] = (sums[at] as number) + 1;
        sums[at + 1] = (sums[at + 1] as number) + countDistinct(u32, base + t.own + O.missing);
        sums[at + 2] = (sums[at + 2] as number) + countDistinct(u32, base + t.own + O.hostile);
      }),
  });
  const detector: Detector = {
    id,
    kinds: [Key.address, Key.client, Key.user],
    tables: [table],
    update(scene) {
      const signals = scene.u32[scene.record + F.signals] as number;
      const absent = isMissing(scene);
      if (!absent && signals === 0) return;
      const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
      if (base < 0) return;
      const { u32, f32 } = table.slab;
      const own = base + table.own;
      f32[own + O.requests] = (f32[own + O.requests] as number) + 1;
      const target = fold(
        scene.u32[scene.record + F.target] as number,
        scene.u32[scene.record + F.target + 1] as number,
      );
      const path = fold(scene.u32[scene.record + F.path] as number, scene.u32[scene.record + F.path + 1] as number);
      const changed =
        (absent && addDistinct(u32, own + O.missing, path)) ||
        (signals !== 0 && addDistinct(u32, own + O.hostile, target));
      if (signals !== 0 && statusOf(scene) > 0 && statusOf(scene) < 400)
        f32[own + O.hits] = (f32[own + O.hits] as number) + 1;
      if (!changed) return;
      table.sample(base, scene.seq);
      const gone = countDistinct(u32, own + O.missing);
      const bad = countDistinct(u32, own + O.hostile) + (signals & Signal.knownTool ? toolWeight : 0);
      const at = cellOf(DETECTOR, scene.kind) * SUMS;
      const sums = scene.population?.sums;
      const known = sums?.[at] ?? 0;
      const mean = (sum: number, p: typeof missing): number => {
        const extra = sum + (p.mean / (1 - p.mean)) * p.count;
        return Math.min(0.7, extra / (extra + known + p.count));
      };
      const missingMean = mean(sums?.[at + 1] ?? 0, missing);
      const hostileMean = mean(sums?.[at + 2] ?? 0, hostile);
      const byMissing = betaGeometricSurprise(gone / Math.max(1, scene.sharedBy), missingMean, missing.strength);
      const byContent = betaGeometricSurprise(bad, hostileMean, hostile.strength);
      scene.say(table, base, {
        detector: id,
        family: 'content',
        surprise: byMissing + byContent,
        observed: gone + countDistinct(u32, own + O.hostile),
        expected: missingMean / (1 - missingMean) + hostileMean / (1 - hostileMean),
        unit: `requests for ${gone} missing paths and ${countDistinct(u32, own + O.hostile)} with hostile content`,
        baseline: known,
        successShare: (f32[own + O.hits] as number) / (f32[own + O.requests] as number),
      });
    },
  };
  return detector;
};

/** Answered as not there or not well formed, and not a picture that a page points to. */
function isMissing(scene: Scene): boolean {
  const status = statusOf(scene);
  if (status === 404 || status === 400 || status === 405 || status === 414 || status === 444) return !isAsset(scene);
  return status === 403 && hasFlag(scene, Flag.unknownOperation) && !isAsset(scene);
}

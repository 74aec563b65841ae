/**
 * Too many requests: for everybody (a log-normal population with a learned tail) and for this principal (its own past).
 * Both must be surprised: volume alone is not guilt, and a busy client that was always busy is no news.
 */
import { F, Flag } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import type { Detector, DetectorFactory, Scene } from './detector.ts';
import { hasFlag, isAsset } from './facts.ts';
import { cellOf, type Partial, SUMS } from './population.ts';
import { normalOf } from './scraping.ts';
import { normalSurprise } from './statistics.ts';
import { WindowTable } from './window-table.ts';

const id = 'excess';
const DETECTOR = 6;

/** Start of the running second (f64), its requests, the most of any second, and requests of the window. */
const O = { second: 0, running: 2, peak: 3, requests: 4, words: 6 } as const;
/** Mean and mean square of the logarithm of requests per window, and how many windows. */
const Kept = { mean: 0, squares: 1, windows: 2, words: 4 } as const;

const minRequests = 30;
/** However alike most callers are (monitors, cron), one person's minute is several times another's. */
const leastDeviation = 0.9;
const ownWindows = 10;
const settings = [
  { windowMs: 60_000, prior: { mean: 1.6, deviation: 1.1, windows: 60 } },
  { windowMs: 600_000, prior: { mean: 2.4, deviation: 1.25, windows: 60 } },
];
/** Most requests of any second in a minute: a page that loads its parts asks for some ten at once, hardly for fifty. */
const peak = { prior: { mean: 0.8, deviation: 0.7, windows: 60 }, least: 20, leastDeviation: 0.6, place: 6 };

export const excess: DetectorFactory = (close) => {
  const tables = settings.map(
    ({ windowMs }, index) =>
      new WindowTable({
        windowMs,
        keptWords: Kept.words,
        words: O.words,
        maxSlots: 16_384,
        doorkeeperBits: 65_536,
        onClose: (t, base) => {
          const { f32 } = t.slab;
          const kept = base + t.kept;
          const ln = Math.log(Math.max(1, f32[base + t.own + O.requests] as number));
          close(t, base, (partial, kind) => {
            const windows = f32[kept + Kept.windows] as number;
            const weight = 1 / Math.min(windows + 1, 500);
            f32[kept + Kept.mean] = (f32[kept + Kept.mean] as number) * (1 - weight) + ln * weight;
            f32[kept + Kept.squares] = (f32[kept + Kept.squares] as number) * (1 - weight) + ln * ln * weight;
            f32[kept + Kept.windows] = windows + 1;
            // Two windows and the peak share one cell of nine numbers: three each.
            const at = cellOf(DETECTOR, kind) * SUMS + index * 3;
            partial.sums[at] = (partial.sums[at] as number) + 1;
            partial.sums[at + 1] = (partial.sums[at + 1] as number) + ln;
            partial.sums[at + 2] = (partial.sums[at + 2] as number) + ln * ln;
            if (index === 0) learnPeak(partial, kind, f32[base + t.own + O.peak] as number);
          });
        },
      }),
  );
  const detector: Detector = {
    id,
    kinds: [Key.user, Key.app, Key.session, Key.token, Key.address, Key.client],
    tables,
    update(scene) {
      if (isAsset(scene) || hasFlag(scene, Flag.declaredBot)) return;
      for (let index = 0; index < tables.length; index++) {
        const table = tables[index] as WindowTable;
        const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
        if (base < 0) continue;
        const { f32 } = table.slab;
        const own = base + table.own;
        const requests = (f32[own + O.requests] as number) + 1;
        f32[own + O.requests] = requests;
        if (index === 0) statePeak(table, base, scene);
        const each = requests / Math.max(1, scene.sharedBy);
        if (each < minRequests) continue;
        if ((requests & 15) !== 0) continue;
        table.sample(base, scene.seq);
        const prior = (settings[index] as (typeof settings)[number]).prior;
        const at = cellOf(DETECTOR, scene.kind) * SUMS + index * 3;
        const usual = normalOf(scene.population?.sums, at, prior);
        const ln = Math.log(each);
        let surprise = normalSurprise((ln - usual.mean) / Math.max(leastDeviation, usual.deviation));
        const kept = base + table.kept;
        if ((f32[kept + Kept.windows] as number) >= ownWindows) {
          const mean = f32[kept + Kept.mean] as number;
          const deviation = Math.max(0.4, Math.sqrt(Math.max(0, (f32[kept + Kept.squares] as number) - mean * mean)));
          surprise = Math.min(surprise, normalSurprise((Math.log(requests) - mean) / deviation));
        }
        scene.say(table, base, {
          detector: id,
          family: 'volume',
          surprise,
          observed: requests,
          expected: Math.exp(usual.mean) * Math.max(1, scene.sharedBy),
          unit: `requests within ${table.windowMs / 60_000} min`,
          baseline: scene.population?.sums[at] ?? 0,
          successShare: 0,
        });
      }
    },
  };
  const statePeak = (table: WindowTable, base: number, scene: Scene): void => {
    const { f32, f64 } = table.slab;
    const own = base + table.own;
    const second = Math.floor((scene.f64[(scene.record + F.startedAt) >> 1] as number) / 1000);
    const same = f64[(own + O.second) >> 1] === second;
    const running = same ? (f32[own + O.running] as number) + 1 : 1;
    f64[(own + O.second) >> 1] = second;
    f32[own + O.running] = running;
    if (running <= (f32[own + O.peak] as number)) return;
    f32[own + O.peak] = running;
    const each = running / Math.max(1, scene.sharedBy);
    if (each < peak.least) return;
    const at = cellOf(DETECTOR, scene.kind) * SUMS + peak.place;
    const usual = normalOf(scene.population?.sums, at, peak.prior);
    if ((running & 7) === 0) table.sample(base, scene.seq);
    scene.say(table, base, {
      detector: id,
      family: 'volume',
      surprise: normalSurprise((Math.log(each) - usual.mean) / Math.max(peak.leastDeviation, usual.deviation)),
      observed: running,
      expected: Math.exp(usual.mean) * Math.max(1, scene.sharedBy),
      unit: 'requests within one second',
      baseline: scene.population?.sums[at] ?? 0,
      successShare: 0,
    });
  };
  return detector;
};

function learnPeak(partial: Partial, kind: number, most: number): void {
  const at = cellOf(DETECTOR, kind) * SUMS + peak.place;
  const ln = Math.log(Math.max(1, most));
  partial.sums[at] = (partial.sums[at] as number) + 1;
  partial.sums[at + 1] = (partial.sums[at + 1] as number) + ln;
  partial.sums[at + 2] = (partial.sums[at + 2] as number) + ln * ln;
}

/**
 * Many accounts from one source: distinct accounts that failed and never succeeded, out of those tried. People fail on
 * their own account and try it again; an office fails at everybody's rate; a stuffing source fails on nearly all.
 */
import { F, Outcome } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import { isLogin, outcomeOf } from './facts.ts';
import type { Detector, DetectorFactory } from './detector.ts';
import { cellOf, SUMS, sumsOf } from './population.ts';
import { betaBinomialSurprise } from './statistics.ts';
import { WindowTable } from './window-table.ts';

const id = 'credentialStuffing';
const DETECTOR = 1;

/** Own words: attempts, successes (f32); accounts tried, failed, succeeded (sets). */
const O = { attempts: 0, successes: 1, tried: 2, failed: 2 + DISTINCT_WORDS, words: 2 + 2 * DISTINCT_WORDS } as const;

/** Failing accounts per account tried, before anything is known, and how alike sources are: 20 is far from binomial. */
const prior = { mean: 0.15, windows: 40, strength: 20 };

const windowsMs = [600_000, 6 * 3_600_000];

export const credentialStuffing: DetectorFactory = (close) => {
  const tables = windowsMs.map(
    (windowMs) =>
      new WindowTable({
        windowMs,
        keptWords: 0,
        words: O.words,
        maxSlots: 8192,
        onClose: (table, base) =>
          close(table, base, (partial, kind) => {
            const { u32 } = table.slab;
            const tried = countDistinct(u32, base + table.own + O.tried);
            const at = cellOf(DETECTOR, kind) * SUMS;
            const sums = sumsOf(partial, DETECTOR);
            sums[at] = (sums[at] as number) + tried;
            sums[at + 1] = (sums[at + 1] as number) + Math.min(tried, countDistinct(u32, base + table.own + O.failed));
          }),
      }),
  );
  const detector: Detector = {
    id,
    kinds: [Key.address, Key.client, Key.network, Key.session],
    tables,
    update(scene) {
      if (!isLogin(scene)) return;
      const account = fold(
        scene.u32[scene.record + F.account] as number,
        scene.u32[scene.record + F.account + 1] as number,
      );
      if (account === 1) return;
      const outcome = outcomeOf(scene);
      if (outcome === Outcome.unknown) return;
      const at = cellOf(DETECTOR, scene.kind) * SUMS;
      const sums = scene.population?.sums;
      const known = sums?.[at] ?? 0;
      const mean = ((sums?.[at + 1] ?? 0) + prior.mean * prior.windows) / (known + prior.windows);
      for (const table of tables) {
        const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
        if (base < 0) continue;
        const { u32, f32 } = table.slab;
        const own = base + table.own;
        f32[own + O.attempts] = (f32[own + O.attempts] as number) + 1;
        addDistinct(u32, own + O.tried, account);
        if (outcome === Outcome.success) f32[own + O.successes] = (f32[own + O.successes] as number) + 1;
        else addDistinct(u32, own + O.failed, account);
        table.sample(base, scene.seq);
        const tried = countDistinct(u32, own + O.tried);
        // An account that failed first and then got in is not a failed one; how many those are is bounded by the successes.
        const failed = Math.max(0, countDistinct(u32, own + O.failed) - (f32[own + O.successes] as number));
        if (failed < 5) continue;
        scene.say(table, base, {
          detector: id,
          family: 'identity',
          surprise: betaBinomialSurprise(failed, tried, mean, prior.strength),
          observed: failed,
          expected: mean * tried,
          unit: 'distinct accounts with only failed logins',
          baseline: known,
          successShare: (f32[own + O.successes] as number) / (f32[own + O.attempts] as number),
        });
      }
    },
  };
  return detector;
};

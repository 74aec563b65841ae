/**
 * Failed logins in a row without a success: per source, and per account whoever tries. The account is the victim, so a
 * surprise about it is passed on to the sources that failed on it, and never to a network it logged in from before.
 */
import { F, Outcome } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS, hasDistinct } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import type { Detector, DetectorFactory, Scene } from './detector.ts';
import { isLogin, outcomeOf } from './facts.ts';
import { cellOf, SUMS } from './population.ts';
import { betaGeometricSurprise } from './statistics.ts';
import { WindowTable } from './window-table.ts';

const id = 'bruteForce';
const DETECTOR = 0;

/**
 * Sources: last attempt (f64), failures since the last success, attempts without a known outcome, blamed failures and
 * for which surprise, and what the pace of the attempts says.
 */
const O = {
  triedAt: 0,
  run: 2,
  unknown: 3,
  blamed: 4,
  blame: 5,
  attempts: 6,
  successes: 7,
  pace: 8,
  words: 10,
} as const;
/** Accounts: networks of successful logins (kept); failures since the last success, sources that failed. */
const A = { known: DISTINCT_WORDS, run: 0, sources: 2, words: 2 + DISTINCT_WORDS } as const;

/** Chance that a failed login is followed by another failure: people forget, password managers do not. */
const prior = { mean: 0.35, count: 60, strength: 30 };
/** Attempts whose outcome nothing tells: most of them are ordinary logins, so a run says far less. */
const unknownOutcome = { mean: 0.6, strength: 20 };
/** Pauses in which nobody reads the answer and types again, and in which few do; what each says of a program. */
const paces = [
  { withinMs: 1_500, surprise: 0.6 },
  { withinMs: 4_000, surprise: 0.3 },
] as const;
const maxPace = 4;
/** Failures on an attacked account that make a source part of the attack. */
const minBlamed = 3;

const windowsMs = [600_000, 6 * 3_600_000];

export const bruteForce: DetectorFactory = (close) => {
  const sources = windowsMs.map(
    (windowMs) =>
      new WindowTable({
        windowMs,
        keptWords: 0,
        words: O.words,
        maxSlots: 8192,
        onClose: (t, base) => close(t, base, () => {}),
      }),
  );
  const accounts = new WindowTable({
    windowMs: windowsMs[1] as number,
    keptWords: A.known,
    words: A.words,
    maxSlots: 16_384,
    onClose: (t, base) => close(t, base, () => {}),
  });

  const followUp = (scene: Scene): { mean: number; known: number } => {
    const at = cellOf(DETECTOR, Key.account) * SUMS;
    const known = scene.population?.sums[at] ?? 0;
    const failed = scene.population?.sums[at + 1] ?? 0;
    return { mean: Math.min(0.6, (failed + prior.mean * prior.count) / (known + prior.count)), known };
  };

  const onAccount = (scene: Scene, outcome: number): void => {
    const base = accounts.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
    if (base < 0) return;
    const { u32, f32 } = accounts.slab;
    const own = base + accounts.own;
    const network = fold(
      scene.u32[scene.record + F.network] as number,
      scene.u32[scene.record + F.network + 1] as number,
    );
    const familiar = hasDistinct(u32, base + accounts.kept, network) === true;
    const run = f32[own + A.run] as number;
    if (run > 0 && run < 8 && outcome !== Outcome.unknown) {
      const at = cellOf(DETECTOR, Key.account) * SUMS;
      const sums = scene.partial.sums;
      sums[at] = (sums[at] as number) + 1;
      if (outcome === Outcome.failure) sums[at + 1] = (sums[at + 1] as number) + 1;
    }
    if (outcome === Outcome.success) {
      // A success out of a long run may be the attacker's: it teaches nothing about where the owner lives.
      if (run < 8) addDistinct(u32, base + accounts.kept, network);
      f32[own + A.run] = 0;
      u32.fill(0, own + A.sources, own + A.sources + DISTINCT_WORDS);
      return;
    }
    if (outcome === Outcome.unknown || familiar) return;
    f32[own + A.run] = run + 1;
    addDistinct(
      u32,
      own + A.sources,
      fold(scene.u32[scene.record + F.address] as number, scene.u32[scene.record + F.address + 1] as number),
    );
    const { mean } = followUp(scene);
    const surprise = betaGeometricSurprise(run + 1, mean, prior.strength);
    if (surprise < 3) return;
    const to = (code: number, field: number): void =>
      scene.derive({
        detector: DETECTOR,
        code,
        valueLo: scene.u32[scene.record + field] as number,
        valueHi: scene.u32[scene.record + field + 1] as number,
        api: scene.api,
        at: scene.at,
        seq: scene.seq,
        operation: 0,
        object: 0,
        foreign: true,
        success: false,
        delta: countDistinct(u32, own + A.sources),
        surprise,
        count: run + 1,
        flags: scene.u32[scene.record + F.flags] as number,
      });
    to(Key.address, F.address);
  };

  const detector: Detector = {
    id,
    kinds: [Key.account, Key.address, Key.client, Key.session],
    tables: [...sources, accounts],
    update(scene) {
      if (!isLogin(scene)) return;
      const outcome = outcomeOf(scene);
      if (scene.kind === Key.account) return onAccount(scene, outcome);
      const { mean, known } = followUp(scene);
      for (const table of sources) {
        const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
        if (base < 0) continue;
        const { f32 } = table.slab;
        const own = base + table.own;
        f32[own + O.attempts] = (f32[own + O.attempts] as number) + 1;
        table.sample(base, scene.seq);
        const startedAt = scene.f64[(scene.record + F.startedAt) >> 1] as number;
        const triedAt = table.slab.f64[(own + O.triedAt) >> 1] as number;
        table.slab.f64[(own + O.triedAt) >> 1] = startedAt;
        if (outcome === Outcome.success) {
          f32[own + O.run] = 0;
          f32[own + O.pace] = 0;
          f32[own + O.successes] = (f32[own + O.successes] as number) + 1;
          continue;
        }
        const field = outcome === Outcome.unknown ? O.unknown : O.run;
        const run = (f32[own + field] as number) + 1;
        f32[own + field] = run;
        // Pace tells of one program; the attempts of several people interleave.
        if (scene.sharedBy < 2 && triedAt !== 0) {
          const pause = Math.abs(startedAt - triedAt);
          f32[own + O.pace] = (f32[own + O.pace] as number) + (paces.find((p) => pause <= p.withinMs)?.surprise ?? 0);
        }
        const pace = Math.min(maxPace, f32[own + O.pace] as number);
        const model = outcome === Outcome.unknown ? unknownOutcome : { mean, strength: prior.strength };
        // Several people behind one address each bring their own failures; successes in between end a run anyway.
        const share = run / Math.max(1, scene.sharedBy);
        scene.say(table, base, {
          detector: id,
          family: 'identity',
          surprise: betaGeometricSurprise(share, model.mean, model.strength) + pace,
          observed: run,
          expected: model.mean / (1 - model.mean),
          unit:
            outcome === Outcome.unknown
              ? 'login attempts in a row, outcome unknown'
              : 'failed logins in a row without a success',
          baseline: known,
          successShare: 0,
        });
      }
    },
    receive(scene, update) {
      const table = sources[1] as WindowTable;
      const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
      if (base < 0) return;
      const { f32 } = table.slab;
      const own = base + table.own;
      const blamed = (f32[own + O.blamed] as number) + 1;
      f32[own + O.blamed] = blamed;
      f32[own + O.blame] = Math.max(f32[own + O.blame] as number, update.surprise);
      if (blamed < minBlamed) return;
      scene.say(table, base, {
        detector: id,
        family: 'identity',
        surprise: f32[own + O.blame] as number,
        observed: update.count,
        expected: prior.mean / (1 - prior.mean),
        unit: `failed logins on one account from ${update.delta} addresses`,
        baseline: 0,
        successShare: 0,
      });
    },
  };
  return detector;
};

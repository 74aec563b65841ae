/**
 * Failed logins in a row without a success: per source, and per account whoever tries. The account is the victim, so a
 * surprise about it is passed on to the sources that failed on it, and never to a network it logged in from before.
 */
import { F, Flag, methods, Outcome } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS, hasDistinct } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import type { Detector, DetectorFactory, Scene } from './detector.ts';
import { hasFlag, isLogin, methodOf, outcomeOf } from './facts.ts';
import { cellOf, SUMS, sumsOf } from './population.ts';
import { betaGeometricSurprise } from './statistics.ts';
import { WindowTable } from './window-table.ts';

const id = 'bruteForce';
const DETECTOR = 0;

/**
 * Sources: attempts ever (kept); last attempt (f64), failures since the last success, attempts without a known outcome,
 * blamed failures and for which surprise, what the pace of the attempts says, how many came briskly, 1 when it only
 * ever posted attempts, and how many came after a long pause.
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
  brisk: 9,
  bare: 10,
  /** Requests of the principal up to its last attempt. */
  upTo: 11,
  rare: 12,
  /** User agent of the last attempt. */
  agent: 13,
  words: 14,
} as const;
const Kept = { attempts: 0, words: 2 } as const;
/**
 * Accounts: networks of successful logins (kept); failures since the last success from elsewhere and from anywhere,
 * sources that failed.
 */
const A = { known: DISTINCT_WORDS, run: 0, streak: 1, sources: 2, words: 2 + DISTINCT_WORDS } as const;

/**
 * Chance that a login fails: the first, after one failure, after two, after three or more. People mistype and forget,
 * password managers do not, and nobody's third guess is as likely as his first; how it is here is learned for each, from
 * a prior worth so many logins. Callers differ in the last.
 */
const prior = { chances: [0.2, 0.4, 0.45, 0.4], logins: 40, most: 0.6, strength: 40 } as const;
const depths = prior.chances.length;
/** A longer run is hardly its owner's. */
const maxLearned = 8;
/** Attempts whose outcome nothing tells: most of them are ordinary logins, so a run says far less. */
const unknownOutcome = { mean: 0.6, strength: 20 };
/** Pauses in which nobody reads the answer and types again, and in which few do; what each says of a program. */
const paces = [
  { withinMs: 1_500, surprise: 0.6 },
  { withinMs: 4_000, surprise: 0.3 },
] as const;
const maxPace = 4;
/** Many people type again within this time, but not again and again; said once more per pause, up to a limit. */
const brisk = { withinMs: 10_000, surprise: 0.35, most: 1.75 };
/**
 * Programs that keep a password which has changed try it for ever, a few times an hour; so few guesses lead nowhere. An
 * attempt after such a pause counts so much, and all of them no more than so many.
 */
const rare = { afterMs: 540_000, weight: 0.3, most: 4 };
/** Requests of other kinds after an attempt that show it led somewhere, where its answer does not: more than a form and its redirect. */
const wentOn = 4;
/**
 * Sources that only ever posted attempts: who uses a browser asks for the form first. Share of them among sources that
 * got in, before anything is known: apps that sign in by themselves are among them.
 */
const bare = { share: 0.08, sources: 25, least: 0.005 };
const POST = methods.indexOf('POST');
/** Failures on an attacked account that make a source part of the attack. */
const minBlamed = 3;

const windowsMs = [600_000, 6 * 3_600_000];

export const bruteForce: DetectorFactory = (close) => {
  const sources = windowsMs.map(
    (windowMs) =>
      new WindowTable({
        windowMs,
        keptWords: Kept.words,
        words: O.words,
        maxSlots: 8192,
        onClose: (t, base) =>
          close(t, base, (partial, kind) => {
            const { f32 } = t.slab;
            if ((f32[base + t.own + O.successes] as number) === 0) return;
            const at = cellOf(DETECTOR, kind) * SUMS;
            const sums = sumsOf(partial, DETECTOR);
            sums[at] = (sums[at] as number) + 1;
            sums[at + 1] = (sums[at + 1] as number) + (f32[base + t.own + O.bare] as number);
          }),
      }),
  );
  const accounts = new WindowTable({
    windowMs: windowsMs[1] as number,
    keptWords: A.known,
    words: A.words,
    maxSlots: 16_384,
    onClose: (t, base) => close(t, base, () => {}),
  });

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
    const streak = f32[own + A.streak] as number;
    if (streak < maxLearned && outcome !== Outcome.unknown) learn(scene, streak, outcome === Outcome.failure);
    f32[own + A.streak] = outcome === Outcome.failure ? streak + 1 : 0;
    if (outcome === Outcome.success) {
      // A success out of a long run may be the attacker's: it teaches nothing about where the owner lives.
      if (run < maxLearned) addDistinct(u32, base + accounts.kept, network);
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
    const surprise = runSurprise(chancesOf(scene), run + 1);
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
        first: false,
        success: false,
        delta: countDistinct(u32, own + A.sources),
        surprise,
        count: run + 1,
        flags: scene.u32[scene.record + F.flags] as number,
      });
    to(Key.address, F.address);
  };

  const bareSurprise = (scene: Scene, isBare: boolean): number => {
    if (!isBare || scene.sharedBy > 1) return 0;
    const at = cellOf(DETECTOR, scene.kind) * SUMS;
    const sources = scene.population?.sums[at] ?? 0;
    const those = scene.population?.sums[at + 1] ?? 0;
    return -Math.log10(Math.max(bare.least, (those + bare.share * bare.sources) / (sources + bare.sources)));
  };

  const detector: Detector = {
    id,
    kinds: [Key.account, Key.address, Key.client, Key.session],
    tables: [...sources, accounts],
    update(scene) {
      if (!isLogin(scene)) return;
      const outcome = outcomeOf(scene);
      // A monitor that says so tries the form, or asks all day without a password: only what is refused for certain counts.
      if (hasFlag(scene, Flag.declaredBot) && (methodOf(scene) !== POST || outcome === Outcome.unknown)) return;
      if (scene.kind === Key.account) return onAccount(scene, outcome);
      const chances = chancesOf(scene);
      for (const table of sources) {
        const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
        if (base < 0) continue;
        const { u32, f32 } = table.slab;
        const own = base + table.own;
        f32[own + O.attempts] = (f32[own + O.attempts] as number) + 1;
        const ever = (f32[base + table.kept + Kept.attempts] as number) + 1;
        f32[base + table.kept + Kept.attempts] = ever;
        // The doorkeeper held back the first request of a principal: who asked for anything else has as many or more.
        f32[own + O.bare] = methodOf(scene) === POST && scene.requests === ever - 1 ? 1 : 0;
        table.sample(base, scene.seq);
        const startedAt = scene.f64[(scene.record + F.startedAt) >> 1] as number;
        const triedAt = table.slab.f64[(own + O.triedAt) >> 1] as number;
        table.slab.f64[(own + O.triedAt) >> 1] = startedAt;
        if (scene.requests - (f32[own + O.upTo] as number) > wentOn) {
          f32[own + O.unknown] = 0;
          if (f32[own + O.run] === 0) f32.fill(0, own + O.pace, own + O.brisk + 1);
        }
        f32[own + O.upTo] = scene.requests;
        if (outcome === Outcome.success) {
          f32[own + O.run] = 0;
          f32[own + O.unknown] = 0;
          f32[own + O.pace] = 0;
          f32[own + O.brisk] = 0;
          f32[own + O.rare] = 0;
          f32[own + O.successes] = (f32[own + O.successes] as number) + 1;
          continue;
        }
        const field = outcome === Outcome.unknown ? O.unknown : O.run;
        f32[own + field] = (f32[own + field] as number) + 1;
        if (triedAt !== 0 && Math.abs(startedAt - triedAt) >= rare.afterMs)
          f32[own + O.rare] = (f32[own + O.rare] as number) + 1;
        const agent = scene.u32[scene.record + F.userAgent] as number;
        const alone = scene.sharedBy < 2 && (outcome !== Outcome.unknown || agent === u32[own + O.agent]);
        u32[own + O.agent] = agent;
        // Pace tells of one program; the attempts of several people interleave, and a class signs in at once.
        if (alone && triedAt !== 0) {
          const pause = Math.abs(startedAt - triedAt);
          f32[own + O.pace] = (f32[own + O.pace] as number) + (paces.find((p) => pause <= p.withinMs)?.surprise ?? 0);
          if (pause <= brisk.withinMs) f32[own + O.brisk] = (f32[own + O.brisk] as number) + 1;
        }
        const pace = Math.max(
          Math.min(maxPace, f32[own + O.pace] as number),
          Math.min(brisk.most, brisk.surprise * (f32[own + O.brisk] as number)),
        );
        const failed = f32[own + O.run] as number;
        const unknown = f32[own + O.unknown] as number;
        // Several people behind one address each bring their own failures; successes in between end a run anyway.
        const rarely = Math.min(f32[own + O.rare] as number, failed + unknown);
        const counted = failed + unknown - rarely + Math.min(rare.most, rare.weight * rarely);
        const sharers = (Math.max(1, scene.sharedBy) * (failed + unknown)) / Math.max(rare.weight, counted);
        scene.say(table, base, {
          detector: id,
          family: 'identity',
          surprise:
            (failed > 0 ? runSurprise(chances, failed / sharers) : 0) +
            betaGeometricSurprise(unknown / sharers, unknownOutcome.mean, unknownOutcome.strength) +
            pace +
            bareSurprise(scene, f32[own + O.bare] === 1),
          observed: failed + unknown,
          expected: failed > 0 ? expectedRun(chances) : unknownOutcome.mean / (1 - unknownOutcome.mean),
          unit:
            failed === 0
              ? 'login attempts in a row, outcome unknown'
              : unknown > 0
                ? `login attempts in a row without a success, ${failed} of them failed for certain`
                : 'failed logins in a row without a success',
          baseline: chances.known,
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
        expected: expectedRun(chancesOf(scene)),
        unit: `failed logins on one account from ${update.delta} addresses`,
        baseline: 0,
        successShare: 0,
      });
    },
  };
  return detector;
};

function learn(scene: Scene, depth: number, failed: boolean): void {
  const at = cellOf(DETECTOR, Key.account) * SUMS + 2 * Math.min(depth, depths - 1);
  const sums = sumsOf(scene.partial, DETECTOR);
  sums[at] = (sums[at] as number) + 1;
  if (failed) sums[at + 1] = (sums[at + 1] as number) + 1;
}

/** Chance of failure by depth; one array for all, read before the next call. */
const chances = { known: 0, at: new Float64Array(depths) };

function chancesOf(scene: Scene): typeof chances {
  const sums = scene.population?.sums;
  const at = cellOf(DETECTOR, Key.account) * SUMS;
  chances.known = sums?.[at] ?? 0;
  for (let i = 0; i < depths; i++) {
    const logins = (sums?.[at + 2 * i] ?? 0) + prior.logins;
    const failed = (sums?.[at + 2 * i + 1] ?? 0) + (prior.chances[i] as number) * prior.logins;
    chances.at[i] = Math.min(prior.most, failed / logins);
  }
  return chances;
}

/** Surprise of `run` failures in a row; what several people share need not be whole. */
function runSurprise({ at }: typeof chances, run: number): number {
  let surprise = 0;
  for (let i = 0; i < depths - 1; i++) {
    if (run <= i) return surprise;
    surprise -= Math.log10(at[i] as number) * Math.min(1, run - i);
  }
  return surprise + betaGeometricSurprise(run - (depths - 1), at[depths - 1] as number, prior.strength);
}

/** Failures in a row that a login leads to on average. */
function expectedRun({ at }: typeof chances): number {
  let expected = 0;
  let reached = 1;
  for (let i = 0; i < depths - 1; i++) expected += reached *= at[i] as number;
  const last = at[depths - 1] as number;
  return expected + (reached * last) / (1 - last);
}

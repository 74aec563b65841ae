/**
 * Stuffing spread so thin that no address and no account is conspicuous: what the attempts have in common is. For each
 * trait and conjunction of traits, failures are held against the rest of the login traffic of the same minutes, and the
 * trait's precision is measured: which part of what carries it is attack (after Herley and Schechter, 2019).
 * Where they have nothing in common but what they do not do, strangers tell: addresses that came to sign in and for
 * nothing else, failed, and did not get in later. How many those are in ordinary hours is learned.
 */
import { F, Flag, Outcome } from '../observation.ts';
import { Key, KIND_BITS, Trait } from '../engine/key-kind.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import { hasFlag, isLogin, outcomeOf } from './facts.ts';
import type { Detector, DetectorFactory, Scene } from './detector.ts';
import { cellOf, LOGINS, SUMS, sumsOf } from './population.ts';
import { betaBinomialSurprise, negativeBinomialSurprise } from './statistics.ts';
import { WindowTable } from './window-table.ts';

const id = 'distributedStuffing';
const DETECTOR = 2;

/** Kept: whoever logged in with these traits in ordinary windows. Own attempts and failures (f32); everybody's when the window opened (f64); accounts and addresses (sets). */
const O = {
  attempts: 0,
  failures: 1,
  everyAttempt: 2,
  everyFailure: 4,
  accounts: 6,
  addresses: 6 + DISTINCT_WORDS,
  words: 6 + 2 * DISTINCT_WORDS,
} as const;
const Kept = { people: 0, words: DISTINCT_WORDS } as const;

/** Failed share of login attempts before anything is known; traits carry many people, so their ratios vary less. */
const prior = { mean: 0.15, attempts: 60, strength: 60 };
/** The past counts as so many attempts of the window's own control group. */
const pastWeight = 20;
/** Share of stolen credentials that do not work (published hit rates are 0.1–2 %). */
const attackFailure = 0.97;
/** Below these it is not distributed: the detectors of single sources and accounts see it. */
const minAddresses = 6;
const minAccounts = 8;
/** Where nothing names the accounts, addresses alone have to show the spread. */
const minNamelessAddresses = 12;

const windowsMs = [300_000, 3_600_000];

/** Strangers of a window: those who failed, those who got in after all (sets), attempts; everybody's when it opened (f64). */
const S = {
  everyAttempt: 0,
  everyFailure: 2,
  tries: 4,
  failed: 6,
  redeemed: 6 + DISTINCT_WORDS,
  words: 6 + 2 * DISTINCT_WORDS,
} as const;
/** Addresses: attempts ever (kept), failures of the window. */
const A = { attempts: 0, keptWords: 2, failures: 0, words: 2 } as const;
const strangerWindowsMs = [3_600_000, 6 * 3_600_000];
/** Strangers per hour before anything is known; sites differ, and so do hours, though never less than this. */
const strangerPrior = { mean: 1, windows: 6, shape: 1.5, most: 8, least: 12 };
/** Who failed and got in after all tells how many give up: so many for each of them. */
const givesUp = 0.5;
/** When known callers fail as well it is the site: each surprise counts half. */
const siteFails = { attempts: 10, share: 0.6, weight: 0.5 };
/** One key stands for all strangers of an API. */
const STRANGERS = Key.trait;

/** What `fold` makes of an account that no rule names. */
const nameless = fold(0, 0);

function countLogin(scene: Scene, failed: boolean): void {
  const { logins } = scene.partial;
  logins[LOGINS.attempts] = (logins[LOGINS.attempts] as number) + 1;
  if (failed) logins[LOGINS.failures] = (logins[LOGINS.failures] as number) + 1;
}

export const distributedStuffing: DetectorFactory = (close) => {
  const tables = windowsMs.map(
    (windowMs) =>
      new WindowTable({
        windowMs,
        keptWords: Kept.words,
        words: O.words,
        maxSlots: 4096,
        onClose: (table, base) =>
          close(table, base, (partial, kind) => {
            const { f32 } = table.slab;
            const attempts = f32[base + table.own + O.attempts] as number;
            const failures = f32[base + table.own + O.failures] as number;
            // What only failed may be a piece of an attack too thin to be seen in it.
            if (failures >= attempts) return;
            const at = cellOf(DETECTOR, kind) * SUMS;
            const sums = sumsOf(partial, DETECTOR);
            sums[at] = (sums[at] as number) + attempts;
            sums[at + 1] = (sums[at + 1] as number) + failures;
          }),
      }),
  );
  const strangers = strangerWindowsMs.map(
    (windowMs, index) =>
      new WindowTable({
        windowMs,
        keptWords: 0,
        words: S.words,
        maxSlots: 64,
        onClose: (table, base) =>
          close(table, base, (partial) => {
            const at = cellOf(DETECTOR, Key.address) * SUMS + 3 * index;
            const count = strangersIn(table, base);
            const sums = sumsOf(partial, DETECTOR);
            sums[at] = (sums[at] as number) + 1;
            sums[at + 1] = (sums[at + 1] as number) + count;
            sums[at + 2] = (sums[at + 2] as number) + count * count;
          }),
      }),
  );
  const addresses = new WindowTable({
    windowMs: strangerWindowsMs[1] as number,
    keptWords: A.keptWords,
    words: A.words,
    maxSlots: 8192,
    onClose: () => {},
  });

  /** Tells the key of all strangers what came of this one. */
  const onAddress = (scene: Scene, failed: boolean): void => {
    if (hasFlag(scene, Flag.declaredBot)) return;
    const base = addresses.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
    if (base < 0) return;
    const { f32 } = addresses.slab;
    const attempts = (f32[base + addresses.kept + A.attempts] as number) + 1;
    f32[base + addresses.kept + A.attempts] = attempts;
    const failures = f32[base + addresses.own + A.failures] as number;
    if (failed) {
      // A form, and what it points to, may be fetched before each attempt.
      if (scene.requests > 2 * attempts + 1) return;
      f32[base + addresses.own + A.failures] = failures + 1;
    } else if (failures === 0) return;
    scene.derive({
      detector: DETECTOR,
      code: STRANGERS,
      valueLo: 1,
      valueHi: 0,
      api: scene.api,
      at: scene.at,
      seq: scene.seq,
      operation: 0,
      object: fold(scene.valueLo, scene.valueHi),
      foreign: true,
      first: false,
      success: !failed,
      delta: 0,
      surprise: 0,
      count: 1,
      flags: scene.u32[scene.record + F.flags] as number,
    });
  };

  const detector: Detector = {
    id,
    kinds: [Key.trait, Key.account, Key.address],
    tables: [...tables, ...strangers, addresses],
    update(scene) {
      if (!isLogin(scene)) return;
      const outcome = outcomeOf(scene);
      if (outcome === Outcome.unknown) return;
      const failed = outcome === Outcome.failure;
      if (scene.kind === Key.address) return onAddress(scene, failed);
      if (scene.kind === Key.account) {
        // Each attempt has one account: here the population is counted once.
        countLogin(scene, failed);
        return;
      }
      const account = fold(
        scene.u32[scene.record + F.account] as number,
        scene.u32[scene.record + F.account + 1] as number,
      );
      if (account === nameless && scene.code >>> KIND_BITS === Trait.userAgent) countLogin(scene, failed);
      const at = cellOf(DETECTOR, Key.trait) * SUMS;
      const sums = scene.population?.sums;
      const known = sums?.[at] ?? 0;
      const slow = ((sums?.[at + 1] ?? 0) + prior.mean * prior.attempts) / (known + prior.attempts);
      for (const table of tables) {
        const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
        if (base < 0) continue;
        const { u32, f32, f64 } = table.slab;
        const own = base + table.own;
        const every = scene.population?.logins;
        if (f32[own + O.attempts] === 0) {
          f64[(own + O.everyAttempt) >> 1] = every?.[LOGINS.attempts] ?? 0;
          f64[(own + O.everyFailure) >> 1] = every?.[LOGINS.failures] ?? 0;
        }
        const attempts = (f32[own + O.attempts] as number) + 1;
        const failures = (f32[own + O.failures] as number) + (failed ? 1 : 0);
        f32[own + O.attempts] = attempts;
        f32[own + O.failures] = failures;
        const address = fold(
          scene.u32[scene.record + F.address] as number,
          scene.u32[scene.record + F.address + 1] as number,
        );
        addDistinct(u32, own + O.addresses, address);
        if (!failed) {
          // What gets in while most attempts fail may be the attack's luck: it makes nobody a bystander.
          if (failures * 2 <= attempts)
            addDistinct(u32, base + table.kept + Kept.people, account === nameless ? address : account);
          continue;
        }
        if (account !== nameless) addDistinct(u32, own + O.accounts, account);
        table.sample(base, scene.seq);
        const addresses = countDistinct(u32, own + O.addresses);
        const accounts = countDistinct(u32, own + O.accounts);
        const named = accounts > 0;
        if (addresses < (named ? minAddresses : minNamelessAddresses) || (named && accounts < minAccounts)) continue;
        // On a day when everybody fails (a rotation, an outage) the rest of the traffic fails as well: what logged in
        // during this very window without these traits is the control group, and its size says how sure it is.
        const since = (total: number, at: number): number =>
          Math.max(0, (every?.[total] ?? 0) - (f64[(own + at) >> 1] as number));
        const restAttempts = Math.max(0, since(LOGINS.attempts, O.everyAttempt) - attempts);
        const restFailures = Math.min(restAttempts, Math.max(0, since(LOGINS.failures, O.everyFailure) - failures));
        const rest = (restFailures + slow * pastWeight) / (restAttempts + pastWeight);
        const mean = Math.min(0.9, Math.max(slow, rest));
        const strength = Math.min(prior.strength, restAttempts + pastWeight);
        const excess = Math.max(0, failures - mean * attempts);
        scene.say(table, base, {
          detector: id,
          family: 'network',
          surprise: betaBinomialSurprise(
            Math.min(failures, (named ? accounts : addresses) * 2),
            attempts,
            mean,
            strength,
          ),
          observed: failures,
          expected: mean * attempts,
          unit: `failed logins ${named ? `on ${accounts} accounts ` : ''}from ${addresses} addresses that share these traits`,
          baseline: known,
          successShare: 1 - failures / attempts,
          campaign: {
            precision: Math.min(1, excess / ((attackFailure - Math.min(mean, attackFailure - 0.05)) * attempts)),
            coverage: excess,
            addresses,
            accounts,
            standing: countDistinct(u32, base + table.kept + Kept.people),
            traitSet: scene.code >>> KIND_BITS,
          },
        });
      }
    },
    receive(scene, update) {
      const every = scene.population?.logins;
      for (const [index, table] of strangers.entries()) {
        const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
        if (base < 0) continue;
        const { u32, f32, f64 } = table.slab;
        const own = base + table.own;
        if (f32[own + S.tries] === 0) {
          f64[(own + S.everyAttempt) >> 1] = every?.[LOGINS.attempts] ?? 0;
          f64[(own + S.everyFailure) >> 1] = every?.[LOGINS.failures] ?? 0;
        }
        if (update.success) {
          addDistinct(u32, own + S.redeemed, update.object);
          continue;
        }
        const tries = (f32[own + S.tries] as number) + 1;
        f32[own + S.tries] = tries;
        addDistinct(u32, own + S.failed, update.object);
        table.sample(base, update.seq);
        const count = strangersIn(table, base);
        if (count < strangerPrior.least) continue;
        const at = cellOf(DETECTOR, Key.address) * SUMS + 3 * index;
        const windows = scene.population?.sums[at] ?? 0;
        const hours = table.windowMs / (strangerWindowsMs[0] as number);
        const usual = usualStrangers(scene.population?.sums, at, hours);
        const { shape } = usual;
        const expected = Math.max(usual.expected, givesUp * countDistinct(u32, own + S.redeemed));
        const restAttempts = (every?.[LOGINS.attempts] ?? 0) - (f64[(own + S.everyAttempt) >> 1] as number) - tries;
        const restFailures = (every?.[LOGINS.failures] ?? 0) - (f64[(own + S.everyFailure) >> 1] as number) - tries;
        const fails = restAttempts >= siteFails.attempts && restFailures > siteFails.share * restAttempts;
        scene.say(table, base, {
          detector: id,
          family: 'network',
          surprise: negativeBinomialSurprise(count, expected, shape) * (fails ? siteFails.weight : 1),
          observed: count,
          expected,
          unit: `addresses within ${hours} h that came to sign in and for nothing else, and failed`,
          baseline: windows,
          successShare: 0,
          campaign: {
            precision: Math.max(0, 1 - expected / count),
            coverage: Math.max(0, count - expected),
            addresses: count,
            accounts: 0,
            standing: 0,
            traitSet: 0,
          },
        });
      }
    },
  };
  return detector;
};

function hourlyStrangers(sums: Float64Array | undefined): number {
  const at = cellOf(DETECTOR, Key.address) * SUMS;
  const windows = (sums?.[at] ?? 0) + strangerPrior.windows;
  return ((sums?.[at + 1] ?? 0) + strangerPrior.mean * strangerPrior.windows) / windows;
}

/** Mean, and the shape of a Gamma distribution that explains the variance between windows, by moments. */
function usualStrangers(
  sums: Float64Array | undefined,
  at: number,
  hours: number,
): { expected: number; shape: number } {
  const prior = strangerPrior.mean * hours;
  const windows = (sums?.[at] ?? 0) + strangerPrior.windows;
  const mean = ((sums?.[at + 1] ?? 0) + prior * strangerPrior.windows) / windows;
  // Hours are known sooner than quarters of a day; both are counted only where there were any, so neither is too low.
  const expected = Math.min(mean, hours * hourlyStrangers(sums));
  const priorSquares = prior + prior ** 2 * (1 + 1 / strangerPrior.shape);
  const squares = ((sums?.[at + 2] ?? 0) + priorSquares * strangerPrior.windows) / windows;
  const beyond = Math.max(1e-9, squares - expected ** 2 - expected);
  return { expected, shape: Math.max(strangerPrior.shape, Math.min(strangerPrior.most, expected ** 2 / beyond)) };
}

/** Strangers who failed and did not get in. */
function strangersIn(table: WindowTable, base: number): number {
  const { u32 } = table.slab;
  const own = base + table.own;
  return Math.max(0, countDistinct(u32, own + S.failed) - countDistinct(u32, own + S.redeemed));
}

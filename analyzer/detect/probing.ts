/**
 * Scanners and forced browsing: distinct things asked for that are not there, and requests whose content no ordinary
 * client sends. Links that are gone come with a page that names them, among pages that are there; a word list is many
 * that nothing links to, each once, faster than anybody types. Sites that answer everything with a page or a redirect
 * never say what is missing: there it is one and the same answer to many names that scanners try everywhere.
 */
import { F, Flag, methods, Signal } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import type { Detector, DetectorFactory, Scene } from './detector.ts';
import { hasFlag, isAsset, methodOf, statusOf } from './facts.ts';
import { cellOf, SUMS, sumsOf } from './population.ts';
import { betaGeometricSurprise } from './statistics.ts';
import { WindowTable } from './window-table.ts';

const id = 'probing';
const DETECTOR = 7;

/** Last miss (f64), counts, and the sets of missing paths and hostile targets. */
const O = {
  missedAt: 0,
  requests: 2,
  hits: 3,
  /** Requests that were served since the first miss. */
  served: 4,
  /** Weight of the distinct missing paths and of the distinct hostile targets. */
  gone: 5,
  bad: 6,
  /** Misses that nothing linked to, right after another. */
  fast: 7,
  /** Refused requests right after another, under another user agent. */
  switches: 8,
  agent: 9,
  /** Records looked up that are not there. */
  lookups: 10,
  /** The answer that names nothing links to got most, its lead over other answers, and what those names weigh. */
  answer: 11,
  lead: 12,
  alike: 13,
  missing: 14,
  hostile: 14 + DISTINCT_WORDS,
  words: 14 + 2 * DISTINCT_WORDS,
} as const;

/** One more missing path, one more hostile request, per window, before anything is known. */
const missing = { mean: 0.25, count: 60, strength: 16, most: 0.5 };
const hostile = { mean: 0.015, count: 200, strength: 12, most: 0.2 };

/** A missing path that a page links to, or whose operation exists and may answer 404 for "none". */
const linkedWeight = 0.2;
/**
 * Who looks records up by their ids (pictures of customers, parts of backups, modules) meets many that are not there:
 * it says no more than so much. Word lists hold words.
 */
const lookup = { weight: 0.2, most: 3 };
/** What a path weighs that got the same answer as the others, by whether it is a name that is tried everywhere; of which there must be some. */
const alike = { tried: 1, other: 0.15, least: 6, triedShare: 0.25 } as const;
/** Bodies of one page differ by a token or the name that was asked for. */
const sameBytes = 12;
/**
 * Among served requests misses count less, and far less once they are few: by the cube of twice their share, down to
 * this. Programs that look whether something is there before they fetch or write it are served most of the time.
 */
const leastShare = 0.1;
/** Answers of something done: who is let write here is no stranger feeling for what there is. */
const done = { statuses: new Set([201, 204, 207]), weight: 4 } as const;
/** Nobody follows dead bookmarks this fast, or changes browsers. */
const fastMs = 2_000;
const switchMs = 3_000;
const perFast = 0.25;
const perSwitch = 0.5;
const maxPace = 3;
const maxSwitches = 5;

/** Payloads with no use but an attack weigh more than places that only may be one. */
const weights: readonly (readonly [signals: number, weight: number])[] = [
  [Signal.exploitPath | Signal.codeInjection | Signal.openProxy, 3],
  [Signal.knownTool, 2.5],
  [Signal.sqlInjection | Signal.pathTraversal | Signal.scriptInjection, 2],
  [Signal.sensitiveFile, 1.5],
];

const GET = methods.indexOf('GET');
const HEAD = methods.indexOf('HEAD');
const OPTIONS = methods.indexOf('OPTIONS');
const windowMs = 3_600_000;

export const probing: DetectorFactory = (close) => {
  const table = new WindowTable({
    windowMs,
    keptWords: 0,
    words: O.words,
    maxSlots: 16_384,
    onClose: (t, base) =>
      close(t, base, (partial, kind) => {
        const { f32 } = t.slab;
        const own = base + t.own;
        const at = cellOf(DETECTOR, kind) * SUMS;
        const sums = sumsOf(partial, DETECTOR);
        sums[at] = (sums[at] as number) + 1;
        sums[at + 1] = (sums[at + 1] as number) + (f32[own + O.gone] as number) + alikeWeight(f32, own);
        // Hostile only in looks is what the site answers; what it refuses stays hostile, however many try.
        sums[at + 2] = (sums[at + 2] as number) + Math.min(f32[own + O.hits] as number, f32[own + O.bad] as number);
      }),
  });
  const detector: Detector = {
    id,
    kinds: [Key.address, Key.client, Key.user],
    tables: [table],
    update(scene) {
      const signals = scene.u32[scene.record + F.signals] as number;
      const absent = isMissing(scene);
      if (!absent && signals === 0) {
        if (isAsset(scene)) return;
        // Who asked for none of those names is not followed.
        const tried = hasFlag(scene, Flag.triedName) && isGuess(scene);
        const base = tried
          ? table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code)
          : table.slab.find(scene.keyLo, scene.keyHi);
        if (base < 0) return;
        const same = isGuess(scene) && noteAlike(table, base, scene);
        if (!same || !tried) servedBeside(table, base, scene);
        if (!same) return;
        table.sample(base, scene.seq);
        state(table, base, scene);
        return;
      }
      const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
      if (base < 0) return;
      const { f32 } = table.slab;
      const own = base + table.own;
      f32[own + O.requests] = (f32[own + O.requests] as number) + 1;
      if (signals !== 0 && statusOf(scene) > 0 && statusOf(scene) < 400)
        f32[own + O.hits] = (f32[own + O.hits] as number) + 1;
      const missed = absent && noteMissing(table, base, scene);
      const attacked = signals !== 0 && noteHostile(table, base, scene, signals);
      if (!missed && !attacked) return;
      table.sample(base, scene.seq);
      state(table, base, scene);
    },
  };

  const state = (t: WindowTable, base: number, scene: Scene): void => {
    const { u32, f32 } = t.slab;
    const own = base + t.own;
    const at = cellOf(DETECTOR, scene.kind) * SUMS;
    const sums = scene.population?.sums;
    const known = sums?.[at] ?? 0;
    const mean = (sum: number, p: typeof missing): number => {
      const extra = sum + (p.mean / (1 - p.mean)) * p.count;
      return Math.min(p.most, extra / (extra + known + p.count));
    };
    const missingMean = mean(sums?.[at + 1] ?? 0, missing);
    const hostileMean = mean(sums?.[at + 2] ?? 0, hostile);
    const same = alikeWeight(f32, own);
    const gone =
      (f32[own + O.gone] as number) + same + Math.min(lookup.most, lookup.weight * (f32[own + O.lookups] as number));
    const served = f32[own + O.served] as number;
    const share = served === 0 ? 1 : Math.max(leastShare, Math.min(1, ((2 * gone) / (gone + served)) ** 3));
    const bad = f32[own + O.bad] as number;
    const each = (gone * share) / Math.max(1, scene.sharedBy);
    // A crawler that says so works off old links for years: what is gone counts only beside hostile content.
    const byMissing =
      hasFlag(scene, Flag.declaredBot) && bad === 0
        ? 0
        : betaGeometricSurprise(each, missingMean, missing.strength) +
          share *
            (Math.min(maxPace, perFast * (f32[own + O.fast] as number)) +
              Math.min(maxSwitches, perSwitch * (f32[own + O.switches] as number)));
    const byContent = betaGeometricSurprise(bad, hostileMean, hostile.strength);
    // Sets are sketches: they never say more than there was.
    const requests = f32[own + O.requests] as number;
    const paths = Math.min(requests, countDistinct(u32, own + O.missing));
    const which = same > 0 ? 'paths that are missing or all answered alike' : 'missing paths';
    const targets = Math.min(requests, countDistinct(u32, own + O.hostile));
    scene.say(t, base, {
      detector: id,
      family: 'content',
      // Added, not combined: each look is silent for nearly everybody, and calibration counts how often both speak.
      surprise: byMissing + byContent,
      observed: requests,
      expected: missingMean / (1 - missingMean) + hostileMean / (1 - hostileMean),
      unit:
        targets === 0
          ? `requests for ${paths} ${which}`
          : paths === 0
            ? `requests, ${targets} targets with hostile content`
            : `requests, ${paths} ${which} and ${targets} targets with hostile content`,
      baseline: known,
      successShare: (f32[own + O.hits] as number) / requests,
    });
  };
  return detector;
};

/** Requests that are served weigh against the misses around them. */
function servedBeside(table: WindowTable, base: number, scene: Scene): void {
  if (statusOf(scene) >= 400) return;
  const { f32 } = table.slab;
  const own = base + table.own;
  if ((f32[own + O.requests] as number) === 0) return;
  const weight = done.statuses.has(statusOf(scene)) && methodOf(scene) !== OPTIONS ? done.weight : 1;
  f32[own + O.served] = (f32[own + O.served] as number) + weight;
}

/** A page that nothing linked to, asked for by name. */
function isGuess(scene: Scene): boolean {
  const status = statusOf(scene);
  return (
    (methodOf(scene) === GET || methodOf(scene) === HEAD) &&
    !hasFlag(scene, Flag.hasReferer) &&
    !hasFlag(scene, Flag.recordPath) &&
    (status === 200 || status === 401 || (status >= 300 && status < 400 && status !== 304))
  );
}

/**
 * Counts a path that was not asked for before by the answer it got; the most common answer is kept after Boyer and
 * Moore (1981). True when it is that answer.
 */
function noteAlike(table: WindowTable, base: number, scene: Scene): boolean {
  const { u32, f32, f64 } = table.slab;
  const own = base + table.own;
  const path = fold(scene.u32[scene.record + F.path] as number, scene.u32[scene.record + F.path + 1] as number);
  if (!addDistinct(u32, own + O.missing, path)) return false;
  const status = statusOf(scene);
  const bytes = scene.f64[(scene.record + F.responseBytes) >> 1] as number;
  // A redirect's length is that of the place it points to; 0 stands for no answer yet.
  const answer = status === 200 ? 1024 + (bytes > 0 ? Math.min(2 ** 31, bytes) : 0) : status;
  const before = u32[own + O.answer] as number;
  const lead = f32[own + O.lead] as number;
  const weight = hasFlag(scene, Flag.triedName) ? alike.tried : alike.other;
  const startedAt = scene.f64[(scene.record + F.startedAt) >> 1] as number;
  if (lead === 0 || answer === before || (answer >= 1024 && before >= 1024 && Math.abs(answer - before) <= sameBytes)) {
    u32[own + O.answer] = answer;
    f32[own + O.lead] = lead + 1;
    f32[own + O.alike] = (lead === 0 ? 0 : (f32[own + O.alike] as number)) + weight;
    f32[own + O.requests] = (f32[own + O.requests] as number) + 1;
    const last = f64[(own + O.missedAt) >> 1] as number;
    if (last !== 0 && Math.abs(startedAt - last) <= fastMs) f32[own + O.fast] = (f32[own + O.fast] as number) + 1;
    f64[(own + O.missedAt) >> 1] = startedAt;
    return true;
  }
  f32[own + O.alike] = ((f32[own + O.alike] as number) * (lead - 1)) / lead;
  f32[own + O.lead] = lead - 1;
  return false;
}

/** What is answered alike says nothing until it is more than a few names, and unless scanners try some of them. */
function alikeWeight(f32: Float32Array, own: number): number {
  const lead = f32[own + O.lead] as number;
  const weight = f32[own + O.alike] as number;
  return lead < alike.least || weight < lead * (alike.triedShare + alike.other * (1 - alike.triedShare)) ? 0 : weight;
}

/** True when something new is known. */
function noteMissing(table: WindowTable, base: number, scene: Scene): boolean {
  const { u32, f32, f64 } = table.slab;
  const own = base + table.own;
  const startedAt = scene.f64[(scene.record + F.startedAt) >> 1] as number;
  const before = f64[(own + O.missedAt) >> 1] as number;
  const pause = before === 0 ? Number.POSITIVE_INFINITY : Math.abs(startedAt - before);
  const linked = hasFlag(scene, Flag.hasReferer) || !hasFlag(scene, Flag.unknownOperation);
  const agent = scene.u32[scene.record + F.userAgent] as number;
  f64[(own + O.missedAt) >> 1] = startedAt;
  const path = fold(scene.u32[scene.record + F.path] as number, scene.u32[scene.record + F.path + 1] as number);
  const isNew = addDistinct(u32, own + O.missing, path);
  if (hasFlag(scene, Flag.recordPath)) {
    if (isNew) f32[own + O.lookups] = (f32[own + O.lookups] as number) + 1;
    return isNew;
  }
  let changed = false;
  // Behind one address several browsers meet the same dead links.
  if (pause <= switchMs && !linked && agent !== u32[own + O.agent]) {
    f32[own + O.switches] = (f32[own + O.switches] as number) + 1;
    changed = scene.kind === Key.address;
  }
  u32[own + O.agent] = agent;
  if (!isNew) return changed;
  if (pause <= fastMs && !linked) f32[own + O.fast] = (f32[own + O.fast] as number) + 1;
  f32[own + O.gone] = (f32[own + O.gone] as number) + (linked ? linkedWeight : 1);
  return true;
}

function noteHostile(table: WindowTable, base: number, scene: Scene, signals: number): boolean {
  const { u32, f32 } = table.slab;
  const own = base + table.own;
  const target = fold(scene.u32[scene.record + F.target] as number, scene.u32[scene.record + F.target + 1] as number);
  if (!addDistinct(u32, own + O.hostile, target)) return false;
  const weight = weights.find(([bits]) => (signals & bits) !== 0)?.[1] ?? 1;
  f32[own + O.bad] = (f32[own + O.bad] as number) + weight;
  return true;
}

/** Answered as not there or not well formed, and not a picture that a page points to. */
function isMissing(scene: Scene): boolean {
  const status = statusOf(scene);
  if (status === 404 || status === 400 || status === 405 || status === 414 || status === 444) return !isAsset(scene);
  return status === 403 && hasFlag(scene, Flag.unknownOperation) && !isAsset(scene);
}

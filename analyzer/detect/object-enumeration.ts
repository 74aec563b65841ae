/**
 * Walking ids (broken object level authorisation). Each object remembers who got it first; whoever else asks for it
 * has touched a foreign object. How often that is normal is learned per operation: a catalogue is everybody's, an
 * order is one person's. Ids in regular steps are a second, independent tell.
 * Each caller is held against everybody else: what it taught itself in this window is taken out again.
 */
import { F, Flag } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { actorField, actorOf } from '../engine/fan-out.ts';
import { addDistinct, DISTINCT_WORDS } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import type { Detector, DetectorFactory, DerivedUpdate, Scene } from './detector.ts';
import { hasFlag, isOwnProgram, statusOf } from './facts.ts';
import { addOperation } from './population.ts';
import { betaBinomialSurprise, eitherSurprise, negativeBinomialSurprise } from './statistics.ts';
import { W, WindowTable } from './window-table.ts';

const id = 'objectEnumeration';
const DETECTOR = 3;

/** Objects: first owner (64 bits) and its kind, kept as long as the object is remembered. */
const Owner = { lo: 0, hi: 1, kind: 2, words: 4 } as const;
/**
 * Actors: foreign objects, foreign ones served, expected foreign ones, steps, regular
 * steps and those served, last step, samples behind the ratios; the last operation, and the four sums it was taught.
 */
const O = {
  foreign: 0,
  served: 1,
  expected: 2,
  steps: 3,
  regular: 4,
  regularServed: 5,
  step: 6,
  baseline: 7,
  operation: 8,
  taught: 9,
  returns: 13,
  objects: 14,
  words: 14 + DISTINCT_WORDS,
} as const;

/**
 * An id that only looks like an object's name is one once its operation has shown that its objects are private: this
 * many touches of objects that somebody had been served before, of which at most this share were foreign. First
 * touches prove nothing, for whoever watches a film alone is the first at each of its parts. An operator's object rule
 * needs no such proof.
 */
const inferredPrivate = { touches: 50, foreign: 0.1 };
/** Returns to one's own that count as such touches, per caller and window: who polls one thing proves nothing more. */
const maxReturns = 6;
/** Foreign share of an operation before anything is known: an operation may turn out to be a catalogue. */
const foreignPrior = { mean: 0.2, touches: 5, floor: 0.3, shape: 2 };
const stepPrior = { mean: 0.1, steps: 20, strength: 12, least: 5 };
const Step = { none: 0, irregular: 1, regular: 2 } as const;
/** A program of one's own that reads everybody's records does what it is for; this much is worth a note. */
const mostOfOwnProgram = 4.5;
const windowMs = 6 * 3_600_000;

export const objectEnumeration: DetectorFactory = (close) => {
  const objects = new WindowTable({
    windowMs: 30 * 86_400_000,
    keptWords: Owner.words,
    words: 0,
    maxSlots: 65_536,
    onClose: () => {},
  });
  const actors = new WindowTable({
    windowMs,
    keptWords: 0,
    words: O.words,
    maxSlots: 16_384,
    onClose: (t, base) => close(t, base, () => {}),
  });

  const detector: Detector = {
    id,
    kinds: [Key.object],
    tables: [objects, actors],
    update(scene) {
      const status = statusOf(scene);
      if (status === 0 || status >= 500 || status === 401) return;
      const actor = actorOf(scene.u32, scene.record);
      const field = actorField[actor] as number;
      const lo = scene.u32[scene.record + field] as number;
      const hi = scene.u32[scene.record + field + 1] as number;
      if ((lo | hi) === 0) return;
      const served = status < 400;
      // Only what was served gets an owner, and a place: made-up ids must not push out the owners of real ones.
      const base = served
        ? objects.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code)
        : objects.slab.find(scene.keyLo, scene.keyHi);
      if (served && base < 0) return;
      const { u32 } = objects.slab;
      const kept = base + objects.kept;
      const unowned = base < 0 || u32[kept + Owner.kind] === 0;
      if (unowned && served) {
        u32[kept + Owner.lo] = lo;
        u32[kept + Owner.hi] = hi;
        u32[kept + Owner.kind] = actor;
      }
      // Refused or missing: not this caller's either. Another kind of actor may be the same person: it proves nothing.
      const foreign = unowned
        ? !served
        : u32[kept + Owner.kind] === actor && (u32[kept + Owner.lo] !== lo || u32[kept + Owner.hi] !== hi);
      scene.derive({
        detector: DETECTOR,
        code: actor,
        valueLo: lo,
        valueHi: hi,
        api: scene.api,
        at: scene.at,
        seq: scene.seq,
        operation: fold(
          scene.u32[scene.record + F.operation] as number,
          scene.u32[scene.record + F.operation + 1] as number,
        ),
        object: fold(scene.keyLo, scene.keyHi),
        foreign,
        first: unowned && served,
        success: served,
        delta: scene.f64[(scene.record + F.objectDelta) >> 1] as number,
        surprise: 0,
        count: hasFlag(scene, Flag.objectInferred) ? 0 : 1,
        flags: scene.u32[scene.record + F.flags] as number,
      });
    },
    receive(scene, update) {
      const base = actors.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
      if (base < 0) return;
      const { u32, f32 } = actors.slab;
      const own = base + actors.own;
      if (!addDistinct(u32, own + O.objects, update.object)) {
        const returns = f32[own + O.returns] as number;
        if (update.foreign || update.count > 0 || returns >= maxReturns) return;
        f32[own + O.returns] = returns + 1;
        addOperation(scene.partial, update.operation, 0, 1);
        return;
      }
      if (u32[own + O.operation] !== update.operation) {
        u32[own + O.operation] = update.operation;
        u32.fill(0, own + O.taught, own + O.taught + 4);
      }
      const calm = (f32[base + W.best] as number) < 3;
      const ratios = ratiosOf(scene, update.operation, f32, own + O.taught);
      const teach = (index: number): void => {
        if (!calm) return;
        addOperation(scene.partial, update.operation, index, 1);
        f32[own + O.taught + index] = (f32[own + O.taught + index] as number) + 1;
      };
      const ruled = update.count > 0;
      const counts = ruled || !update.first;
      if (counts) teach(0);
      if (update.foreign) teach(1);
      const owned = ruled || (ratios.touches >= inferredPrivate.touches && ratios.foreign <= inferredPrivate.foreign);
      if (owned && counts) {
        f32[own + O.expected] = (f32[own + O.expected] as number) + ratios.foreign;
        f32[own + O.baseline] = ratios.touches;
      }
      if (owned && update.foreign) {
        f32[own + O.foreign] = (f32[own + O.foreign] as number) + 1;
        if (update.success) f32[own + O.served] = (f32[own + O.served] as number) + 1;
        actors.sample(base, update.seq);
      }
      // What is everybody's is walked in order by whoever reads on.
      if (!owned) return;
      const step = takeStep(base, update);
      if (step !== Step.none) teach(2);
      if (step === Step.regular) teach(3);
      state(scene, base, ratios, isOwnProgram(update.flags) ? mostOfOwnProgram : Number.POSITIVE_INFINITY);
    },
  };

  /** How the caller came from the object before to this one. */
  const takeStep = (base: number, update: DerivedUpdate): number => {
    if (!Number.isFinite(update.delta) || update.delta === 0) return Step.none;
    const { f32 } = actors.slab;
    const own = base + actors.own;
    const step = Math.fround(update.delta);
    // What is one's own is gone through in order by any program.
    const strange = update.foreign || update.first;
    const regular = strange && (Math.abs(step) === 1 || f32[own + O.step] === step);
    f32[own + O.step] = step;
    f32[own + O.steps] = (f32[own + O.steps] as number) + 1;
    if (!regular) return Step.irregular;
    f32[own + O.regular] = (f32[own + O.regular] as number) + 1;
    if (update.success) f32[own + O.regularServed] = (f32[own + O.regularServed] as number) + 1;
    if (!update.foreign) actors.sample(base, update.seq);
    return Step.regular;
  };

  const state = (scene: Scene, base: number, ratios: Ratios, most: number): void => {
    const { f32 } = actors.slab;
    const own = base + actors.own;
    const foreign = f32[own + O.foreign] as number;
    const expected = f32[own + O.expected] as number;
    const steps = f32[own + O.steps] as number;
    const regular = f32[own + O.regular] as number;
    const byOwner = negativeBinomialSurprise(foreign, expected + foreignPrior.floor, foreignPrior.shape);
    const walked = steps < stepPrior.least ? 0 : betaBinomialSurprise(regular, steps, ratios.step, stepPrior.strength);
    if (byOwner === 0 && walked === 0) return;
    const byForeign = byOwner >= walked;
    scene.say(actors, base, {
      detector: id,
      family: 'object',
      surprise: Math.min(most, eitherSurprise(byOwner, walked)),
      observed: byForeign ? foreign : regular,
      expected: byForeign ? expected : ratios.step * steps,
      unit: byForeign
        ? 'distinct objects that others got first or that were refused'
        : 'regular steps from one object id to the next',
      baseline: ratios.touches,
      successShare: byForeign
        ? (f32[own + O.served] as number) / Math.max(1, foreign)
        : (f32[own + O.regularServed] as number) / Math.max(1, regular),
    });
  };

  return detector;
};

interface Ratios {
  foreign: number;
  step: number;
  touches: number;
}

/** Ratios of the operation as everybody else uses it: without the four sums at `taught`, which come from this caller. */
function ratiosOf(scene: Scene, operation: number, f32: Float32Array, taught: number): Ratios {
  const sums = scene.population?.operations.get(operation);
  const others = (index: number): number => Math.max(0, (sums?.[index] ?? 0) - (f32[taught + index] as number));
  const touches = others(0);
  return {
    touches,
    foreign: (others(1) + foreignPrior.mean * foreignPrior.touches) / (touches + foreignPrior.touches),
    step: (others(3) + stepPrior.mean * stepPrior.steps) / (others(2) + stepPrior.steps),
  };
}

/**
 * Walking ids (broken object level authorisation). Each object remembers who got it first; whoever else asks for it
 * has touched a foreign object. How often that is normal is learned per operation: a catalogue is everybody's, an
 * order is one person's. Ids in regular steps are a second, independent tell.
 */
import { F, Flag } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { actorField, actorOf } from '../engine/fan-out.ts';
import { addDistinct, DISTINCT_WORDS } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import type { Detector, DetectorFactory, DerivedUpdate, Scene } from './detector.ts';
import { hasFlag, statusOf } from './facts.ts';
import { addOperation } from './population.ts';
import { betaBinomialSurprise, negativeBinomialSurprise } from './statistics.ts';
import { W, WindowTable } from './window-table.ts';

const id = 'objectEnumeration';
const DETECTOR = 3;

/** Objects: first owner (64 bits) and its kind, kept as long as the object is remembered. */
const Owner = { lo: 0, hi: 1, kind: 2, words: 4 } as const;
/** Actors: distinct objects that somebody owns, foreign ones, foreign ones served, expected foreign ones, steps, regular steps, last step. */
const O = {
  touched: 0,
  foreign: 1,
  served: 2,
  expected: 3,
  steps: 4,
  regular: 5,
  step: 6,
  baseline: 7,
  objects: 8,
  words: 8 + DISTINCT_WORDS,
} as const;

/**
 * An id that only looks like an object's name is one once its operation has shown that its objects are private: this
 * many touches, of which at most this share were foreign. An operator's object rule needs no such proof.
 */
const inferredPrivate = { touches: 50, foreign: 0.1 };
/** Foreign share of an operation before anything is known: an operation may turn out to be a catalogue. */
const foreignPrior = { mean: 0.2, touches: 5, floor: 0.3, shape: 2 };
const stepPrior = { mean: 0.1, steps: 20, strength: 12 };
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
      if (!addDistinct(u32, own + O.objects, update.object)) return;
      const calm = (f32[base + W.best] as number) < 3;
      const ratios = learn(scene, update, calm);
      const owned =
        update.count > 0 || (ratios.touches >= inferredPrivate.touches && ratios.foreign <= inferredPrivate.foreign);
      if (owned) {
        f32[own + O.touched] = (f32[own + O.touched] as number) + 1;
        f32[own + O.expected] = (f32[own + O.expected] as number) + ratios.foreign;
        f32[own + O.baseline] = ratios.touches;
      }
      if (owned && update.foreign) {
        f32[own + O.foreign] = (f32[own + O.foreign] as number) + 1;
        if (update.success) f32[own + O.served] = (f32[own + O.served] as number) + 1;
        actors.sample(base, update.seq);
      }
      const foreign = f32[own + O.foreign] as number;
      const walked = regularSteps(scene, update, own, ratios.step, calm);
      const expected = f32[own + O.expected] as number;
      const byOwner = negativeBinomialSurprise(foreign, expected + foreignPrior.floor, foreignPrior.shape);
      // Two looks at the same behaviour: half the probability for each.
      const surprise = Math.max(byOwner, walked) - Math.log10(2);
      if (surprise <= 0) return;
      const byForeign = byOwner >= walked;
      scene.say(actors, base, {
        detector: id,
        family: 'object',
        surprise,
        observed: byForeign ? foreign : (f32[own + O.regular] as number),
        expected: byForeign ? expected : ratios.step * (f32[own + O.steps] as number),
        unit: byForeign
          ? 'distinct objects that others got first or that were refused'
          : 'regular steps from one object id to the next',
        baseline: ratios.touches,
        successShare: foreign > 0 ? (f32[own + O.served] as number) / foreign : 0,
      });
    },
  };

  const regularSteps = (scene: Scene, update: DerivedUpdate, own: number, mean: number, calm: boolean): number => {
    if (!Number.isFinite(update.delta) || update.delta === 0) return 0;
    const { f32 } = actors.slab;
    const step = Math.fround(update.delta);
    const regular = Math.abs(step) === 1 || f32[own + O.step] === step;
    f32[own + O.step] = step;
    f32[own + O.steps] = (f32[own + O.steps] as number) + 1;
    if (regular) {
      f32[own + O.regular] = (f32[own + O.regular] as number) + 1;
      if (!update.foreign) actors.sample(own - actors.own, update.seq);
    }
    if (calm) {
      addOperation(scene.partial, update.operation, 2, 1);
      if (regular) addOperation(scene.partial, update.operation, 3, 1);
    }
    const steps = f32[own + O.steps] as number;
    if (steps < 8) return 0;
    return betaBinomialSurprise(f32[own + O.regular] as number, steps, mean, stepPrior.strength);
  };

  return detector;
};

/** Ratios of the operation as everybody uses it, and this touch added to them. */
function learn(scene: Scene, update: DerivedUpdate, calm: boolean): { foreign: number; step: number; touches: number } {
  const sums = scene.population?.operations.get(update.operation);
  if (calm) {
    addOperation(scene.partial, update.operation, 0, 1);
    if (update.foreign) addOperation(scene.partial, update.operation, 1, 1);
  }
  const touches = sums?.[0] ?? 0;
  const steps = sums?.[2] ?? 0;
  return {
    touches,
    foreign: ((sums?.[1] ?? 0) + foreignPrior.mean * foreignPrior.touches) / (touches + foreignPrior.touches),
    step: ((sums?.[3] ?? 0) + stepPrior.mean * stepPrior.steps) / (steps + stepPrior.steps),
  };
}

/**
 * One token, session or user in more hands than its kind is in: from many networks, on many devices, now here and now
 * there. A phone hops between networks and stays one device that moves on; a stolen token is in several places at once.
 */
import { F, Flag } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import type { Detector, DetectorFactory } from './detector.ts';
import { hasFlag, statusOf } from './facts.ts';
import { cellOf, SUMS, sumsOf } from './population.ts';
import { betaBinomialSurprise, betaGeometricSurprise, combinedSurprise } from './statistics.ts';
import { WindowTable } from './window-table.ts';

const id = 'tokenAbuse';
const DETECTOR = 5;

/** Networks and devices (sets); the last network and device (hash), requests, and returns to where it was before (f32). */
const O = {
  networks: 0,
  devices: DISTINCT_WORDS,
  last: 2 * DISTINCT_WORDS,
  requests: 2 * DISTINCT_WORDS + 1,
  returns: 2 * DISTINCT_WORDS + 2,
  words: 2 * DISTINCT_WORDS + 4,
} as const;

/** Population sums: windows; windows with more than one network and networks beyond the first; devices likewise. */
const S = { windows: 0, networks: 1, devices: 3, requests: 5, returns: 6 } as const;

/**
 * How many more there are in an hour, before anything is known. Most callers stay where they are; those who move differ
 * a lot from each other. So first the share that has a second one, then the chance of each further one, which varies
 * between callers by `strength`: trains and carriers' gateways make six networks an hour ordinary, sixteen are not.
 * Few have a second device behind one token (a browser that updates itself), hardly anybody a third.
 */
const network = { share: 0.1, count: 30, next: 0.5, nextCount: 12, strength: 12 };
const device = { share: 0.03, count: 30, next: 0.2, nextCount: 12, strength: 12 };
/**
 * Chance that a request goes back to a network or device after another one, and how much callers differ in it: whoever
 * travels moves on, many hands take turns. First visits are the networks' and devices' own surprise.
 */
const back = { mean: 0.02, count: 200, strength: 6 };
const windowMs = 3_600_000;

export const tokenAbuse: DetectorFactory = (close) => {
  const table = new WindowTable({
    windowMs,
    keptWords: 0,
    words: O.words,
    maxSlots: 16_384,
    doorkeeperBits: 65_536,
    onClose: (t, base) =>
      close(t, base, (partial, kind) => {
        const { u32, f32 } = t.slab;
        const own = base + t.own;
        const at = cellOf(DETECTOR, kind) * SUMS;
        const sums = sumsOf(partial, DETECTOR);
        const add = (index: number, amount: number): void => {
          sums[at + index] = (sums[at + index] as number) + amount;
        };
        add(S.windows, 1);
        for (const [set, sum] of [
          [O.networks, S.networks],
          [O.devices, S.devices],
        ] as const) {
          const more = countDistinct(u32, own + set) - 1;
          if (more < 1) continue;
          add(sum, 1);
          add(sum + 1, more);
        }
        add(S.requests, Math.max(0, (f32[own + O.requests] as number) - 1));
        add(S.returns, f32[own + O.returns] as number);
      }),
  });
  const detector: Detector = {
    id,
    kinds: [Key.token, Key.session, Key.user],
    tables: [table],
    update(scene) {
      // Whoever is refused holds nothing: only a credential that works is one that is abused.
      if (statusOf(scene) === 401 || hasFlag(scene, Flag.declaredBot)) return;
      const base = table.open(scene.keyLo, scene.keyHi, scene.at, scene.api, scene.code);
      if (base < 0) return;
      const { u32, f32 } = table.slab;
      const own = base + table.own;
      const net = fold(
        scene.u32[scene.record + F.network] as number,
        scene.u32[scene.record + F.network + 1] as number,
      );
      const lo = (scene.u32[scene.record + F.userAgent] as number) ^ (scene.u32[scene.record + F.ja4] as number);
      const hand = fold(lo, scene.u32[scene.record + F.userAgent + 1] as number);
      const newNetwork = addDistinct(u32, own + O.networks, net);
      const newDevice = addDistinct(u32, own + O.devices, hand);
      const here = fold(net, hand);
      const requests = (f32[own + O.requests] as number) + 1;
      f32[own + O.requests] = requests;
      const moved = requests > 1 && u32[own + O.last] !== here;
      u32[own + O.last] = here;
      if (!moved) return;
      const returns = (f32[own + O.returns] as number) + (newNetwork || newDevice ? 0 : 1);
      f32[own + O.returns] = returns;
      if (newNetwork || newDevice) table.sample(base, scene.seq);
      const networks = countDistinct(u32, own + O.networks);
      const devices = countDistinct(u32, own + O.devices);
      // On one network it is one household or office, whatever it uses.
      if (networks < 2 || networks + devices < 4) return;
      const sums = scene.population?.sums;
      const at = cellOf(DETECTOR, scene.kind) * SUMS;
      const sum = (index: number): number => sums?.[at + index] ?? 0;
      const windows = sum(S.windows);
      const more = (k: number, index: number, p: typeof network): number =>
        hurdleSurprise(k, windows, sum(index), sum(index + 1), p);
      const rate = (sum(S.returns) + back.mean * back.count) / (sum(S.requests) + back.count);
      scene.say(table, base, {
        detector: id,
        family: 'identity',
        surprise: combinedSurprise(
          more(networks - 1, S.networks, network),
          more(devices - 1, S.devices, device),
          betaBinomialSurprise(returns, requests - 1, rate, back.strength),
        ),
        observed: networks,
        expected: 1 + (sum(S.networks + 1) + network.share * network.count) / (windows + network.count),
        unit: `networks within the hour, on ${devices} ${devices === 1 ? 'device' : 'devices'}, back and forth ${returns} times in ${requests} requests`,
        baseline: windows,
        successShare: 1,
      });
    },
  };
  return detector;
};

/**
 * Surprise of at least `k` more than one.
 *
 * @param windows seen by the population, of which `moving` had more than one, and `more` beyond the first in all
 */
function hurdleSurprise(k: number, windows: number, moving: number, more: number, p: typeof network): number {
  if (k < 1) return 0;
  const share = (moving + p.share * p.count) / (windows + p.count);
  const next = (more - moving + p.next * p.nextCount) / (more + p.nextCount);
  return -Math.log10(share) + betaGeometricSurprise(k - 1, next, p.strength);
}

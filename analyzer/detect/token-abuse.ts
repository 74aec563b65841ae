/**
 * One token, session or user from more networks and devices than its kind is used from. A phone hops between a few
 * networks and stays one device; a stolen token appears in many hands.
 */
import { F, Flag } from '../observation.ts';
import { Key } from '../engine/key-kind.ts';
import { addDistinct, countDistinct, DISTINCT_WORDS } from '../profile/distinct.ts';
import { fold } from '../profile/hash.ts';
import type { Detector, DetectorFactory } from './detector.ts';
import { hasFlag, statusOf } from './facts.ts';
import { cellOf, SUMS } from './population.ts';
import { betaGeometricSurprise } from './statistics.ts';
import { WindowTable } from './window-table.ts';

const id = 'tokenAbuse';
const DETECTOR = 5;

const O = { networks: 0, devices: DISTINCT_WORDS, words: 2 * DISTINCT_WORDS } as const;

/** Chance of one more network, of one more device, within the hour, before anything is known. */
const network = { mean: 0.2, count: 30, strength: 20 };
const device = { mean: 0.06, count: 30, strength: 20 };
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
        const { u32 } = t.slab;
        const at = cellOf(DETECTOR, kind) * SUMS;
        const sums = partial.sums;
        sums[at] = (sums[at] as number) + 1;
        sums[at + 1] = (sums[at + 1] as number) + Math.max(0, countDistinct(u32, base + t.own + O.networks) - 1);
        sums[at + 2] = (sums[at + 2] as number) + Math.max(0, countDistinct(u32, base + t.own + O.devices) - 1);
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
      const { u32 } = table.slab;
      const own = base + table.own;
      const isNew =
        addDistinct(
          u32,
          own + O.networks,
          fold(scene.u32[scene.record + F.network] as number, scene.u32[scene.record + F.network + 1] as number),
        ) || false;
      const lo = (scene.u32[scene.record + F.userAgent] as number) ^ (scene.u32[scene.record + F.ja4] as number);
      const newDevice = addDistinct(
        u32,
        own + O.devices,
        fold(lo, scene.u32[scene.record + F.userAgent + 1] as number),
      );
      if (isNew || newDevice) table.sample(base, scene.seq);
      const networks = countDistinct(u32, own + O.networks);
      const devices = countDistinct(u32, own + O.devices);
      if (networks < 3) return;
      const at = cellOf(DETECTOR, scene.kind) * SUMS;
      const sums = scene.population?.sums;
      const known = sums?.[at] ?? 0;
      const mean = (sum: number, p: typeof network): number => {
        const extra = sum + (p.mean / (1 - p.mean)) * p.count;
        return extra / (extra + known + p.count);
      };
      scene.say(table, base, {
        detector: id,
        family: 'identity',
        surprise:
          betaGeometricSurprise(networks - 1, mean(sums?.[at + 1] ?? 0, network), network.strength) +
          betaGeometricSurprise(devices - 1, mean(sums?.[at + 2] ?? 0, device), device.strength),
        observed: networks,
        expected: 1 + mean(sums?.[at + 1] ?? 0, network) / (1 - mean(sums?.[at + 1] ?? 0, network)),
        unit: `networks within the hour, on ${devices} ${devices === 1 ? 'device' : 'devices'}`,
        baseline: known,
        successShare: 1,
      });
    },
  };
  return detector;
};

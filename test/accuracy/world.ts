/** The shop, its people and its ordinary traffic for one seed: what every accuracy scenario happens in. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { type ShopData, type ShopUser, seedShop } from '../../examples/shop/seed-data.ts';
import { createShop, type Shop } from '../../examples/shop/shop.ts';
import { createTokenSigner } from '../../examples/shop/tokens.ts';
import { createAddressPlan } from '../scenarios/address-plan.ts';
import type { World } from '../scenarios/day.ts';
import { drawReleases } from '../scenarios/devices.ts';
import { type ApiManifest, type FlowFields, flowFieldsOf } from '../scenarios/drivers/flow-fields.ts';
import { buildPopulation, type Person } from '../scenarios/population.ts';
import { createRandom } from '../scenarios/random.ts';

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

/** A Monday, 08:00 UTC: warm-up ends the next morning, when the shop is busy. */
export const epoch = Date.UTC(2026, 2, 2, 8);

/** Warm-up before anything is judged: a little more than the 24 h of baseline that the product asks for before it acts. */
export const warmUpMs = 26 * hourMs;

export const manifests = fileURLToPath(new URL('../../examples/shop/manifests', import.meta.url));

export interface Stage {
  seed: string;
  shopSeed: number;
  world: World;
  people: readonly Person[];
  /** Others, who come by now and then. */
  visitors(): readonly Person[];
  /** Customers that are nobody of the population: attackers' accounts and victims. */
  reserved: readonly ShopUser[];
  flows: readonly FlowFields[];
  clock: { now: number };
  /** A shop with its first day's data, whose tokens any shop of the stage accepts. */
  openShop(name: string): Shop;
}

export interface StageOptions {
  people: number;
  customers: number;
  /** From then on the shop's app has another version. */
  appReleaseAt?: number;
}

export function buildStage(seed: string, { people, customers, appReleaseAt }: StageOptions): Stage {
  const random = createRandom(seed);
  const shopSeed = random.whole(1, 1_000_000);
  const size = { customers, staff: 18, products: 2400 };
  const data: ShopData = seedShop(shopSeed, size);
  const plan = createAddressPlan(random.fork('addresses'));
  const releases = drawReleases(random.fork('releases'));
  const reserved = random.sample(
    data.users.filter((u) => u.role === 'customer'),
    40,
  );
  const population = buildPopulation({
    random: random.fork('people'),
    data,
    plan,
    releases,
    people,
    reserved: new Set(reserved.map((u) => u.id)),
    ...(appReleaseAt === undefined ? {} : { appRelease: { at: appReleaseAt, version: '9.0.0' } }),
  });
  const taken = new Set([...reserved.map((u) => u.id), ...population.map((p) => p.user.id)]);
  const clock = { now: epoch };
  const tokens = createTokenSigner();
  const manifest = parse(readFileSync(`${manifests}/api.yaml`, 'utf8')) as ApiManifest;
  return {
    seed,
    shopSeed,
    world: { random, data, plan, releases, people: population },
    people: population,
    visitors: () =>
      buildPopulation({
        random: random.fork('visitors'),
        data,
        plan,
        releases,
        people: data.users.filter((u) => u.role === 'customer' && !taken.has(u.id)).length,
        reserved: taken,
        sharedShare: 0.05,
      }),
    reserved,
    flows: flowFieldsOf(manifest),
    clock,
    openShop(name) {
      const ids = random.fork(`shop/${name}`);
      return createShop({
        data: seedShop(shopSeed, size),
        tokens,
        now: () => clock.now,
        newId: () => ids.hex(32),
        orderAccess: 'anyone',
      });
    },
  };
}

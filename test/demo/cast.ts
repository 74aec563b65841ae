/** Who takes part in the demo, drawn from its seed: the people, the four attackers, and the day before. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { type ShopUser, seedShop } from '../../examples/shop/seed-data.ts';
import { createShop } from '../../examples/shop/shop.ts';
import { createTokenSigner } from '../../examples/shop/tokens.ts';
import { createAddressPlan } from '../scenarios/address-plan.ts';
import { orderWalking, slowScraping, tokenSharing } from '../scenarios/attacks/reading.ts';
import { credentialStuffing } from '../scenarios/attacks/stuffing.ts';
import { ordinaryDay, type World } from '../scenarios/day.ts';
import { drawReleases } from '../scenarios/devices.ts';
import { type CaptureSummary, writeAlsCapture } from '../scenarios/drivers/als-capture.ts';
import { type ApiManifest, flowFieldsOf } from '../scenarios/drivers/flow-fields.ts';
import { mergeEvents } from '../scenarios/merge.ts';
import { buildPopulation, commonUserAgent, type Person } from '../scenarios/population.ts';
import { createRandom, type Random } from '../scenarios/random.ts';
import type { EventStream, RequestEvent, Window } from '../scenarios/request-event.ts';
import { shoppingSession } from '../scenarios/shopping.ts';

export interface Cast {
  /** Seed of the shop's data, so that the live shop has the same. */
  shopSeed: number;
  world: World;
  people: readonly Person[];
  /** People who share an address and a user agent with attackers. */
  sharing: number;
  attacker: ShopUser;
  victim: ShopUser;
  /** Accounts the stuffing list opens. */
  reused: readonly ShopUser[];
  scraperAddress: string;
  walkerAddress: string;
  sharedAddresses: readonly string[];
  random: Random;
}

/** More than 500 take part even when some are out that day. */
const peopleCount = 620;

/** A little more than the 24 h of baseline that policies ask for by default. */
const dayBeforeMs = 26 * 3_600_000;

const scrapeEveryMs = 5000;

/** How long the scraper has been at it when the live part starts: more than 1,300 pages. */
const scrapedForMs = 1320 * scrapeEveryMs;

export function castOf(seed: string): Cast {
  const random = createRandom(seed);
  const shopSeed = random.whole(1, 1_000_000);
  const data = seedShop(shopSeed);
  const plan = createAddressPlan(random.fork('addresses'));
  const releases = drawReleases(random.fork('releases'));
  const customers = data.users.filter((u) => u.role === 'customer');
  const [attacker, victim, ...reused] = random.sample(customers, 8) as [ShopUser, ShopUser, ...ShopUser[]];
  const reserved = new Set([attacker, victim, ...reused].map((u) => u.id));
  const people = buildPopulation({
    random: random.fork('people'),
    data,
    plan,
    releases,
    people: peopleCount,
    reserved,
  });
  const sharing = people.filter((p) => p.sharesWithAttackers);
  return {
    shopSeed,
    world: { random, data, plan, releases, people },
    people,
    sharing: sharing.length,
    attacker,
    victim,
    reused,
    scraperAddress: plan.hosting(),
    walkerAddress: sharing[0]?.clientAt(0).address ?? plan.home(),
    sharedAddresses: sharing.slice(1).map((p) => p.clientAt(0).address),
    random,
  };
}

/** Writes the ordinary day before, with the scraper in its last hours, as an access log capture. */
export async function writeDayBefore(
  cast: Cast,
  path: string,
  until: number,
  manifest: string,
): Promise<CaptureSummary> {
  const { world, random } = cast;
  const clock = { now: until };
  const ids = random.fork('ids');
  const shop = createShop({
    // A shop of its own: orders placed in the replayed day are not in the live one.
    data: seedShop(cast.shopSeed),
    tokens: createTokenSigner(),
    now: () => clock.now,
    newId: () => ids.hex(32),
    orderAccess: 'anyone',
  });
  const scraped = scraperStream(cast, { from: until - scrapedForMs, until });
  const events = mergeEvents([ordinaryDay(world, { from: until - dayBeforeMs, until }), scraped]);
  const flows = flowFieldsOf(parse(readFileSync(manifest, 'utf8')) as ApiManifest);
  const capture = { path, events, shop, clock, flows, random: random.fork('capture') };
  const summary = await writeAlsCapture(capture);
  // Tokens and cookies of the replayed day are not valid in the live shop.
  for (const person of world.people) {
    const { jar } = person.clientAt(until);
    jar.token = '';
    jar.cookies.clear();
  }
  return summary;
}

/** Products the scraper has read when the replayed day ends, and when it began. */
export function scrapedSince(dayEndedAt: number): [count: number, since: number] {
  return [scrapedForMs / scrapeEveryMs, dayEndedAt - scrapedForMs];
}

/** One person's visits from `from` on, one after the other. */
export function* liveVisits(cast: Cast, person: Person, window: Window): Generator<RequestEvent, undefined> {
  const random = cast.random.fork(`live/${person.actor.id}`);
  // All come within the first half minute.
  let startAt = window.from + random.between(0, 30_000);
  while (startAt < window.until) {
    const session = { random, person, data: cast.world.data, startAt, until: window.until };
    for (const event of shoppingSession(session)) {
      startAt = event.at;
      yield event;
    }
    startAt += 3000 + random.exponential(15_000);
  }
}

export function stuffingStream(cast: Cast, window: Window): EventStream {
  const { world, random, sharedAddresses, reused } = cast;
  const draw = random.fork('stuffing');
  return credentialStuffing({
    random: draw,
    plan: world.plan,
    window,
    users: world.data.users.filter((u) => u.role === 'customer' && u !== cast.attacker && u !== cast.victim),
    reused,
    attemptsPerSecond: draw.between(6, 11),
    userAgent: commonUserAgent(world.releases),
    sharedAddresses,
  });
}

export function walkingStream(cast: Cast, window: Window): EventStream {
  const { world, random, attacker, walkerAddress: address } = cast;
  const draw = random.fork('walking');
  const { data, releases } = world;
  return orderWalking({ random: draw, data, window, attacker, address, releases, everyMs: draw.between(700, 1300) });
}

export function scraperStream(cast: Cast, window: Window, skip = 0): EventStream {
  const { world, random, scraperAddress: address } = cast;
  const userAgent = commonUserAgent(world.releases);
  const { data } = world;
  return slowScraping({
    random: random.fork('scraping'),
    data,
    window,
    address,
    userAgent,
    everyMs: scrapeEveryMs,
    skip,
  });
}

export function tokenStream(cast: Cast, window: Window): EventStream {
  const { world, random, victim } = cast;
  const { data, plan, releases } = world;
  const draw = random.fork('token');
  const networks = draw.whole(8, 16);
  return tokenSharing({
    random: draw,
    data,
    window,
    victim,
    plan,
    releases,
    networks,
    requestsPerSecond: draw.between(1.5, 3),
  });
}

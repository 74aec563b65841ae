/** The people of the model: who they are, what they use, from where, and how they are. */
import type { ShopData, ShopUser } from '../../examples/shop/seed-data.ts';
import type { AddressPlan } from './address-plan.ts';
import { appHeaders, browserHeaders, chromeUserAgent, type Headers, type Releases } from './devices.ts';
import type { Random } from './random.ts';
import { type Actor, type Client, createJar, type Jar } from './request-event.ts';

export type Temperament = 'shopper' | 'powerUser' | 'pager' | 'prefetcher' | 'hopper';

export interface Person {
  actor: Actor;
  user: ShopUser;
  temperament: Temperament;
  /** Median pause between two requests, ms. */
  pauseMs: number;
  /** Chance that a login is mistyped. */
  typoRate: number;
  sessionsPerDay: number;
  /** Shares an address and a user agent with attackers. */
  sharesWithAttackers: boolean;
  /** The device for a session that starts at `at`; addresses of phones on the move differ from call to call. */
  clientAt(at: number): Client;
}

export interface PopulationOptions {
  random: Random;
  data: ShopData;
  plan: AddressPlan;
  releases: Releases;
  people: number;
  /** Users that are nobody of the population: victims, attackers' own accounts. */
  reserved: ReadonlySet<string>;
  /** Share of people whose address and user agent attackers use as well. */
  sharedShare?: number;
  /** From then on the app has a new version, and so a new user agent. */
  appRelease?: { at: number; version: string };
}

/** The user agent attackers copy: what most people on this seed's day really send. */
export function commonUserAgent(releases: Releases): string {
  return chromeUserAgent(releases.chrome, 'Windows NT 10.0; Win64; x64');
}

export function buildPopulation(options: PopulationOptions): Person[] {
  const { random, data, people, reserved, sharedShare = 0.22 } = options;
  const users = data.users.filter((u) => u.role === 'customer' && !reserved.has(u.id));
  if (users.length < people) throw new Error(`the shop has ${users.length} customers, ${people} people were asked for`);
  const chosen = random.sample(users, people);
  return chosen.map((user, i) => buildPerson(user, i < people * sharedShare, options));
}

function buildPerson(user: ShopUser, sharesWithAttackers: boolean, options: PopulationOptions): Person {
  const random = options.random.fork(user.id);
  const temperament = random.weighted<Temperament>([
    ['shopper', 80],
    ['powerUser', 4],
    ['pager', 5],
    ['prefetcher', 4],
    ['hopper', 7],
  ]);
  const jar = createJar();
  const actor: Actor = { id: `person/${user.id}`, label: 'benign', persona: temperament, user };
  return {
    actor,
    user,
    temperament,
    sharesWithAttackers,
    pauseMs: temperament === 'powerUser' ? random.between(500, 900) : random.lognormal(6500, 0.4),
    typoRate: random.chance(0.05) ? 0.4 : 0.06,
    sessionsPerDay: Math.min(8, random.lognormal(1.9, 0.5)),
    clientAt: sharesWithAttackers
      ? fixedClient(jar, options.plan.relay(), commonBrowser(random, options.releases))
      : personalClients(random, jar, temperament, options),
  };
}

function commonBrowser(random: Random, releases: Releases): Headers {
  for (;;) {
    const headers = browserHeaders(random, releases);
    if (headers['user-agent'] === commonUserAgent(releases)) return headers;
  }
}

function fixedClient(jar: Jar, address: string, headers: Headers): () => Client {
  const client: Client = { address, headers, jar };
  return () => client;
}

function personalClients(
  random: Random,
  jar: Jar,
  temperament: Temperament,
  { plan, releases, appRelease }: PopulationOptions,
): (at: number) => Client {
  const onApp = temperament === 'hopper' || random.chance(0.3);
  const home = random.weighted<() => string>([
    [plan.home, 70],
    [plan.office, 15],
    [plan.carrier, 15],
  ])();
  if (!onApp) return fixedClient(jar, home, browserHeaders(random, releases));
  const headersOf = (version: string) => appHeaders(random.fork('app'), version);
  const before = headersOf(releases.app);
  const after = headersOf(appRelease?.version ?? releases.app);
  return (at) => {
    const headers = appRelease !== undefined && at >= appRelease.at ? after : before;
    // A phone is at home or on its carrier; one that travels is mostly on the latter.
    const away = random.chance(temperament === 'hopper' ? 0.7 : 0.25);
    return { address: away ? plan.carrier() : home, headers, jar };
  };
}

import { describe, expect, test } from 'vitest';
import { seedShop } from '../../examples/shop/seed-data.ts';
import { createAddressPlan } from './address-plan.ts';
import { excessiveSearch, orderWalking, probing, slowScraping, tokenSharing } from './attacks/reading.ts';
import { bruteForce, credentialStuffing, passwordSpraying } from './attacks/stuffing.ts';
import { ordinaryDay, type World } from './day.ts';
import { drawReleases } from './devices.ts';
import { mergeEvents } from './merge.ts';
import { buildPopulation, commonUserAgent } from './population.ts';
import { createRandom } from './random.ts';
import type { RequestEvent } from './request-event.ts';

const dayMs = 86_400_000;
const from = Date.UTC(2026, 2, 2);
const hour = { from, until: from + 3_600_000 };

function world(seed: string, people = 60): World {
  const random = createRandom(seed);
  const data = seedShop(5);
  const plan = createAddressPlan(random.fork('plan'));
  const releases = drawReleases(random.fork('releases'));
  const reserved = new Set<string>();
  return { random, data, plan, releases, people: buildPopulation({ random, data, plan, releases, people, reserved }) };
}

function oneDay(seed: string): RequestEvent[] {
  return [...ordinaryDay(world(seed), { from, until: from + dayMs }, { marketingSpike: true, retryStorm: true })];
}

describe('an ordinary day', () => {
  const day = oneDay('a');

  test('is the same for the same seed and another for another', () => {
    const outline = (events: RequestEvent[]) => events.map((e) => `${e.at} ${e.client.address} ${e.path}`);
    expect(outline(oneDay('a'))).toEqual(outline(day));
    expect(outline(oneDay('b'))).not.toEqual(outline(day));
  });

  test('comes in order of time and stays within the day', () => {
    for (let i = 1; i < day.length; i++) expect(day[i]?.at).toBeGreaterThanOrEqual(day[i - 1]?.at ?? 0);
    expect(day[0]?.at).toBeGreaterThanOrEqual(from);
    expect(day.at(-1)?.at).toBeLessThan(from + dayMs);
  });

  test('is benign, from bindable addresses, some of which several people share', () => {
    expect(new Set(day.map((e) => e.actor.label))).toEqual(new Set(['benign']));
    const peopleAt = new Map<string, Set<string>>();
    for (const { client, actor } of day) {
      expect(client.address).toMatch(/^127\.\d+\.\d+\.\d+$/);
      peopleAt.set(client.address, (peopleAt.get(client.address) ?? new Set()).add(actor.id));
    }
    expect(Math.max(...[...peopleAt.values()].map((p) => p.size))).toBeGreaterThan(3);
  });
});

test('distributed stuffing uses every address and every account once, and some addresses of ordinary people', () => {
  const { random, plan, data, releases, people } = world('stuffing');
  const sharedAddresses = people.filter((p) => p.sharesWithAttackers).map((p) => p.clientAt(from).address);
  const userAgent = commonUserAgent(releases);
  const attack = { random, plan, users: data.users, window: hour, attemptsPerSecond: 0.1, userAgent, sharedAddresses };
  const events = [...credentialStuffing(attack)];
  expect(events.length).toBeGreaterThan(250);
  expect(new Set(events.map((e) => e.client.address)).size).toBe(events.length);
  expect(new Set(events.map((e) => e.body?.username)).size).toBe(events.length);
  expect(events.some((e) => sharedAddresses.includes(e.client.address))).toBe(true);
  // The disguise is never complete: the tool forgets what a real browser always sends.
  expect(events.every((e) => e.client.headers['sec-ch-ua'] === undefined)).toBe(true);
});

test('a walker asks for orders that are mostly not its own', () => {
  const { random, plan, data, releases } = world('walking');
  const [attacker] = data.users;
  if (attacker === undefined) throw new Error('no users');
  const window = { from, until: from + 60_000 };
  const walk = [...orderWalking({ random, data, window, attacker, address: plan.home(), releases, everyMs: 1000 })];
  const orders = walk.flatMap((e) => /^\/v1\/orders\/(\d+)$/.exec(e.path)?.[1] ?? []).map(Number);
  expect(orders.length).toBeGreaterThan(40);
  const foreign = orders.filter((id) => data.orders.has(id) && data.orders.get(id)?.owner !== attacker.id);
  expect(foreign.length).toBeGreaterThan(10);
});

test('a slow scraper reads more than 1,300 different products in two hours', () => {
  const { random, plan, data, releases } = world('scraping');
  const userAgent = commonUserAgent(releases);
  const window = { from, until: from + 7_200_000 };
  const pages = [...slowScraping({ random, data, window, address: plan.hosting(), userAgent, everyMs: 5000 })];
  expect(new Set(pages.map((e) => e.path)).size).toBeGreaterThan(1300);
});

test('a shared token appears in many networks but in one jar', () => {
  const { random, plan, data, releases } = world('token');
  const victim = data.users[7];
  if (victim === undefined) throw new Error('no users');
  const window = { from, until: from + 60_000 };
  const attack = { random, data, window, victim, plan, releases, networks: 10, requestsPerSecond: 2 };
  const uses = [...tokenSharing(attack)].filter((e) => e.actor.label === 'tokenAbuse');
  expect(new Set(uses.map((e) => e.client.address.split('.').slice(0, 3).join('.'))).size).toBeGreaterThan(6);
  expect(new Set(uses.map((e) => e.client.jar)).size).toBe(1);
});

test('guessing stays on one account, spraying goes over all of them with few passwords', () => {
  const { random, plan, data, releases } = world('guessing');
  const victim = data.users[3];
  if (victim === undefined) throw new Error('no users');
  const login = { random, plan, window: hour, users: data.users.slice(0, 100), attemptsPerSecond: 0.1 };
  const guesses = [...bruteForce({ ...login, victim, addresses: 3 })];
  expect(new Set(guesses.map((e) => e.body?.username))).toEqual(new Set([victim.username]));
  expect(new Set(guesses.map((e) => e.body?.password)).size).toBe(guesses.length);
  const sprays = [...passwordSpraying({ ...login, userAgent: commonUserAgent(releases), addresses: 20 })];
  expect(new Set(sprays.map((e) => e.body?.username)).size).toBe(100);
  expect(new Set(sprays.map((e) => e.body?.password)).size).toBeLessThanOrEqual(4);
});

test('a scanner asks for what is not there, an excessive client searches without end', () => {
  const { random, plan, data } = world('noise');
  const [attacker] = data.users;
  if (attacker === undefined) throw new Error('no users');
  const window = { from, until: from + 60_000 };
  const scan = [...probing({ random, data, window, address: plan.hosting(), requestsPerSecond: 5 })];
  expect(new Set(scan.map((e) => e.path)).size).toBeGreaterThan(20);
  const flood = { random, data, window, attacker, address: plan.home(), requestsPerSecond: 20 };
  expect([...excessiveSearch(flood)].length).toBeGreaterThan(900);
});

test('merging keeps every event of every stream', () => {
  const { data, random, plan, releases } = world('merge');
  const stream = (skip: number) =>
    slowScraping({
      random,
      data,
      window: hour,
      address: plan.hosting(),
      userAgent: commonUserAgent(releases),
      everyMs: 9000,
      skip,
    });
  const merged = [...mergeEvents([stream(0), stream(5), [].values(), stream(9)])];
  expect(merged.length).toBeGreaterThan(1000);
  expect(merged.map((e) => e.at)).toEqual(merged.map((e) => e.at).sort((a, b) => a - b));
});

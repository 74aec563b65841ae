/** Attacks by family and by the parameters that make them hard: rate, spread, disguise. */
import type { ShopUser } from '../../examples/shop/seed-data.ts';
import { excessiveSearch, orderWalking, probing, slowScraping, tokenSharing } from '../scenarios/attacks/reading.ts';
import { bruteForce, credentialStuffing, passwordSpraying } from '../scenarios/attacks/stuffing.ts';
import { commonUserAgent } from '../scenarios/population.ts';
import type { Random } from '../scenarios/random.ts';
import type { EventStream, Window } from '../scenarios/request-event.ts';
import { hourMs, type Stage } from './world.ts';

export interface Cell {
  family: string;
  /** The parameters, for the table. */
  name: string;
  durationMs: number;
  /** Logins a second of ordinary people on top of the day, where the target is a share of login traffic; else 0. */
  rush: number;
  attack(stage: Stage, random: Random, window: Window): EventStream;
}

const minute = 60_000;
const seconds = (ms: number): string => (ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`);

function customers(stage: Stage): readonly ShopUser[] {
  return stage.world.data.users.filter((u) => u.role === 'customer');
}

function stuffing(addresses: number, attemptsPerSecond: number, disguised: boolean): Cell {
  return {
    family: 'credentialStuffing',
    name: `${addresses} address${addresses > 1 ? 'es' : ''}, ${attemptsPerSecond}/s, ${disguised ? 'disguised' : 'plain'}`,
    durationMs: 30 * minute,
    rush: 0,
    attack: (stage, random, window) =>
      credentialStuffing({
        random,
        plan: stage.world.plan,
        window,
        users: customers(stage),
        attemptsPerSecond,
        addresses,
        reused: stage.reserved.slice(30),
        ...(disguised ? { userAgent: commonUserAgent(stage.world.releases) } : {}),
      }),
  };
}

function distributed(share: number, disguised: boolean): Cell {
  const rush = 4;
  return {
    family: 'distributedStuffing',
    name: `${share * 100} % of logins, ${disguised ? 'commonest user agent' : 'plain tool'}`,
    durationMs: 10 * minute,
    rush,
    attack: (stage, random, window) =>
      credentialStuffing({
        random,
        plan: stage.world.plan,
        window,
        users: customers(stage),
        attemptsPerSecond: (rush * share) / (1 - share),
        addresses: 0,
        reused: stage.reserved.slice(30),
        sharedAddresses: stage.people.filter((p) => p.sharesWithAttackers).map((p) => p.clientAt(window.from).address),
        ...(disguised ? { userAgent: commonUserAgent(stage.world.releases) } : {}),
      }),
  };
}

function guessing(addresses: number, attemptsPerSecond: number): Cell {
  return {
    family: 'bruteForce',
    name: `${addresses} address${addresses > 1 ? 'es' : ''}, ${attemptsPerSecond}/s`,
    durationMs: 30 * minute,
    rush: 0,
    attack: (stage, random, window) =>
      bruteForce({
        random,
        plan: stage.world.plan,
        window,
        users: customers(stage),
        attemptsPerSecond,
        addresses,
        victim: stage.reserved[0] as ShopUser,
      }),
  };
}

function spraying(addresses: number, attemptsPerSecond: number): Cell {
  return {
    family: 'passwordSpraying',
    name: `${addresses} addresses, ${attemptsPerSecond}/s`,
    durationMs: 30 * minute,
    rush: 0,
    attack: (stage, random, window) =>
      passwordSpraying({
        random,
        plan: stage.world.plan,
        window,
        users: customers(stage),
        attemptsPerSecond,
        addresses,
        userAgent: commonUserAgent(stage.world.releases),
      }),
  };
}

function walking(everyMs: number, shuffled = false): Cell {
  return {
    family: 'objectEnumeration',
    name: `one id per ${seconds(everyMs)}${shuffled ? ', in no order' : ''}`,
    durationMs: everyMs >= minute ? hourMs : 15 * minute,
    rush: 0,
    attack: (stage, random, window) =>
      orderWalking({
        random,
        data: stage.world.data,
        window,
        attacker: stage.reserved[1] as ShopUser,
        address: stage.world.plan.home(),
        releases: stage.world.releases,
        everyMs,
        ...(shuffled ? { guessed: stage.people.flatMap((p) => p.user.orders) } : {}),
      }),
  };
}

function scraper(everyMs: number, uneven = false): Cell {
  return {
    family: 'scraping',
    name: `one page per ${seconds(everyMs)}${uneven ? ', uneven' : ''}`,
    durationMs: hourMs,
    rush: 0,
    attack: (stage, random, window) =>
      slowScraping({
        random,
        data: stage.world.data,
        window,
        address: stage.world.plan.hosting(),
        userAgent: commonUserAgent(stage.world.releases),
        everyMs,
        uneven,
      }),
  };
}

function sharing(networks: number, requestsPerSecond: number): Cell {
  return {
    family: 'tokenAbuse',
    name: `${networks} thieves, ${requestsPerSecond}/s`,
    durationMs: 30 * minute,
    rush: 0,
    attack: (stage, random, window) =>
      tokenSharing({
        random,
        data: stage.world.data,
        window,
        victim: stage.reserved[2] as ShopUser,
        plan: stage.world.plan,
        releases: stage.world.releases,
        networks,
        requestsPerSecond,
      }),
  };
}

function scanner(requestsPerSecond: number): Cell {
  return {
    family: 'probing',
    name: `${requestsPerSecond}/s`,
    durationMs: 10 * minute,
    rush: 0,
    attack: (stage, random, window) =>
      probing({
        random,
        data: stage.world.data,
        window,
        address: stage.world.plan.hosting(),
        requestsPerSecond,
      }),
  };
}

function flooding(requestsPerSecond: number, mixed = false): Cell {
  return {
    family: 'excess',
    name: `${requestsPerSecond}/s${mixed ? ', mixed' : ''}`,
    durationMs: 10 * minute,
    rush: 0,
    attack: (stage, random, window) =>
      excessiveSearch({
        random,
        data: stage.world.data,
        window,
        attacker: stage.reserved[3] as ShopUser,
        address: stage.world.plan.home(),
        requestsPerSecond,
        mixed,
      }),
  };
}

export const cells: readonly Cell[] = [
  stuffing(1, 0.05, false),
  stuffing(1, 1, true),
  stuffing(5, 0.1, true),
  stuffing(20, 1, true),
  distributed(0.05, false),
  distributed(0.05, true),
  distributed(0.1, true),
  distributed(0.3, true),
  guessing(1, 0.02),
  guessing(1, 0.5),
  guessing(10, 0.1),
  guessing(60, 0.5),
  spraying(3, 0.1),
  spraying(200, 0.5),
  walking(800),
  walking(5000),
  walking(5000, true),
  walking(60_000),
  scraper(1000),
  scraper(5000),
  scraper(5000, true),
  scraper(10_000),
  sharing(4, 0.1),
  sharing(8, 1),
  sharing(16, 2),
  scanner(0.05),
  scanner(1),
  scanner(10),
  flooding(2),
  flooding(5),
  flooding(5, true),
  flooding(20),
];

/** A day (or any stretch) of ordinary traffic: people by the hour, staff, robots, and the days' own surprises. */
import type { ShopData } from '../../examples/shop/seed-data.ts';
import type { AddressPlan } from './address-plan.ts';
import type { Releases } from './devices.ts';
import { mergeEvents } from './merge.ts';
import type { Person } from './population.ts';
import type { Random } from './random.ts';
import type { EventStream, RequestEvent, Window } from './request-event.ts';
import { catalogueJob, monitoringProbe, retryStorm, supportDesk } from './robots.ts';
import { type SessionOptions, shoppingSession } from './shopping.ts';

export interface World {
  random: Random;
  data: ShopData;
  plan: AddressPlan;
  releases: Releases;
  people: readonly Person[];
}

/** What happens besides an ordinary day; each draws its own time from the seed. */
export interface Surprises {
  marketingSpike?: boolean;
  retryStorm?: boolean;
  /** Share of people whose saved password is out of date that day. */
  rotatedPasswords?: number;
}

/** Relative traffic by hour of the day: quiet at night, two humps. */
const hourWeights = [2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 10, 9, 9, 10, 12, 14, 15, 13, 9, 5];

const dayMs = 86_400_000;

export function ordinaryDay(
  world: World,
  window: Window,
  surprises: Surprises = {},
): Generator<RequestEvent, undefined> {
  const streams: EventStream[] = [...robots(world, window)];
  const spike = surprises.marketingSpike ? spikeOf(world, window) : undefined;
  for (const person of world.people) streams.push(personsDay(world, person, window, surprises, spike));
  if (surprises.retryStorm) {
    const random = world.random.fork('retry-storm');
    const from = random.between(window.from, window.until - 120_000);
    for (const person of random.sample(world.people, world.people.length >> 2)) {
      streams.push(
        retryStorm({ ...world, random: random.fork(person.actor.id), window: { from, until: from + 120_000 } }, person),
      );
    }
  }
  return mergeEvents(streams);
}

function* robots(world: World, window: Window): Generator<EventStream> {
  const random = world.random.fork('robots');
  for (let i = 0; i < 2; i++) yield monitoringProbe({ ...world, random: random.fork(`probe${i}`), window });
  yield catalogueJob({ ...world, random: random.fork('job'), window });
  const desk = world.plan.office();
  for (const staff of world.data.users.filter((u) => u.role === 'staff').slice(0, 6)) {
    yield supportDesk({ ...world, random: random.fork(staff.id), window: workingHours(random, window) }, staff, desk);
  }
}

/** Eight hours somewhere in the window, or all of a shorter one. */
function workingHours(random: Random, window: Window): Window {
  const shiftMs = dayMs / 3;
  if (window.until - window.from <= shiftMs) return window;
  const from = random.between(window.from, window.until - shiftMs);
  return { from, until: from + shiftMs };
}

interface Spike {
  at: number;
  product: number;
}

function spikeOf(world: World, window: Window): Spike {
  const random = world.random.fork('spike');
  return { at: random.between(window.from, window.until - 900_000), product: random.pick(world.data.products).id };
}

function* personsDay(
  world: World,
  person: Person,
  window: Window,
  surprises: Surprises,
  spike: Spike | undefined,
): Generator<RequestEvent, undefined> {
  const random = world.random.fork(`day/${person.actor.id}/${window.from}`);
  const starts = sessionStarts(random, person, window);
  const visitsSpike = spike !== undefined && random.chance(0.3);
  const spikeAt = visitsSpike ? spike.at + random.exponential(240_000) : Number.NaN;
  if (visitsSpike) starts.push(spikeAt);
  starts.sort((a, b) => a - b);
  const rotated = random.chance(surprises.rotatedPasswords ?? 0);
  let busyUntil = window.from;
  for (const [i, start] of starts.entries()) {
    const startAt = Math.max(start, busyUntil);
    const session: SessionOptions = { random, person, data: world.data, startAt, until: window.until };
    if (rotated && i === 0) session.rotatedPassword = true;
    if (spike !== undefined && start === spikeAt) session.promotedProduct = spike.product;
    for (const event of shoppingSession(session)) {
      busyUntil = event.at + 1000;
      yield event;
    }
  }
}

/** When a person comes by, in order of time: a Poisson number of visits, placed by the hours of the day. */
function sessionStarts(random: Random, person: Person, { from, until }: Window): number[] {
  const expected = (person.sessionsPerDay * (until - from)) / dayMs;
  const starts: number[] = [];
  for (let t = random.exponential(1); t < expected; t += random.exponential(1)) {
    for (;;) {
      const at = random.between(from, until);
      if (random.next() * 15 < (hourWeights[new Date(at).getUTCHours()] ?? 0)) {
        starts.push(at);
        break;
      }
    }
  }
  return starts;
}

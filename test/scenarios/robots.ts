/** Benign traffic that is not people: staff desks, probes, batch jobs and clients that retry. */
import type { ShopData, ShopUser } from '../../examples/shop/seed-data.ts';
import type { AddressPlan } from './address-plan.ts';
import { browserHeaders, type Releases, robotHeaders } from './devices.ts';
import type { Person } from './population.ts';
import type { Random } from './random.ts';
import { type Actor, type Client, createJar, type RequestEvent, type Window } from './request-event.ts';

export interface RobotOptions {
  random: Random;
  data: ShopData;
  plan: AddressPlan;
  releases: Releases;
  window: Window;
}

type Event = Generator<RequestEvent, undefined>;

/** Asks the same page at a fixed interval, day and night. */
export function* monitoringProbe({ random, plan, window }: RobotOptions): Event {
  const client: Client = {
    address: plan.hosting(),
    headers: robotHeaders('UptimeProbe/2.4 (+https://status.example/bot)'),
    jar: createJar(),
  };
  const actor: Actor = { id: `probe/${client.address}`, label: 'benign', persona: 'probe' };
  const everyMs = random.pick([20_000, 30_000, 60_000]);
  for (let at = window.from + random.between(0, everyMs); at < window.until; at += everyMs + random.between(0, 40)) {
    yield { at, actor, client, method: 'GET', path: '/v1/products?page=0', authorized: false };
  }
}

/** A partner's job that reads the catalogue's pages at the same minute of each hour. */
export function* catalogueJob({ random, data, plan, window }: RobotOptions): Event {
  const client: Client = {
    address: plan.hosting(),
    headers: robotHeaders('PriceSync/1.8 (partner feed)'),
    jar: createJar(),
  };
  const actor: Actor = { id: `job/${client.address}`, label: 'benign', persona: 'batchJob' };
  const pages = Math.ceil(data.products.length / 24);
  const hourMs = 3_600_000;
  for (let start = window.from + random.between(0, hourMs); start < window.until; start += hourMs) {
    for (let page = 0, at = start; page < pages && at < window.until; page++) {
      yield { at, actor, client, method: 'GET', path: `/v1/products?page=${page}`, authorized: false };
      at += random.between(180, 420);
    }
  }
}

/** A member of the support desk: opens one customer after the other, all working day. */
export function* supportDesk(options: RobotOptions, staff: ShopUser, address: string): Event {
  const { random, data, window, releases } = options;
  const client: Client = { address, headers: browserHeaders(random, releases), jar: createJar() };
  const actor: Actor = { id: `staff/${staff.id}`, label: 'benign', persona: 'support', user: staff };
  const base = { actor, client, authorized: true };
  const customers = data.users.filter((u) => u.role === 'customer');
  const { username, password } = staff;
  yield {
    ...base,
    at: window.from,
    method: 'POST',
    path: '/v1/login',
    body: { username, password },
    authorized: false,
  };
  for (let at = window.from + 2000; at < window.until; at += random.lognormal(45_000, 0.8)) {
    yield { ...base, at, method: 'GET', path: `/v1/customers/${random.pick(customers).id}` };
  }
}

/** While a release rolls out, an app repeats what it cannot get, sooner than a person would. */
export function* retryStorm(options: RobotOptions, person: Person): Event {
  const { random, data, window } = options;
  const client = person.clientAt(window.from);
  const product = random.pick(data.products).id;
  let at = window.from + random.between(0, 5000);
  for (let i = 0, waitMs = 250; i < random.whole(6, 16) && at < window.until; i++) {
    yield { at, actor: person.actor, client, method: 'GET', path: `/v1/products/${product}`, authorized: true };
    at += waitMs + random.between(0, 100);
    waitMs = Math.min(8000, waitMs * 1.6);
  }
}

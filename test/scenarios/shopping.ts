/** What people do in a shop: one session is a login and a walk from page to page, with pauses as people make them. */
import type { ShopData } from '../../examples/shop/seed-data.ts';
import { gone, missesAtStart } from './misses.ts';
import type { Person } from './population.ts';
import type { Random } from './random.ts';
import type { Client, RequestEvent } from './request-event.ts';

type Step = Pick<RequestEvent, 'method' | 'path'> & { body?: Readonly<Record<string, unknown>>; pauseMs?: number };

export interface SessionOptions {
  random: Random;
  person: Person;
  data: ShopData;
  startAt: number;
  /** The session ends at the latest then. */
  until: number;
  /** Old passwords are tried first: the day after a password manager rotated them. */
  rotatedPassword?: boolean;
  /** Something everybody came for. */
  promotedProduct?: number;
}

/** One visit, from the login on. */
export function* shoppingSession(options: SessionOptions): Generator<RequestEvent, undefined> {
  const { random, person, startAt, until } = options;
  let client = person.clientAt(startAt);
  let at = startAt;
  for (const step of sessionSteps(options)) {
    if (at >= until) return;
    const { pauseMs, ...request } = step;
    yield { ...request, at, actor: person.actor, client, authorized: request.path !== '/v1/login' };
    at += pauseMs ?? pause(random, person.pauseMs);
    // A phone that travels changes networks in the middle of a visit.
    if (person.temperament === 'hopper' && random.chance(0.05)) client = moved(client, person.clientAt(at));
  }
}

function moved(before: Client, after: Client): Client {
  return { ...before, address: after.address };
}

/** People's pauses are heavy-tailed: mostly short, sometimes the phone rings. */
function pause(random: Random, medianMs: number): number {
  return Math.max(120, random.lognormal(medianMs, 0.9)) + (random.chance(0.03) ? random.exponential(60_000) : 0);
}

function* sessionSteps(options: SessionOptions): Generator<Step> {
  const { random, person, data, promotedProduct } = options;
  for (const path of missesAtStart(random, person, data)) yield { ...get(path), pauseMs: pause(random, 3000) };
  yield* logIn(options);
  if (promotedProduct !== undefined) yield get(`/v1/products/${promotedProduct}`);
  const length = Math.min(140, Math.max(2, random.lognormal(person.temperament === 'powerUser' ? 60 : 9, 0.7)));
  for (let i = 0; i < length; ) {
    let taken = 0;
    for (const step of activity(random, person, data)) {
      taken += 1;
      yield step;
    }
    i += Math.max(1, taken);
  }
  if (random.chance(0.2)) yield { method: 'POST', path: '/v1/logout' };
}

function* logIn({ random, person, rotatedPassword }: SessionOptions): Generator<Step> {
  const { username, password } = person.user;
  const attempt = (text: string): Step => ({ method: 'POST', path: '/v1/login', body: { username, password: text } });
  const wrong = rotatedPassword ? random.whole(1, 3) : random.chance(person.typoRate) ? random.whole(1, 2) : 0;
  for (let i = 0; i < wrong; i++) yield attempt(`${password.slice(0, -1)}${random.hex(1)}x`);
  yield { ...attempt(password), pauseMs: random.between(300, 1500) };
}

function activity(random: Random, person: Person, data: ShopData): Iterable<Step> {
  if (person.temperament === 'prefetcher' && random.chance(0.12)) return prefetch(random, data);
  if (person.temperament === 'pager' && random.chance(0.3)) return pageThrough(random);
  return random.weighted<() => Iterable<Step>>([
    [() => browse(random, data), 45],
    [() => search(random, data), 15],
    [() => ownOrders(random, person), 14],
    [() => buy(random, data), 12],
    [() => [get('/v1/account')], 10],
    [() => transfer(random, data), 2],
    [() => deadLinks(random, data), 0.6],
  ])();
}

function* browse(random: Random, data: ShopData): Generator<Step> {
  const pages = Math.ceil(data.products.length / 24);
  // Most look at the front of the list.
  const page = Math.min(pages - 1, Math.floor(random.exponential(3)));
  yield get(`/v1/products?page=${page}`);
  for (const product of random.sample(data.products.slice(page * 24, page * 24 + 24), random.whole(0, 3))) {
    yield get(`/v1/products/${product.id}`);
  }
}

/** One dead link, or a page of them. */
function* deadLinks(random: Random, data: ShopData): Generator<Step> {
  for (const id of random.sample(gone(data), random.chance(0.9) ? 1 : random.whole(2, 4)))
    yield get(`/v1/products/${id}`);
}

function* search(random: Random, data: ShopData): Generator<Step> {
  const [word = 'oak'] = random.pick(data.products).name.split(' ');
  // Some searches ask at every letter.
  if (random.chance(0.3))
    for (let typed = 1; typed < word.length; typed++)
      yield { ...get(`/v1/search?q=${word.slice(0, typed)}`), pauseMs: random.lognormal(220, 0.4) };
  yield get(`/v1/search?q=${word}`);
  if (random.chance(0.6)) {
    const hits = data.products.filter((p) => p.name.includes(word)).slice(0, 24);
    yield get(`/v1/products/${random.pick(hits).id}`);
  }
}

function* ownOrders(random: Random, person: Person): Generator<Step> {
  yield get('/v1/account/orders');
  for (const order of random.sample(person.user.orders, random.whole(0, 2))) yield get(`/v1/orders/${order}`);
}

function* buy(random: Random, data: ShopData): Generator<Step> {
  const { id } = random.pick(data.products);
  yield get(`/v1/products/${id}`);
  yield { method: 'POST', path: '/v1/cart/items', body: { product: id, quantity: random.whole(1, 3) } };
  yield get('/v1/cart');
  if (random.chance(0.5)) yield { method: 'POST', path: '/v1/checkout', body: { payment: 'card' } };
}

function* transfer(random: Random, data: ShopData): Generator<Step> {
  const amountCents = Math.round(random.lognormal(2500, 0.8));
  yield { method: 'POST', path: '/v1/transfers', body: { to: random.pick(data.users).id, amountCents } };
}

/** A page that fetches what it links to: dozens of requests within seconds, none of them a click. */
function* prefetch(random: Random, data: ShopData): Generator<Step> {
  const page = random.whole(0, 8);
  yield { ...get(`/v1/products?page=${page}`), pauseMs: 150 };
  for (const product of data.products.slice(page * 24, page * 24 + random.whole(40, 60))) {
    yield { ...get(`/v1/products/${product.id}`), pauseMs: random.between(60, 260) };
  }
}

function* pageThrough(random: Random): Generator<Step> {
  const from = random.whole(0, 10);
  const pages = random.whole(8, 30);
  for (let page = from; page < from + pages; page++) {
    yield { ...get(`/v1/products?page=${page}`), pauseMs: random.lognormal(2200, 0.5) };
  }
}

function get(path: string): Step {
  return { method: 'GET', path };
}

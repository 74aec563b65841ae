/** Reading what one should not, or more than one should: walking ids, scraping, probing, flooding. */
import type { ShopData, ShopUser } from '../../../examples/shop/seed-data.ts';
import type { AddressPlan } from '../address-plan.ts';
import { browserHeaders, disguisedTool, type Headers, plainTool, type Releases } from '../devices.ts';
import type { Random } from '../random.ts';
import { type Actor, type Client, createJar, type RequestEvent, type Window } from '../request-event.ts';

interface ReadingAttack {
  random: Random;
  data: ShopData;
  window: Window;
}

type Events = Generator<RequestEvent, undefined>;

/** A logged-in customer who counts up order ids, or guesses them. `everyMs` from a fraction of a second to a minute. */
export function* orderWalking(
  options: ReadingAttack & {
    attacker: ShopUser;
    address: string;
    releases: Releases;
    everyMs: number;
    /** Ids that are tried in no order, instead of counting. */
    guessed?: readonly number[];
  },
): Events {
  const { random, data, window, attacker, everyMs } = options;
  const client: Client = {
    address: options.address,
    headers: browserHeaders(random, options.releases),
    jar: createJar(),
  };
  const actor: Actor = { id: `walking/${attacker.id}`, label: 'objectEnumeration', persona: 'walking', user: attacker };
  yield logIn(window.from, actor, client, attacker);
  const base = { actor, client, method: 'GET' as const, authorized: true };
  yield { ...base, at: window.from + 800, path: '/v1/account/orders' };
  const ids = [...data.orders.keys()];
  let id = random.pick(ids.slice(0, ids.length >> 1));
  const direction = random.chance(0.8) ? 1 : -1;
  for (let at = window.from + 2000; at < window.until; at += everyMs * random.between(0.7, 1.4)) {
    yield { ...base, at, path: `/v1/orders/${options.guessed ? random.pick(options.guessed) : id}` };
    id +=
      direction *
      random.weighted([
        [1, 9],
        [2, 1],
      ]);
  }
}

/** Reads the catalogue product by product, slowly enough for every rate limit. */
export function* slowScraping(
  options: ReadingAttack & {
    address: string;
    userAgent: string;
    everyMs: number;
    skip?: number;
    /** Pauses as people make them instead of a timer's. */
    uneven?: boolean;
  },
): Events {
  const { random, data, window, everyMs } = options;
  const headers = disguisedTool(random, options.userAgent);
  const client: Client = { address: options.address, headers, jar: createJar() };
  const actor: Actor = { id: `scraping/${options.address}`, label: 'scraping', persona: 'scraping' };
  // Some sort what they read, some shuffle it to look less like a list.
  const ids = data.products.map((p) => p.id);
  const queue = random.chance(0.5) ? ids : random.sample(ids, ids.length);
  const jitter = random.between(0.02, 0.2);
  let i = options.skip ?? 0;
  const pause = (): number =>
    options.uneven ? random.lognormal(everyMs * 0.75, 0.76) : everyMs * (1 + random.between(-jitter, jitter));
  for (let at = window.from; at < window.until; at += pause()) {
    yield { at, actor, client, method: 'GET', path: `/v1/products/${queue[i % queue.length]}`, authorized: false };
    i += 1;
  }
}

const wantedFiles = [
  ...[
    '/.env',
    '/.git/config',
    '/wp-login.php',
    '/phpmyadmin/index.php',
    '/server-status',
    '/actuator/env',
    '/config.json',
  ],
  ...['/v1/admin', '/v1/admin/users', '/v1/debug/vars', '/v1/internal/metrics', '/v1/users.json', '/v1/backup.sql'],
  ...['/v1/orders/../../etc/passwd', '/v1/search?q=%27%20OR%201%3D1--', '/v1/graphql', '/v1/swagger.json', '/v1/.env'],
];

/** A scanner: paths that are not there, and the same with suffixes. */
export function* probing(options: ReadingAttack & { address: string; requestsPerSecond: number }): Events {
  const { random, window, requestsPerSecond } = options;
  const client: Client = { address: options.address, headers: plainTool(random), jar: createJar() };
  const actor: Actor = { id: `probing/${options.address}`, label: 'probing', persona: 'probing' };
  for (let at = window.from, i = 0; at < window.until; at += random.exponential(1000 / requestsPerSecond)) {
    const path = wantedFiles[i % wantedFiles.length] as string;
    const suffix = i < wantedFiles.length ? '' : random.pick(['.bak', '.old', '~', '.zip', `?x=${random.hex(3)}`]);
    yield { at, actor, client, method: 'GET', path: `${path}${suffix}`, authorized: false };
    i += 1;
  }
}

/** A customer's account that searches far more than anybody does, or asks for all sorts of things far too often. */
export function* excessiveSearch(
  options: ReadingAttack & { attacker: ShopUser; address: string; requestsPerSecond: number; mixed?: boolean },
): Events {
  const { random, data, window, attacker, requestsPerSecond } = options;
  const client: Client = { address: options.address, headers: plainTool(random), jar: createJar() };
  const actor: Actor = { id: `excess/${attacker.id}`, label: 'excess', persona: 'excess', user: attacker };
  yield logIn(window.from, actor, client, attacker);
  for (let at = window.from + 500; at < window.until; at += random.exponential(1000 / requestsPerSecond)) {
    const [word = 'oak'] = random.pick(data.products).name.split(' ');
    const path = options.mixed
      ? random.pick(['/v1/account', '/v1/cart', '/v1/account/orders', '/v1/products?page=0', `/v1/search?q=${word}`])
      : `/v1/search?q=${word}`;
    yield { at, actor, client, method: 'GET', path, authorized: true };
  }
}

/** One stolen token, used from many networks by different programs. The victim's own login comes first. */
export function* tokenSharing(
  options: ReadingAttack & {
    victim: ShopUser;
    plan: AddressPlan;
    releases: Releases;
    networks: number;
    requestsPerSecond: number;
  },
): Events {
  const { random, data, window, victim, plan, releases, networks, requestsPerSecond } = options;
  const jar = createJar();
  const own: Client = { address: plan.home(), headers: browserHeaders(random, releases), jar };
  const owner: Actor = { id: `victim/${victim.id}`, label: 'benign', persona: 'tokenOwner', user: victim };
  yield logIn(window.from, owner, own, victim);
  const actor: Actor = { id: `token/${victim.id}`, label: 'tokenAbuse', persona: 'tokenSharing', user: victim };
  const thieves = Array.from({ length: networks }, (): Client => {
    const headers: Headers = random.chance(0.5) ? plainTool(random) : browserHeaders(random, releases);
    return { address: random.chance(0.5) ? plan.hosting() : plan.relay(), headers, jar };
  });
  const paths = ['/v1/account', '/v1/account/orders', '/v1/cart', ...victim.orders.map((id) => `/v1/orders/${id}`)];
  for (let at = window.from + 3000; at < window.until; at += random.exponential(1000 / requestsPerSecond)) {
    const path = random.chance(0.3) ? `/v1/products/${random.pick(data.products).id}` : random.pick(paths);
    yield { at, actor, client: random.pick(thieves), method: 'GET', path, authorized: true };
  }
}

function logIn(at: number, actor: Actor, client: Client, { username, password }: ShopUser): RequestEvent {
  return { at, actor, client, method: 'POST', path: '/v1/login', body: { username, password }, authorized: false };
}

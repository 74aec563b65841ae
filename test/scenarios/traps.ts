/** Ordinary traffic that looks like abuse to a naive rule. Everybody here is innocent. */
import type { ShopUser } from '../../examples/shop/seed-data.ts';
import type { World } from './day.ts';
import { appHeaders, browserHeaders, type Headers, robotHeaders } from './devices.ts';
import type { Person } from './population.ts';
import type { Random } from './random.ts';
import {
  type Actor,
  type Client,
  createJar,
  type EventStream,
  type RequestEvent,
  type Window,
} from './request-event.ts';
import { monitoringProbe } from './robots.ts';
import { shoppingSession } from './shopping.ts';

type Events = Generator<RequestEvent, undefined>;

interface Guest {
  actor: Actor;
  user: ShopUser;
}

/** Customers who are nobody else in this scenario. */
function guests(world: World, count: number, persona: string): Guest[] {
  const taken = new Set(world.people.map((p) => p.user.id));
  return world.data.users
    .filter((u) => u.role === 'customer' && !taken.has(u.id))
    .slice(0, count)
    .map((user) => ({ user, actor: { id: `${persona}/${user.id}`, label: 'benign', persona, user } }));
}

function logIn(at: number, { actor, user }: Guest, client: Client): RequestEvent {
  const { username, password } = user;
  return { at, actor, client, method: 'POST', path: '/v1/login', body: { username, password }, authorized: false };
}

function visitor(
  guest: Guest,
  random: Random,
  temperament: Person['temperament'],
  clientAt: (at: number) => Client,
): Person {
  return {
    actor: guest.actor,
    user: guest.user,
    temperament,
    pauseMs: random.lognormal(6500, 0.4),
    typoRate: 0.06,
    sessionsPerDay: 2,
    sharesWithAttackers: false,
    clientAt,
  };
}

function* visits(world: World, person: Person, window: Window, random: Random, pauseMs: number): Events {
  let startAt = window.from + random.between(0, pauseMs);
  while (startAt < window.until) {
    for (const event of shoppingSession({ random, person, data: world.data, startAt, until: window.until })) {
      startAt = event.at;
      yield event;
    }
    startAt += 5000 + random.exponential(pauseMs);
  }
}

/** A page that fetches 55 linked resources within 9 s, again and again. */
export function pagePrefetch(world: World, window: Window): EventStream[] {
  return guests(world, 25, 'prefetcher').map((guest) => {
    const random = world.random.fork(`trap/${guest.actor.id}`);
    const client = { address: world.plan.home(), headers: browserHeaders(random, world.releases), jar: createJar() };
    return (function* (): Events {
      let at = window.from + random.between(0, 1_800_000);
      yield logIn(at, guest, client);
      for (let page = 0; page < 4; page++) {
        at += random.lognormal(40_000, 0.7);
        const products = random.sample(world.data.products, 55);
        for (const product of products) {
          if (at >= window.until) return;
          yield {
            at,
            actor: guest.actor,
            client,
            method: 'GET',
            path: `/v1/products/${product.id}`,
            authorized: true,
          };
          at += random.between(80, 240);
        }
      }
    })();
  });
}

/** A company: all behind one address with the same managed browser; they all log in when work begins. */
export function officeNat(world: World, window: Window): EventStream[] {
  const random = world.random.fork('trap/office');
  const address = world.plan.office();
  const headers = browserHeaders(random, world.releases);
  return guests(world, 120, 'office').map((guest) => {
    const own = random.fork(guest.actor.id);
    const client: Client = { address, headers, jar: createJar() };
    const from = window.from + own.between(0, 1_200_000);
    return visits(
      world,
      visitor(guest, own, 'shopper', () => client),
      { ...window, from },
      own,
      1_500_000,
    );
  });
}

/** Phones behind two gateways of a carrier. */
export function carrierNat(world: World, window: Window): EventStream[] {
  const random = world.random.fork('trap/carrier');
  const gates = [world.plan.carrier(), world.plan.carrier()];
  return guests(world, 240, 'carrier').map((guest) => {
    const own = random.fork(guest.actor.id);
    const client: Client = {
      address: own.pick(gates),
      headers: appHeaders(own, world.releases.app),
      jar: createJar(),
    };
    return visits(
      world,
      visitor(guest, own, 'shopper', () => client),
      window,
      own,
      2_400_000,
    );
  });
}

/** Phones that change networks every few requests: trains, handovers between carriers and hot spots. */
export function networkHoppers(world: World, window: Window): EventStream[] {
  const random = world.random.fork('trap/hoppers');
  const spots = Array.from({ length: 30 }, (_, i) => (i % 2 ? world.plan.carrier() : world.plan.office()));
  return guests(world, 60, 'hopper').map((guest) => {
    const own = random.fork(guest.actor.id);
    const route = own.sample(spots, own.whole(3, 6));
    const jar = createJar();
    const headers = appHeaders(own, world.releases.app);
    const person = visitor(guest, own, 'hopper', () => ({ address: own.pick(route), headers, jar }));
    return visits(world, person, window, own, 900_000);
  });
}

/** People who page through long lists and open what they find, for an hour on end. */
export function powerUsers(world: World, window: Window): EventStream[] {
  return guests(world, 15, 'powerUser').map((guest) => {
    const random = world.random.fork(`trap/${guest.actor.id}`);
    const client = { address: world.plan.home(), headers: browserHeaders(random, world.releases), jar: createJar() };
    return (function* (): Events {
      let at = window.from + random.between(0, 600_000);
      yield logIn(at, guest, client);
      const step = (path: string): RequestEvent => ({
        at,
        actor: guest.actor,
        client,
        method: 'GET',
        path,
        authorized: true,
      });
      for (let page = 0; page < 100 && at < window.until; page++) {
        at += random.lognormal(2500, 0.6);
        yield step(`/v1/products?page=${page}`);
        for (const product of random.sample(world.data.products.slice(page * 24, page * 24 + 24), random.whole(0, 2))) {
          at += random.lognormal(3500, 0.8) + (random.chance(0.04) ? random.exponential(90_000) : 0);
          if (at < window.until) yield step(`/v1/products/${product.id}`);
        }
      }
    })();
  });
}

/** A support desk of twelve: each case is a customer and that customer's orders. */
export function supportOrders(world: World, window: Window): EventStream[] {
  const random = world.random.fork('trap/support');
  const address = world.plan.office();
  const customers = world.data.users.filter((u) => u.role === 'customer' && u.orders.length > 0);
  return (
    world.data.users
      .filter((u) => u.role === 'staff')
      // The first six are at the ordinary day's desk.
      .slice(6, 18)
      .map((user) => {
        const own = random.fork(user.id);
        const client = { address, headers: browserHeaders(own, world.releases), jar: createJar() };
        const guest: Guest = { user, actor: { id: `desk/${user.id}`, label: 'benign', persona: 'support', user } };
        return (function* (): Events {
          let at = window.from + own.between(0, 600_000);
          yield logIn(at, guest, client);
          while (at < window.until) {
            const customer = own.pick(customers);
            for (const path of [
              `/v1/customers/${customer.id}`,
              ...own.sample(customer.orders, own.whole(0, 2)).map((id) => `/v1/orders/${id}`),
            ]) {
              at += own.lognormal(6000, 0.6);
              if (at < window.until) yield { at, actor: guest.actor, client, method: 'GET', path, authorized: true };
            }
            at += own.lognormal(120_000, 0.7);
          }
        })();
      })
  );
}

/** Partners' jobs: one reads all list pages at the same minute of each hour, one asks for 300 products at night. */
export function batchJobs(world: World, window: Window): EventStream[] {
  const job = (name: string, headers: Headers, paths: string[], everyMs: number, gapMs: number): EventStream => {
    const random = world.random.fork(`trap/job/${name}`);
    const client: Client = { address: world.plan.hosting(), headers, jar: createJar() };
    const actor: Actor = { id: `job/${name}`, label: 'benign', persona: 'batchJob' };
    return (function* (): Events {
      for (let start = window.from + random.between(0, everyMs); start < window.until; start += everyMs)
        for (let i = 0, at = start; i < paths.length && at < window.until; i++, at += gapMs * random.between(0.7, 1.5))
          yield { at, actor, client, method: 'GET', path: paths[i] as string, authorized: false };
    })();
  };
  const pages = Array.from({ length: 100 }, (_, i) => `/v1/products?page=${i}`);
  const few = world.data.products.slice(0, 20).map((p) => `/v1/products/${p.id}`);
  return [
    job('prices', robotHeaders('PriceSync/1.8 (partner feed)'), pages, 3_600_000, 300),
    job('stock', robotHeaders('stock-cron/3 (+mailto:ops@partner.example)'), few, 900_000, 400),
  ];
}

/** Probes every few seconds, one of which logs in each minute as a test customer does. */
export function monitoringProbes(world: World, window: Window): EventStream[] {
  const [guest] = guests(world, 1, 'probe');
  const random = world.random.fork('trap/probes');
  const client = { address: world.plan.hosting(), headers: robotHeaders('synthetics/2.1 (checks)'), jar: createJar() };
  const loggingIn = (function* (): Events {
    if (!guest) return;
    for (let at = window.from; at < window.until; at += 60_000) {
      yield logIn(at, guest, client);
      yield { at: at + 300, actor: guest.actor, client, method: 'GET', path: '/v1/account', authorized: true };
      yield { at: at + 600, actor: guest.actor, client, method: 'GET', path: '/v1/products?page=0', authorized: true };
    }
  })();
  const probes = Array.from({ length: 4 }, (_, i) =>
    monitoringProbe({ ...world, random: random.fork(String(i)), window }),
  );
  return [loggingIn, ...probes];
}

/** Pages left open that ask for news by themselves, all day, as even as a clock. */
export function pagesLeftOpen(world: World, window: Window): EventStream[] {
  return guests(world, 40, 'openPage').map((guest) => {
    const random = world.random.fork(`trap/${guest.actor.id}`);
    const client = { address: world.plan.home(), headers: browserHeaders(random, world.releases), jar: createJar() };
    const everyMs = random.pick([2000, 5000, 10_000, 30_000]);
    const paths = random.pick([
      ['/v1/account'],
      ['/v1/cart', '/v1/account'],
      ['/v1/products?page=0'],
      ['/v1/account/orders'],
    ]);
    return (function* (): Events {
      let at = window.from + random.between(0, 1_800_000);
      yield logIn(at, guest, client);
      for (at += 2000; at < window.until; at += everyMs + random.between(0, 25))
        for (const path of paths) yield { at, actor: guest.actor, client, method: 'GET', path, authorized: true };
    })();
  });
}

/** People who reload one product until it is for sale, and people who compare for an hour. */
export function waitingForSales(world: World, window: Window): EventStream[] {
  return guests(world, 40, 'waiting').map((guest, i) => {
    const random = world.random.fork(`trap/${guest.actor.id}`);
    const client = { address: world.plan.home(), headers: browserHeaders(random, world.releases), jar: createJar() };
    const { id } = random.pick(world.data.products);
    return (function* (): Events {
      const from = window.from + random.between(0, 5_400_000);
      yield logIn(from, guest, client);
      const step = (at: number, path: string): RequestEvent => ({
        at,
        actor: guest.actor,
        client,
        method: 'GET',
        path,
        authorized: true,
      });
      if (i % 2) {
        for (let at = from + 2000; at < from + 600_000; at += random.lognormal(2200, 0.5))
          yield step(at, `/v1/products/${id}`);
        return;
      }
      for (let at = from + 2000; at < from + 3_600_000; at += random.lognormal(11_000, 0.8))
        yield step(at, random.chance(0.8) ? `/v1/products/${random.pick(world.data.products).id}` : '/v1/cart');
    })();
  });
}

/** From `at` on half of the people call the product list under a new name. */
export function* newApiVersion(stream: EventStream, at: number): Events {
  for (let next = stream.next(); !next.done; next = stream.next()) {
    const event = next.value;
    const moved = event.at >= at && event.actor.id.charCodeAt(event.actor.id.length - 1) % 2 === 0;
    yield moved ? { ...event, path: event.path.replace('/v1/products', '/v1/catalog/items') } : event;
  }
}

/** Everybody's day an hour earlier, as after a change of the clocks. */
export function* clocksChanged(stream: EventStream): Events {
  for (let next = stream.next(); !next.done; next = stream.next())
    yield { ...next.value, at: next.value.at - 3_600_000 };
}

/** Sites with records that belong to somebody and logins that few use: who abuses them is told by what others do there. */
import { addressOf, browsers, day, hour, minute, type Site, wakingTime } from './actors.ts';
import { personSignsIn, type Product, signIns } from './sign-in.ts';
import type { SiteAttack } from './site-attacks.ts';
import { createEverydaySite, readers, signsInSometimes } from './visitors.ts';

interface Attacked {
  site: Site;
  attack: SiteAttack;
}

/** Customers who come back to their invoices, whose numbers stand in the path or in the query. */
export function billing(seed: number | string, where: 'path' | 'query', attacked: boolean): Attacked {
  const site = createEverydaySite('billing', seed, 2 * day);
  const { random, log } = site;
  const path = (id: number): string => (where === 'path' ? `/api/invoices/${id}` : `/api/invoices?id=${id}`);
  const first = random.whole(4_000, 90_000);
  for (let i = 0; i < 160; i++) {
    const who = { address: addressOf(i), agent: random.pick(browsers) };
    const own = Array.from({ length: random.whole(2, 9) }, () => first + random.whole(0, 3_000));
    for (let visits = random.whole(1, 5); visits > 0; visits--) {
      let at = wakingTime(site);
      log.add({ at, ...who, path: '/api/me', bytes: random.whole(300, 600) });
      for (let n = random.whole(1, 6); n > 0; n--)
        log.add({
          at: (at += random.lognormal(9_000, 1)),
          ...who,
          path: path(random.pick(own)),
          referer: `${site.origin}/bills`,
          bytes: random.whole(900, 4_000),
        });
    }
  }
  const address = '185.220.101.77';
  const at = site.from + 30 * hour;
  if (attacked)
    for (let i = 0; i < 300; i++)
      log.add({
        at: at + i * 1_500 * random.between(0.8, 1.2),
        address,
        agent: browsers[2],
        path: path(first + 500 + i),
        bytes: random.whole(900, 4_000),
      });
  return { site, attack: { name: 'walks invoices', addresses: [address], firstAt: at } };
}

/** People mistype and get in; a spray comes from many addresses, each of which fails seldom and does nothing else. */
export function sprayed(
  seed: number | string,
  product: Product,
  how: { people: number; addresses: number; everyMs: number; forMs: number; attacked: boolean },
): Attacked {
  const site = createEverydaySite('mail', seed, 3 * day);
  const { random, log } = site;
  const login = signIns[product];
  readers(site, 150, {
    pages: () => random.whole(1, 5),
    pauseMs: 30_000,
    assets: 4,
    pathOf: () => `/p/${random.whole(1, 90)}`,
  });
  signsInSometimes(site, product, how.people * 3);
  // A few programs keep a password that has changed.
  for (let i = 0; i < 3; i++)
    for (let at = site.from + random.between(0, hour); at < site.until; at += 30 * minute)
      log.add({
        at,
        address: addressOf(70_000 + i),
        agent: 'iPhone15,2/1704.1',
        method: login.method,
        path: login.post,
        status: login.wrong.status,
        bytes: login.wrong.bytes[0],
      });
  const addresses = Array.from({ length: how.addresses }, (_, i) => addressOf(80_000 + i * 11));
  const at = site.from + 5 * hour;
  if (how.attacked)
    for (const address of addresses)
      for (
        let t = at + random.between(0, how.everyMs);
        t < Math.min(site.until, at + how.forMs);
        t += how.everyMs * random.between(0.8, 1.2)
      )
        log.add({
          at: t,
          address,
          agent: random.pick(browsers),
          method: login.method,
          path: login.post,
          status: login.wrong.status,
          bytes: random.whole(login.wrong.bytes[0], login.wrong.bytes[1]),
        });
  return { site, attack: { name: 'spray', addresses, firstAt: at } };
}

/** A portal that redirects whoever signs in, right or wrong, with nothing in the body; one address guesses and does nothing else. */
export function redirecting(seed: number | string, pauseMs: number, attempts: number): Attacked {
  const site = createEverydaySite('portal', seed, day);
  const { random, log } = site;
  for (let i = 0; i < 140; i++) {
    const who = { address: addressOf(i), agent: random.pick(browsers) };
    const end = personSignsIn(site, signIns.legacyPhp, wakingTime(site), who);
    for (let n = random.whole(1, 12), at = end; n > 0; n--)
      log.add({
        at: (at += random.lognormal(15_000, 1)),
        ...who,
        path: `/account/${random.pick(['bills', 'data', 'help'])}`,
        bytes: random.whole(2_000, 9_000),
      });
  }
  const address = '185.220.101.78';
  const at = site.from + 9 * hour;
  for (let i = 0; i < attempts; i++)
    log.add({
      at: at + i * pauseMs,
      address,
      agent: browsers[0],
      method: 'POST',
      path: '/login.php',
      status: 302,
      bytes: 0,
    });
  return { site, attack: { name: 'guesses, always redirected', addresses: [address], firstAt: at } };
}

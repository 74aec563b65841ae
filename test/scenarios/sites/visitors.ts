/** What people bring to any site: reading, signing in, old bookmarks, and what their browsers ask for on their own. */
import { createRandom } from '../random.ts';
import { addressOf, browsers, day, hour, type Site, visit, wakingTime } from './actors.ts';
import { personSignsIn, type Product, signIns } from './sign-in.ts';
import { createSiteLog } from './site-log.ts';

/** Makes the log of one site; the same seed gives the same log. */
export type EverydaySite = (seed: number | string) => Site;

const monday = Date.UTC(2024, 4, 6);

export function createEverydaySite(name: string, seed: number | string, lengthMs: number): Site {
  const random = createRandom(`${name} ${seed}`);
  const from = monday + random.whole(0, 6) * day + random.between(0, lengthMs < day ? 20 * hour : hour);
  return { log: createSiteLog(), random, from, until: from + lengthMs, origin: `https://www.${name}.example` };
}

export const wanted404 = [
  '/favicon.ico',
  '/apple-touch-icon.png',
  '/apple-touch-icon-precomposed.png',
  '/apple-touch-icon-120x120.png',
  '/apple-touch-icon-120x120-precomposed.png',
  '/apple-touch-icon-152x152.png',
  '/ads.txt',
  '/app-ads.txt',
  '/browserconfig.xml',
  '/site.webmanifest',
  '/robots.txt',
  '/humans.txt',
  '/.well-known/security.txt',
  '/.well-known/traffic-advice',
  '/.well-known/apple-app-site-association',
  '/apple-app-site-association',
  '/.well-known/assetlinks.json',
  '/.well-known/change-password',
  '/sitemap.xml',
  '/feed',
  '/rss',
] as const;

/** What phones, browsers and bookmarks ask for on their own, whether it is there or not. */
export function strayRequests(site: Site, who: { address: string; agent: string }, at: number): void {
  const { random, log } = site;
  for (const path of random.sample(wanted404, random.whole(1, 5)))
    log.add({ at: at + random.between(100, 2_500), ...who, path, status: 404, bytes: 196 });
}

/** Links of a redesign long ago: people come from bookmarks and other sites and meet a few dead pages. */
export function lostVisitor(site: Site, at: number, who: { address: string; agent: string }): void {
  const { random, log } = site;
  let t = at;
  for (let n = random.whole(1, 5); n > 0; n--)
    log.add({
      at: (t += random.lognormal(9_000, 0.8)),
      ...who,
      path: random.pick([
        `/index.php?page=${random.whole(1, 90)}`,
        `/produkt/${random.whole(1, 900)}.htm`,
        `/blog/2011/0${random.whole(1, 9)}/an-old-story-${random.whole(1, 50)}`,
        '/contact.html',
        '/images/logo_old.gif',
      ]),
      status: 404,
      referer: random.chance(0.5) ? 'https://www.google.com/' : '-',
      bytes: 1_200,
    });
  log.add({ at: t + 4_000, ...who, path: '/', referer: '-' });
}

interface Reading {
  pages: () => number;
  pauseMs: number;
  assets: number;
  pathOf: () => string;
}

export function readers(site: Site, count: number, reading: Reading): void {
  for (let i = 0; i < count; i++) {
    const who = { address: addressOf(site.random.whole(0, 4 * count)), agent: site.random.pick(browsers) };
    const at = site.until - site.from < day ? site.random.between(site.from, site.until) : wakingTime(site);
    visit(site, at, who, { ...reading, pages: reading.pages() });
    if (site.random.chance(0.15)) strayRequests(site, who, at);
    if (site.random.chance(0.05)) lostVisitor(site, at, who);
  }
}

export function signsInSometimes(site: Site, product: Product, count: number): void {
  for (let i = 0; i < count; i++)
    personSignsIn(site, signIns[product], site.random.between(site.from, site.until), {
      address: addressOf(30_000 + site.random.whole(0, count * 2)),
      agent: site.random.pick(browsers),
    });
}

/** People and programs that every public site meets. None of them is an attacker. */
import type { Random } from '../random.ts';
import type { SiteLog } from './site-log.ts';

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

export const browsers = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15',
  'Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 Edg/124.0.0.0',
] as const;

export interface Site {
  log: SiteLog;
  random: Random;
  from: number;
  until: number;
  origin: string;
}

/** Addresses that no actor shares with another unless it says so. */
export function addressOf(i: number): string {
  return `${60 + (i % 120)}.${(i * 7) % 250}.${(i * 13 + 5) % 250}.${1 + (Math.floor(i / 120) % 250)}`;
}

/** A point in time that follows the day: few at night, most in the evening. */
export function wakingTime(site: Site): number {
  const { random } = site;
  for (;;) {
    const at = random.between(site.from, site.until);
    const local = (at % day) / hour;
    const busy = 0.15 + 0.85 * Math.max(0, Math.sin(((local - 6) / 18) * Math.PI));
    if (random.chance(busy)) return at;
  }
}

/** A page with its pictures, scripts and styles. */
export function viewPage(
  site: Site,
  at: number,
  who: { address: string; agent: string; user?: string },
  path: string,
  referer: string,
  assets: number,
  status = 200,
): void {
  const { log, random } = site;
  log.add({ at, ...who, path, status, referer: referer || '-', bytes: random.whole(4_000, 60_000) });
  for (let i = 0; i < assets; i++)
    log.add({
      at: at + random.between(60, 900),
      ...who,
      path: i % 3 === 0 ? `/assets/app-${i}.css` : `/media/2024/${random.whole(1, 900)}.${i % 2 ? 'jpg' : 'webp'}`,
      status: random.chance(0.3) ? 304 : 200,
      referer: `${site.origin}${path}`,
      bytes: random.whole(500, 200_000),
    });
}

export interface VisitOptions {
  pages: number;
  pauseMs: number;
  assets: number;
  pathOf(): string;
}

/** Somebody reads a few pages, sometimes in several tabs. */
export function visit(site: Site, start: number, who: { address: string; agent: string }, options: VisitOptions): void {
  const { random, log } = site;
  let at = start;
  let referer = random.chance(0.5) ? 'https://www.google.com/' : '';
  if (random.chance(0.2)) log.add({ at: at + 700, ...who, path: '/favicon.ico', status: 404, bytes: 150 });
  if (random.chance(0.1))
    log.add({ at: at + 800, ...who, path: '/apple-touch-icon-precomposed.png', status: 404, bytes: 150 });
  for (let i = 0; i < options.pages && at < site.until; i++) {
    const gone = random.chance(0.015);
    const path = gone ? `/old/${random.whole(1, 400)}.html` : options.pathOf();
    viewPage(site, at, who, path, referer, gone ? 0 : options.assets, gone ? 404 : 200);
    if (random.chance(0.03))
      log.add({ at: at + 400, ...who, path: '/img/missing-banner.png', status: 404, referer: `${site.origin}${path}` });
    referer = `${site.origin}${path}`;
    at += random.chance(0.1) ? random.between(300, 1500) : random.lognormal(options.pauseMs, 1.1);
  }
}

/** Something asks for the same at fixed times. */
export function poll(
  site: Site,
  everyMs: number,
  jitterMs: number,
  request: Parameters<SiteLog['add']>[0] extends infer R ? Omit<R & object, 'at'> : never,
): void {
  const { random, log } = site;
  for (let at = site.from + random.between(0, everyMs); at < site.until; at += everyMs)
    log.add({ ...(request as Omit<Parameters<SiteLog['add']>[0], 'at'>), at: at + random.between(0, jitterMs) });
}

/** Search engines walk the site all day, old links included. */
export function crawl(site: Site, who: { address: string; agent: string }, perDay: number, pathOf: () => string): void {
  const { random, log } = site;
  log.add({ at: site.from + random.between(0, hour), ...who, path: '/robots.txt', status: 200, bytes: 120 });
  const pages = Math.round((perDay * (site.until - site.from)) / day);
  for (let i = 0; i < pages; ) {
    let at = random.between(site.from, site.until);
    for (let burst = random.whole(1, 40); burst > 0 && i < pages && at < site.until; burst--, i++) {
      const gone = random.chance(0.12);
      log.add({
        at,
        ...who,
        path: gone ? `/archive/${random.whole(1, 5000)}.html` : pathOf(),
        status: gone ? 404 : random.chance(0.2) ? 304 : 200,
      });
      at += random.lognormal(2_500, 0.7);
    }
  }
}

export const monitors = {
  uptime: 'Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)',
  pingdom: 'Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)',
  elb: 'ELB-HealthChecker/2.0',
  kube: 'kube-probe/1.29',
  google: 'GoogleHC/1.0',
} as const;

export const crawlers = [
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
  'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)',
  'Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)',
  'DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)',
] as const;

export const feedReaders = [
  'Feedly/1.0 (+http://www.feedly.com/fetcher.html; 214 subscribers)',
  'FreshRSS/1.23.1 (Linux; https://freshrss.org)',
  'NetNewsWire (RSS Reader; https://netnewswire.com/)',
  'Mozilla/5.0 (X11; Linux x86_64) Thunderbird/115.8.0',
  'Tiny Tiny RSS/23.12 (https://tt-rss.org/)',
  'newsboat/2.32 (Linux x86_64)',
] as const;

/** Ordinary sites of many sizes and habits, with everything ordinary that looks odd in a log. Nobody here is an attacker. */
import { addressOf, browsers, day, hour, minute, poll, viewPage, visit, wakingTime } from './actors.ts';
import { homeMadePrograms, welcomeRobots } from './robots.ts';
import { personSignsIn, signIns } from './sign-in.ts';
import { createSiteLog } from './site-log.ts';
import {
  createEverydaySite,
  type EverydaySite,
  lostVisitor,
  readers,
  signsInSometimes,
  strayRequests,
  wanted404,
} from './visitors.ts';

/** 200 hits a day, half of them robots. */
const tinyBlog: EverydaySite = (seed) => {
  const site = createEverydaySite('tiny', seed, 3 * day);
  const post = (): string => `/posts/${site.random.pick(['hello', 'garden', 'bread', 'trip-to-rome', 'about'])}/`;
  readers(site, 45, { pages: () => site.random.whole(1, 3), pauseMs: 40_000, assets: 3, pathOf: post });
  welcomeRobots(site, 0.12, post);
  signsInSometimes(site, 'wordpress', 5);
  return site;
};

/** A server-rendered shop: filters, carts, sign-ins that fail, a newsletter rush. */
const busyShop: EverydaySite = (seed) => {
  const site = createEverydaySite('store', seed, 0.6 * day);
  const { random, log } = site;
  const page = (): string =>
    random.pick([
      `/c/shoes?page=${random.whole(1, 30)}`,
      `/c/bags?size=${random.whole(34, 46)}&colour=${random.pick(['red', 'blue'])}`,
      `/p/item-${Math.floor(random.exponential(400))}`,
      `/search?q=${random.pick(['red+shoes', "men's", 'a%20b', 'select', 'union+jack', '50%25+off'])}`,
    ]);
  readers(site, 700, { pages: () => 1 + Math.floor(random.exponential(7)), pauseMs: 18_000, assets: 6, pathOf: page });
  const rush = random.between(site.from, site.until - hour);
  for (let i = 0; i < 200; i++)
    visit(
      site,
      rush + random.exponential(10 * minute),
      { address: addressOf(20_000 + i), agent: random.pick(browsers) },
      {
        pages: random.whole(1, 6),
        pauseMs: 12_000,
        assets: 6,
        pathOf: () => `/p/item-${random.whole(1, 6)}`,
      },
    );
  for (let i = 0; i < 120; i++) {
    const who = { address: addressOf(25_000 + i), agent: random.pick(browsers) };
    let at = wakingTime(site);
    for (const [method, path, status] of [
      ['POST', '/cart/add', 302],
      ['GET', '/cart', 200],
      ['POST', '/cart/coupon', 200],
      ['GET', '/checkout', 200],
      ['POST', '/checkout', 302],
    ] as const)
      log.add({
        at: (at += random.lognormal(9_000, 0.7)),
        ...who,
        method,
        path,
        status,
        referer: `${site.origin}/cart`,
      });
  }
  signsInSometimes(site, 'legacyPhp', 120);
  welcomeRobots(site, 0.7, page);
  homeMadePrograms(site, page);
  return site;
};

/** Hundreds of people of one company behind one address, in the morning all at once, with sign-ins of all of them. */
const intranetNat: EverydaySite = (seed) => {
  const site = createEverydaySite('intranet', seed, 10 * hour);
  const { random } = site;
  const product = random.pick(['keycloak', 'roundcube', 'django', 'spa', 'nextcloud'] as const);
  const page = (): string =>
    random.pick([`/wiki/page-${random.whole(1, 300)}`, `/tickets/${random.whole(4000, 4600)}`, '/', '/canteen']);
  for (let i = 0; i < 350; i++) {
    const who = { address: '10.20.0.1', agent: browsers[i % 4] as string };
    const start = site.from + Math.abs(random.lognormal(45 * minute, 0.8));
    if (random.chance(0.7)) personSignsIn(site, signIns[product], start, who);
    for (let n = random.whole(1, 3), at = start + 20_000; n > 0; n--, at += random.between(0.3, 3) * hour)
      visit(site, Math.min(at, site.until - minute), who, {
        pages: random.whole(1, 9),
        pauseMs: 25_000,
        assets: 2,
        pathOf: page,
      });
  }
  poll(site, minute, 1_000, {
    address: '10.20.0.9',
    agent: 'check_http/v2.2 (nagios-plugins 2.2)',
    path: '/',
    status: 401,
  });
  return site;
};

/** Open tabs poll every few seconds for hours, some with a session that ended. */
const pollingApp: EverydaySite = (seed) => {
  const site = createEverydaySite('app', seed, 8 * hour);
  const { random, log } = site;
  for (let i = 0; i < 25; i++) {
    const who = { address: addressOf(i), agent: random.pick(browsers) };
    const start = random.between(site.from, site.until - hour);
    let at = personSignsIn(site, signIns.spa, start, who);
    const end = Math.min(site.until, at + random.between(0.2, 4) * hour);
    const every = random.pick([2_000, 5_000, 10_000, 30_000]);
    const expires = random.chance(0.3) ? at + (end - at) * 0.7 : end;
    for (; at < end; at += every)
      log.add({
        at,
        ...who,
        path: '/api/events?since=81',
        status: at < expires ? random.pick([200, 204, 304]) : 401,
        referer: `${site.origin}/app`,
        bytes: 60,
      });
    for (let action = start + 5_000; action < expires; action += random.lognormal(30_000, 1))
      for (const path of random.sample(
        [
          '/api/boards/4',
          '/api/users/me',
          '/api/boards/4/cards?limit=50',
          '/api/files/19/preview',
          '/graphql',
          '/api/labels',
        ],
        4,
      ))
        log.add({
          at: action + random.between(0, 300),
          ...who,
          method: path === '/graphql' ? 'POST' : 'GET',
          path,
          referer: `${site.origin}/app`,
          status: random.chance(0.01) ? 404 : 200,
        });
  }
  welcomeRobots(site, 0.1, () => '/');
  homeMadePrograms(site, () => '/docs/api');
  return site;
};

/** Large files, ranges, package managers, installers that ask for what is not there yet. */
const downloadMirror: EverydaySite = (seed) => {
  const site = createEverydaySite('mirror', seed, day);
  const { random, log } = site;
  for (let i = 0; i < 160; i++) {
    let at = random.between(site.from, site.until);
    const agent = random.pick([
      'Debian APT-HTTP/1.3 (2.6.1)',
      'libdnf (Fedora Linux 40; server; Linux.x86_64)',
      'Wget/1.21.4',
      'curl/8.5.0',
      'pip/24.0 {"ci":null}',
      'pacman/6.1.0 (Linux x86_64) libalpm/14.0.0',
    ]);
    const who = { address: addressOf(i), agent };
    for (let n = random.whole(3, 220); n > 0; n--) {
      const meta = random.chance(0.1);
      log.add({
        at: (at += random.exponential(150)),
        ...who,
        path: meta
          ? random.pick([
              '/debian/dists/bookworm/InRelease',
              '/debian/dists/bookworm/main/i18n/Translation-de.xz',
              '/core/os/x86_64/core.db.sig',
              '/fedora/repodata/repomd.xml.asc',
            ])
          : `/debian/pool/main/${random.pick(['a', 'g', 'x'])}/pkg${random.whole(1, 2000)}/pkg_${random.whole(1, 9)}.${random.whole(0, 20)}_amd64.deb`,
        status: meta ? random.pick([200, 304, 404]) : random.chance(0.01) ? 404 : 200,
        bytes: random.whole(2_000, 9_000_000),
      });
    }
  }
  for (let i = 0; i < 40; i++) {
    let at = wakingTime(site);
    const who = { address: addressOf(2000 + i), agent: random.pick(browsers) };
    for (let n = random.whole(2, 30); n > 0; n--)
      log.add({
        at: (at += random.between(300, 3_000)),
        ...who,
        path: '/iso/debian-12.5.0-amd64-DVD-1.iso',
        status: 206,
        bytes: 8_388_608,
        referer: `${site.origin}/iso/`,
      });
  }
  readers(site, 60, {
    pages: () => random.whole(1, 12),
    pauseMs: 6_000,
    assets: 1,
    pathOf: () => `/debian/pool/main/${random.pick('abcdefgh'.split(''))}/`,
  });
  welcomeRobots(site, 0.5, () => `/debian/pool/main/${random.pick('abcdefgh'.split(''))}/`);
  return site;
};

/** Thirty days of a club's site. */
const monthLong: EverydaySite = (seed) => {
  const site = createEverydaySite('club', seed, 30 * day);
  const { random } = site;
  const page = (): string =>
    random.pick([
      '/',
      '/termine',
      '/verein/vorstand',
      '/berichte/2024-03',
      '/kontakt',
      `/galerie/bild-${random.whole(1, 200)}`,
    ]);
  readers(site, 900, { pages: () => 1 + Math.floor(random.exponential(3)), pauseMs: 30_000, assets: 5, pathOf: page });
  signsInSometimes(site, random.pick(['joomla', 'drupal', 'wordpress']), 60);
  welcomeRobots(site, 0.06, page);
  return site;
};

/** Half a minute of a busy site. */
const halfMinute: EverydaySite = (seed) => {
  const site = createEverydaySite('portal', seed, 30_000);
  const { random, log } = site;
  const page = (): string => `/news/${random.whole(1, 60)}`;
  for (let i = 0; i < 120; i++)
    viewPage(
      site,
      random.between(site.from, site.until),
      { address: addressOf(i), agent: random.pick(browsers) },
      page(),
      random.pick(['', 'https://t.co/x']),
      random.whole(0, 25),
    );
  for (let i = 0; i < 10; i++)
    log.add({
      at: random.between(site.from, site.until),
      address: addressOf(500 + i),
      agent: random.pick(browsers),
      path: random.pick(wanted404),
      status: 404,
    });
  welcomeRobots(site, 0.2, page);
  return site;
};

/** Every request comes from the load balancer: one address stands for everybody. */
const behindBalancer: EverydaySite = (seed) => {
  const site = createEverydaySite('lb', seed, 6 * hour);
  const { random } = site;
  const own = random.pick(['10.0.0.5', '172.68.11.9', '192.168.1.1', '104.22.3.4']);
  const page = (): string => `/guide/${random.whole(1, 150)}`;
  for (let i = 0; i < 500; i++) {
    const who = { address: own, agent: random.pick(browsers) };
    const at = random.between(site.from, site.until);
    visit(site, at, who, { pages: random.whole(1, 6), pauseMs: 22_000, assets: 4, pathOf: page });
    if (random.chance(0.2)) strayRequests(site, who, at);
    if (random.chance(0.05)) lostVisitor(site, at, who);
    if (random.chance(0.15)) personSignsIn(site, signIns.wordpress, at + minute, who);
  }
  for (let i = 0; i < 12; i++) {
    const fork = { ...site, log: createSiteLog() };
    welcomeRobots(fork, 0.02, page);
    for (const r of fork.log.requests()) site.log.add({ ...r, address: own });
  }
  return site;
};

/** After a redesign: pictures, scripts and links of many pages are gone, and everybody meets dozens of 404. */
const brokenLinks: EverydaySite = (seed) => {
  const site = createEverydaySite('broken', seed, day);
  const { random, log } = site;
  for (let i = 0; i < 260; i++) {
    const who = { address: addressOf(i), agent: random.pick(browsers) };
    let at = wakingTime(site);
    if (random.chance(0.4)) strayRequests(site, who, at);
    for (let n = 1 + Math.floor(random.exponential(4)); n > 0; n--) {
      const path = `/artikel/${Math.floor(random.exponential(120))}`;
      viewPage(site, at, who, path, '', 3);
      const referer = `${site.origin}${path}`;
      for (let m = random.whole(0, 6); m > 0; m--)
        log.add({
          at: at + random.between(100, 900),
          ...who,
          path: random.pick([
            `/bilder/${random.whole(1, 500)}.jpg`,
            '/js/menu.js',
            `/thumbs/${random.whole(1, 500)}`,
            `/ajax/teaser?id=${random.whole(1, 40)}`,
            '/api/v0/counter',
          ]),
          status: 404,
          referer,
          bytes: 400,
        });
      if (random.chance(0.3)) {
        const dead = `/archiv/${random.whole(1, 700)}`;
        log.add({ at: (at += random.lognormal(8_000, 0.8)), ...who, path: dead, status: 404, referer, bytes: 900 });
      }
      at += random.lognormal(25_000, 1);
    }
    if (random.chance(0.08)) lostVisitor(site, at, who);
  }
  welcomeRobots(site, 0.6, () => `/artikel/${random.whole(1, 400)}`);
  homeMadePrograms(site, () => `/artikel/${random.whole(1, 400)}`);
  return site;
};

export const everydaySites = {
  tinyBlog,
  busyShop,
  intranetNat,
  pollingApp,
  downloadMirror,
  monthLong,
  halfMinute,
  behindBalancer,
  brokenLinks,
} as const;

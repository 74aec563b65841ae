/** Ordinary sites as logs: what happens on them, and that nobody there is an attacker. */
import { createRandom } from '../random.ts';
import {
  addressOf,
  browsers,
  crawl,
  crawlers,
  day,
  feedReaders,
  hour,
  minute,
  monitors,
  poll,
  type Site,
  visit,
  wakingTime,
} from './actors.ts';
import { createSiteLog } from './site-log.ts';

export interface SiteOptions {
  seed: number | string;
  /** People per day. */
  people: number;
  days: number;
}

const noon = Date.UTC(2024, 2, 4);

function createSite(name: string, options: SiteOptions): Site {
  return {
    log: createSiteLog(),
    random: createRandom(`${name} ${options.seed}`),
    from: noon,
    until: noon + options.days * day,
    origin: `https://${name}.example`,
  };
}

/** A blog with its editors, feed readers, crawlers and monitors; WordPress answers 200 to a wrong password. */
export function wordpressBlog(options: SiteOptions): Site {
  const site = createSite('blog', options);
  const { random, log } = site;
  const post = (): string => `/2024/0${random.whole(1, 3)}/post-${Math.floor(random.exponential(40))}/`;
  people(site, options, () => ({
    pages: 1 + Math.floor(random.exponential(3)),
    pauseMs: 35_000,
    assets: 9,
    pathOf: post,
  }));
  publicPrograms(site, post);
  for (let i = 0; i < 30; i++)
    poll(site, random.pick([15, 30, 60]) * minute, 20_000, {
      address: addressOf(3000 + i),
      agent: random.pick(feedReaders),
      path: '/feed/',
      status: random.chance(0.5) ? 304 : 200,
    });
  poll(site, 10 * minute, 2_000, {
    address: '203.0.113.10',
    agent: 'WordPress/6.5; https://blog.example',
    method: 'POST',
    path: '/wp-cron.php?doing_wp_cron=1709510400.1234',
  });
  for (let i = 0; i < 3; i++) editor(site, `84.16.3.${10 + i}`, browsers[i] as string);
  // Authors forget passwords now and then.
  for (let i = 0; i < options.days * 4; i++) {
    const who = { address: addressOf(5000 + i), agent: random.pick(browsers) };
    let at = wakingTime(site);
    log.add({ at, ...who, path: '/wp-login.php', bytes: 5300 });
    for (let wrong = random.whole(0, 3); wrong > 0; wrong--)
      log.add({
        at: (at += random.between(6_000, 25_000)),
        ...who,
        method: 'POST',
        path: '/wp-login.php',
        bytes: 5700,
        referer: `${site.origin}/wp-login.php`,
      });
    log.add({
      at: (at += random.between(6_000, 25_000)),
      ...who,
      method: 'POST',
      path: '/wp-login.php',
      status: 302,
      bytes: 0,
      referer: `${site.origin}/wp-login.php`,
    });
    log.add({ at: at + 300, ...who, path: '/wp-admin/', referer: `${site.origin}/wp-login.php` });
  }
  return site;
}

/** Hours of editing: the heartbeat of admin-ajax every 15 to 60 s, autosaves, media. */
function editor(site: Site, address: string, agent: string): void {
  const { random, log } = site;
  for (let start = site.from + 8 * hour; start < site.until; start += day) {
    let at = start + random.between(0, hour);
    const who = { address, agent };
    log.add({ at, ...who, path: '/wp-login.php' });
    log.add({ at: (at += 9_000), ...who, method: 'POST', path: '/wp-login.php', status: 302, bytes: 0 });
    const end = at + random.between(3, 7) * hour;
    const referer = `${site.origin}/wp-admin/post.php?post=12&action=edit`;
    const every = random.pick([15_000, 60_000]);
    for (let beat = at; beat < end; beat += every)
      log.add({ at: beat, ...who, method: 'POST', path: '/wp-admin/admin-ajax.php', bytes: 240, referer });
    for (let edit = at; edit < end; edit += random.lognormal(40_000, 1)) {
      const id = random.whole(1, 400);
      log.add({ at: edit, ...who, path: `/wp-admin/post.php?post=${id}&action=edit`, referer });
      log.add({ at: edit + 700, ...who, path: `/wp-json/wp/v2/posts/${id}?context=edit&_locale=user`, referer });
      log.add({ at: edit + 720, ...who, path: '/wp-json/wp/v2/users/?who=authors&per_page=50&_locale=user', referer });
      if (random.chance(0.4))
        log.add({ at: edit + 4_000, ...who, method: 'POST', path: `/wp-json/wp/v2/posts/${id}/autosaves`, referer });
    }
  }
}

/** A shop behind a single-page app: many calls per page, refused polls after a session ended, webhooks, an office. */
export function spaShop(options: SiteOptions): Site {
  const site = createSite('shop', options);
  const { random, log } = site;
  const product = (): string => `/products/${Math.floor(random.exponential(180))}`;
  for (let i = 0; i < options.people * options.days; i++) {
    const who = { address: addressOf(i), agent: random.pick(browsers) };
    let at = wakingTime(site);
    const referer = `${site.origin}/`;
    log.add({ at, ...who, path: '/', referer: '-' });
    for (let view = 1 + Math.floor(random.exponential(6)); view > 0 && at < site.until; view--) {
      const id = Math.floor(random.exponential(180));
      const calls = [
        `/api/products/${id}`,
        `/api/products/${id}/related`,
        '/api/cart',
        '/api/me',
        `/api/stock?ids=${id},${id + 1}`,
      ];
      calls.forEach((path, n) =>
        log.add({
          at: at + 20 * n,
          ...who,
          path,
          status: path === '/api/me' && random.chance(0.5) ? 401 : 200,
          referer,
          bytes: 900,
        }),
      );
      if (random.chance(0.4)) log.add({ at: at + 300, ...who, path: `/api/users/${i}/avatar`, status: 404, referer });
      at += random.lognormal(12_000, 1.2);
    }
    if (random.chance(0.06))
      for (let beat = 0; beat < 60; beat++)
        log.add({
          at: (at += 5_000),
          ...who,
          path: '/api/notifications',
          status: beat < 30 ? 200 : 401,
          referer,
          bytes: 60,
        });
    if (random.chance(0.12)) {
      for (let wrong = random.whole(0, 2); wrong > 0; wrong--)
        log.add({
          at: (at += random.lognormal(9_000, 0.4)),
          ...who,
          method: 'POST',
          path: '/api/login',
          status: 401,
          referer,
          bytes: 80,
        });
      log.add({
        at: (at += random.lognormal(9_000, 0.4)),
        ...who,
        method: 'POST',
        path: '/api/login',
        referer,
        bytes: 700,
      });
    }
  }
  publicPrograms(site, product);
  office(site, '198.51.100.20', 60, product);
  for (let i = 0; i < 3; i++)
    poll(site, random.between(20, 60) * 1000, 8_000, {
      address: `54.187.17${i}.61`,
      agent: 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
      method: 'POST',
      path: '/webhooks/stripe',
    });
  poll(site, 10_000, 10, { address: '198.51.100.77', agent: '-', user: 'erp', path: '/api/orders?since=0&page=1' });
  return site;
}

/** Everybody of one company behind one address, and of a carrier behind a few. */
function office(site: Site, address: string, people: number, pathOf: () => string): void {
  for (let i = 0; i < people * Math.max(1, Math.round((site.until - site.from) / day)); i++)
    visit(
      site,
      wakingTime(site),
      { address, agent: browsers[i % browsers.length] as string },
      {
        pages: site.random.whole(1, 7),
        pauseMs: 30_000,
        assets: 5,
        pathOf,
      },
    );
}

/** News with pictures, readers who read a lot, and a carrier whose customers share addresses. */
export function newsPaper(options: SiteOptions): Site {
  const site = createSite('news', options);
  const { random } = site;
  const article = (): string =>
    `/${random.pick(['politics', 'sport', 'local', 'culture'])}/article-${Math.floor(random.exponential(300))}`;
  people(site, options, () => ({
    pages: 1 + Math.floor(random.exponential(4)),
    pauseMs: 40_000,
    assets: 18,
    pathOf: article,
  }));
  for (let i = 0; i < options.days * 6; i++)
    visit(
      site,
      wakingTime(site),
      { address: addressOf(7000 + i), agent: random.pick(browsers) },
      {
        pages: random.whole(80, 160),
        pauseMs: 22_000,
        assets: 8,
        pathOf: article,
      },
    );
  for (let i = 0; i < options.people; i++)
    visit(
      site,
      wakingTime(site),
      { address: `100.70.8.${i % 4}`, agent: random.pick(browsers.slice(4)) },
      {
        pages: random.whole(1, 4),
        pauseMs: 30_000,
        assets: 6,
        pathOf: article,
      },
    );
  publicPrograms(site, article);
  for (let i = 0; i < 40; i++)
    poll(site, random.pick([10, 30, 60]) * minute, 30_000, {
      address: addressOf(8000 + i),
      agent: random.pick(feedReaders),
      path: random.pick(['/rss/all.xml', '/rss/sport.xml']),
    });
  return site;
}

/** Files and tools: WebDAV sync, package mirror, clones over HTTP, video in segments, map tiles. */
export function fileServer(options: SiteOptions): Site {
  const site = createSite('files', options);
  const { random, log } = site;
  const download = (): string => `/docs/page-${Math.floor(random.exponential(60))}`;
  people(site, options, () => ({ pages: random.whole(1, 5), pauseMs: 25_000, assets: 3, pathOf: download }));
  publicPrograms(site, download);
  for (let i = 0; i < 6; i++)
    poll(site, 30_000, 500, {
      address: addressOf(9000 + i),
      agent: 'Mozilla/5.0 (Linux) mirall/3.12.3 (Nextcloud, debian-6.1)',
      user: `user${i}`,
      method: 'PROPFIND',
      path: `/remote.php/dav/files/user${i}/`,
      status: 207,
    });
  for (let i = 0; i < 25 * options.days; i++) {
    let at = wakingTime(site);
    const who = {
      address: addressOf(9100 + (i % 30)),
      agent: i % 2 ? 'Debian APT-HTTP/1.3 (2.6.1)' : 'npm/10.5.0 node/v20.12.0 linux x64 workspaces/false',
    };
    for (let n = random.whole(40, 350); n > 0; n--)
      log.add({
        at: (at += random.exponential(60)),
        ...who,
        path:
          i % 2
            ? `/debian/pool/main/l/lib${random.whole(1, 900)}/lib_${n}_amd64.deb`
            : random.chance(0.5)
              ? `/npm/pkg-${n}`
              : `/npm/data-pkg-${n}/-/data-pkg-${n}-1.0.0.tgz`,
        status: random.chance(0.02) ? 404 : 200,
      });
  }
  for (let i = 0; i < 40 * options.days; i++) {
    let at = wakingTime(site);
    const who = { address: addressOf(9300 + i), agent: 'git/2.43.0' };
    log.add({ at, ...who, path: `/repo/p${i % 9}.git/info/refs?service=git-upload-pack` });
    log.add({ at: (at += 200), ...who, method: 'POST', path: `/repo/p${i % 9}.git/git-upload-pack` });
  }
  for (let i = 0; i < 30 * options.days; i++) {
    let at = wakingTime(site);
    const who = {
      address: addressOf(9500 + i),
      agent: random.pick(browsers),
      referer: `${site.origin}/watch/${i % 12}`,
    };
    for (let n = 0; n < random.whole(40, 300); n++)
      log.add({ at: (at += 4_000 + random.between(-300, 300)), ...who, path: `/hls/v${i % 12}/seg-${n}.ts` });
    for (let n = 0; n < random.whole(20, 150); n++)
      log.add({
        at: (at += random.chance(0.1) ? random.between(500, 8_000) : 15),
        ...who,
        path: `/tiles/12/${2000 + random.whole(0, 40)}/${1300 + random.whole(0, 40)}.png`,
      });
  }
  return site;
}

function people(
  site: Site,
  options: SiteOptions,
  kind: () => { pages: number; pauseMs: number; assets: number; pathOf(): string },
): void {
  for (let i = 0; i < options.people * options.days; i++)
    visit(site, wakingTime(site), { address: addressOf(i), agent: site.random.pick(browsers) }, kind());
}

/** Crawlers, monitors and health checks. */
function publicPrograms(site: Site, pathOf: () => string): void {
  const { random } = site;
  crawlers.forEach((agent, i) =>
    crawl(site, { address: `66.249.${64 + i}.${random.whole(1, 250)}`, agent }, 400 + 300 * i, pathOf),
  );
  poll(site, minute, 1_500, { address: '63.143.42.242', agent: monitors.uptime, method: 'HEAD', path: '/' });
  poll(site, minute, 300, { address: '178.255.153.2', agent: monitors.pingdom, path: '/' });
  poll(site, 30_000, 5, { address: '10.0.3.14', agent: monitors.elb, path: '/health', bytes: 2 });
  poll(site, 30_000, 5, { address: '10.0.9.77', agent: monitors.elb, path: '/health', bytes: 2 });
  poll(site, 10_000, 5, { address: '10.244.0.1', agent: monitors.kube, path: '/healthz', bytes: 2 });
  poll(site, 5_000, 5, { address: '130.211.0.60', agent: monitors.google, path: '/', bytes: 2 });
  poll(site, 5 * minute, 5, { address: '127.0.0.1', agent: 'Go-http-client/1.1', path: '/server-status?auto' });
  poll(site, minute, 5, { address: '192.0.2.40', agent: 'curl/7.88.1', path: '/api/status' });
  poll(site, 6 * hour, minute, {
    address: addressOf(9999),
    agent: browsers[0],
    path: '/.well-known/assetlinks.json',
    status: 404,
  });
}

export const ordinarySites = { wordpressBlog, spaShop, newsPaper, fileServer } as const;

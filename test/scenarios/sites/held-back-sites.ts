/** Kinds of ordinary sites that nobody looked at while detection was changed: what is said of them is what strangers get. */
import { addressOf, browsers, day, hour, minute, poll, wakingTime } from './actors.ts';
import { welcomeRobots } from './robots.ts';
import { personSignsIn, signIns } from './sign-in.ts';
import { createEverydaySite, type EverydaySite, readers, signsInSometimes } from './visitors.ts';

/** A wiki: long paths, many edits, revisions, and readers who follow links for an hour. */
const wiki: EverydaySite = (seed) => {
  const site = createEverydaySite('wiki', seed, 1.5 * day);
  const { random, log } = site;
  const page = (): string =>
    random.pick([
      `/wiki/Topic_${random.whole(1, 900)}`,
      `/index.php?title=Topic_${random.whole(1, 900)}&action=history`,
      `/wiki/Special:Search?search=${random.pick(['cat', 'C%2B%2B', 'drop+table', "l'eau"])}`,
    ]);
  readers(site, 320, { pages: () => 1 + Math.floor(random.exponential(9)), pauseMs: 28_000, assets: 2, pathOf: page });
  for (let i = 0; i < 8; i++) {
    const who = { address: addressOf(6000 + i), agent: random.pick(browsers) };
    let at = personSignsIn(
      site,
      { ...signIns.legacyPhp, post: '/index.php?title=Special:UserLogin' },
      wakingTime(site),
      who,
    );
    for (let n = random.whole(20, 90); n > 0; n--) {
      const title = `Topic_${random.whole(1, 900)}`;
      log.add({
        at: (at += random.lognormal(25_000, 1)),
        ...who,
        path: `/index.php?title=${title}&action=edit`,
        referer: `${site.origin}/wiki/${title}`,
        status: random.chance(0.1) ? 404 : 200,
      });
      log.add({
        at: (at += random.lognormal(40_000, 1)),
        ...who,
        method: 'POST',
        path: `/index.php?title=${title}&action=submit`,
        status: 302,
        referer: `${site.origin}/index.php?title=${title}&action=edit`,
      });
    }
  }
  welcomeRobots(site, 0.6, page);
  return site;
};

/** A backend of a mobile app: no pages, no referers, tokens refreshed every hour, retries in tunnels. */
const mobileBackend: EverydaySite = (seed) => {
  const site = createEverydaySite('mobile', seed, 12 * hour);
  const { random, log } = site;
  for (let i = 0; i < 220; i++) {
    const who = {
      address: random.chance(0.3) ? `100.64.3.${i % 9}` : addressOf(i),
      agent: random.pick([
        'Ride/5.2.1 (iPhone; iOS 17.4.1; Scale/3.00)',
        'okhttp/4.12.0',
        'Dart/3.3 (dart:io)',
        'Ride/5.1.9 (Android 14; Pixel 7)',
      ]),
    };
    for (let visits = random.whole(1, 4); visits > 0; visits--) {
      let at = wakingTime(site);
      if (random.chance(0.3)) {
        log.add({ at, ...who, path: '/v3/me', status: 401, bytes: 40 });
        for (
          let wrong = random.weighted([
            [0, 85],
            [1, 10],
            [3, 4],
            [5, 1],
          ] as const);
          wrong > 0;
          wrong--
        )
          log.add({
            at: (at += random.lognormal(7_000, 0.4)),
            ...who,
            method: 'POST',
            path: '/v3/auth/token',
            status: 400,
            bytes: 72,
          });
        log.add({
          at: (at += random.lognormal(7_000, 0.4)),
          ...who,
          method: 'POST',
          path: '/v3/auth/token',
          status: 200,
          bytes: 1_300,
        });
      }
      for (let n = random.whole(5, 60); n > 0; n--) {
        const retries = random.chance(0.03) ? random.whole(1, 5) : 1;
        for (let r = 0; r < retries; r++)
          log.add({
            at: (at += random.chance(0.4) ? random.between(30, 300) : random.lognormal(8_000, 1)),
            ...who,
            path: random.pick([
              '/v3/me',
              '/v3/vehicles?lat=52.5&lon=13.4',
              `/v3/rides/${random.whole(1, 90_000)}`,
              '/v3/prices',
              `/v3/vehicles/${random.hex(12)}`,
            ]),
            status: r + 1 < retries ? 503 : random.chance(0.02) ? 404 : 200,
            bytes: 900,
          });
      }
    }
  }
  poll(site, 10_000, 20, { address: '10.1.0.3', agent: 'kube-probe/1.29', path: '/healthz' });
  poll(site, 15_000, 20, { address: '10.1.0.8', agent: 'Prometheus/2.51.0', path: '/metrics' });
  return site;
};

/** A forum: sign-ins, private messages, avatars that are gone, readers who open twenty tabs at once. */
const forum: EverydaySite = (seed) => {
  const site = createEverydaySite('forum', seed, day);
  const { random, log } = site;
  const thread = (): string =>
    `/viewtopic.php?t=${Math.floor(random.exponential(800))}${random.chance(0.3) ? `&start=${15 * random.whole(1, 30)}` : ''}`;
  readers(site, 260, {
    pages: () => 1 + Math.floor(random.exponential(8)),
    pauseMs: 30_000,
    assets: 4,
    pathOf: thread,
  });
  for (let i = 0; i < 40; i++) {
    const who = { address: addressOf(7000 + i), agent: random.pick(browsers) };
    let at = personSignsIn(
      site,
      {
        ...signIns.wordpress,
        name: 'phpBB',
        form: { path: '/ucp.php?mode=login', bytes: 9_000, assets: [] },
        post: '/ucp.php?mode=login',
        right: { status: 302, bytes: [0, 0], next: '/index.php?sid=ab' },
      },
      wakingTime(site),
      who,
    );
    for (let tab = random.whole(5, 25); tab > 0; tab--)
      log.add({
        at: (at += random.between(150, 1_500)),
        ...who,
        path: thread(),
        referer: `${site.origin}/search.php?search_id=unreadposts`,
      });
    for (let n = random.whole(0, 6); n > 0; n--)
      log.add({
        at: (at += random.lognormal(60_000, 0.8)),
        ...who,
        method: 'POST',
        path: '/posting.php?mode=reply&t=4',
        status: 200,
        referer: `${site.origin}/posting.php`,
      });
    for (let n = random.whole(0, 12); n > 0; n--)
      log.add({
        at: at + random.between(0, 900),
        ...who,
        path: `/download/file.php?avatar=${random.whole(1, 900)}_${random.whole(1, 9)}.jpg`,
        status: 404,
        referer: `${site.origin}/viewtopic.php`,
      });
  }
  welcomeRobots(site, 0.7, thread);
  return site;
};

/** A server at home: few people, photos and passwords kept there, sync clients, phones that hop networks. */
const homeServer: EverydaySite = (seed) => {
  const site = createEverydaySite('home', seed, 4 * day);
  const { random, log } = site;
  for (let i = 0; i < 4; i++) {
    const who = {
      address: addressOf(40 + i),
      agent: random.pick([
        'Mozilla/5.0 (Android) Nextcloud-android/3.28.0',
        'Mozilla/5.0 (Linux) mirall/3.12.3 (Nextcloud)',
        'Bitwarden_Mobile/2024.4.1 (Android 14)',
        'Home Assistant/2024.4 (iPhone)',
      ]),
    };
    poll(site, random.pick([30_000, 5 * minute]), 900, {
      ...who,
      user: random.pick(['ann', 'ben']),
      method: random.pick(['PROPFIND', 'GET']),
      path: random.pick(['/remote.php/dav/files/ann/', '/api/sync', '/api/websocket']),
      status: random.pick([207, 200, 401]),
    });
    signsInSometimes(site, 'nextcloud', 3);
    let at = wakingTime(site);
    for (let n = 0; n < 400; n++)
      log.add({
        at: (at += random.exponential(120)),
        ...who,
        path: `/apps/photos/api/v1/preview/${random.whole(1, 4000)}?x=256`,
        referer: `${site.origin}/apps/photos`,
        status: random.chance(0.02) ? 404 : 200,
      });
  }
  welcomeRobots(site, 0.06, () => '/');
  return site;
};

export const heldBackSites = { wiki, mobileBackend, forum, homeServer } as const;

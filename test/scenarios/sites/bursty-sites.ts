/** Sites whose pages and apps ask for a great deal while somebody looks at them: previews, tiles, segments, open tabs. */
import type { Random } from '../random.ts';
import { addressOf, browsers, day, hour, type Site, wakingTime } from './actors.ts';
import { welcomeRobots } from './robots.ts';
import { personSignsIn, signIns } from './sign-in.ts';
import { createEverydaySite, type EverydaySite, readers } from './visitors.ts';

interface Who {
  address: string;
  agent: string;
}

/** Somebody scrolls: bursts of previews as they come into view, then a look at them. Returns when it is done. */
function scroll(
  site: Site,
  who: Who,
  start: number,
  how: { previews: number; screen: number; perSecond: number; lookMs: number; referer?: string; pathOf(): string },
): number {
  const { random, log } = site;
  let at = start;
  for (let left = how.previews; left > 0; ) {
    for (let n = random.whole(how.screen >> 1, how.screen * 2); n > 0 && left > 0; n--, left--)
      log.add({
        at: (at += random.exponential(1000 / how.perSecond)),
        ...who,
        path: how.pathOf(),
        referer: how.referer ?? '-',
        status: random.weighted([
          [200, 90],
          [304, 8],
          [404, 2],
        ] as const),
        bytes: random.whole(3_000, 40_000),
      });
    at += random.lognormal(how.lookMs, 1);
  }
  return at;
}

function uuid(random: Random): string {
  return `${random.hex(8)}-${random.hex(4)}-4${random.hex(3)}-a${random.hex(3)}-${random.hex(12)}`;
}

/** Photos and films of a household: thousands of previews under names without an ending, by browser and app. */
const photoLibrary: EverydaySite = (seed) => {
  const site = createEverydaySite('photos', seed, 3 * day);
  const { random, log } = site;
  const shelf = Array.from({ length: 3_000 }, () => uuid(random));
  const pathOf = random.pick([
    () => `/api/assets/${random.pick(shelf)}/thumbnail?size=thumbnail`,
    () => `/Items/${random.pick(shelf)}/Images/Primary?fillHeight=239&fillWidth=425&quality=96`,
    () => `/photo/:/transcode?width=240&height=240&url=%2Flibrary%2Fmetadata%2F${random.whole(1, 9_000)}%2Fthumb`,
    () => `/webapi/entry.cgi?api=SYNO.Foto.Thumbnail&method=get&id=${random.whole(1, 9_000)}&size=sm`,
  ]);
  for (let i = 0; i < 5; i++) {
    const app = random.chance(0.5);
    const who = {
      address: addressOf(100 + i),
      agent: app
        ? random.pick(['Dart/3.3 (dart:io)', 'okhttp/4.12.0', 'Photos/412 CFNetwork/1494'])
        : random.pick(browsers),
    };
    for (let evenings = random.whole(1, 4); evenings > 0; evenings--) {
      let at = wakingTime(site);
      log.add({ at, ...who, path: app ? '/api/server/ping' : '/', referer: '-', bytes: 900 });
      at = scroll(site, who, at + 700, {
        previews: random.whole(80, 900),
        screen: 30,
        perSecond: random.pick([6, 12, 40]),
        lookMs: random.pick([1_500, 5_000, 20_000]),
        ...(app ? {} : { referer: `${site.origin}/photos` }),
        pathOf,
      });
      for (let n = random.whole(0, 12); n > 0; n--)
        log.add({
          at: (at += random.lognormal(6_000, 1)),
          ...who,
          path: `/api/assets/${random.pick(shelf)}/original`,
          bytes: random.whole(1e6, 9e6),
          status: random.pick([200, 206]),
        });
    }
  }
  for (let i = 0; i < 25; i++)
    scroll(site, { address: addressOf(200 + i), agent: random.pick(browsers) }, wakingTime(site), {
      previews: random.whole(4, 60),
      screen: 12,
      perSecond: 8,
      lookMs: 9_000,
      referer: `${site.origin}/share/Kx2`,
      pathOf,
    });
  welcomeRobots(site, 0.05, () => '/');
  return site;
};

/** Maps whose tiles have no ending, and coordinates asked for as the map moves. */
const mapService: EverydaySite = (seed) => {
  const site = createEverydaySite('map', seed, 10 * hour);
  const { random, log } = site;
  for (let i = 0; i < 60; i++) {
    const who = { address: addressOf(i), agent: random.pick(browsers) };
    let at = random.between(site.from, site.until);
    log.add({ at, ...who, path: '/', referer: '-' });
    for (let moves = random.whole(2, 40); moves > 0; moves--) {
      const z = random.whole(6, 17);
      const x = random.whole(10, 60_000);
      for (let n = random.whole(6, 30); n > 0; n--)
        log.add({
          at: at + random.between(10, 900),
          ...who,
          path: `/tiles/${z}/${x + random.whole(0, 6)}/${x + random.whole(0, 6)}`,
          referer: `${site.origin}/`,
          status: random.chance(0.04) ? 404 : 200,
        });
      if (random.chance(0.4))
        log.add({
          at: at + 1_000,
          ...who,
          path: `/api/places?bbox=${(x / 100).toFixed(4)},${(x / 90).toFixed(4)},12.1,50.3&limit=50`,
          referer: `${site.origin}/`,
        });
      at += random.lognormal(4_000, 0.9);
    }
  }
  return site;
};

/** Live channels and films in segments without an ending, watched for hours by players that name no page. */
const videoPortal: EverydaySite = (seed) => {
  const site = createEverydaySite('video', seed, 8 * hour);
  const { random, log } = site;
  for (let i = 0; i < 22; i++) {
    const player = random.chance(0.6);
    const who = {
      address: addressOf(i),
      agent: player
        ? random.pick([
            'ExoPlayerLib/2.19.1',
            'VLC/3.0.20 LibVLC/3.0.20',
            'AppleCoreMedia/1.0.0.21E236 (Apple TV)',
            'Lavf/60.16.100',
          ])
        : random.pick(browsers),
    };
    let at = random.between(site.from, site.until - hour);
    const end = Math.min(site.until, at + random.between(0.1, 3) * hour);
    const film = random.whole(1, 60);
    const every = random.pick([2_000, 4_000, 6_000]);
    const shape = random.whole(0, 2);
    if (!player) log.add({ at: at - 900, ...who, path: `/watch/${film}`, referer: '-' });
    for (let n = random.whole(0, 4_000); at < end; n++) {
      const referer = player ? '-' : `${site.origin}/watch/${film}`;
      const path =
        shape === 0
          ? `/videos/${film}/hls/720p/${n}`
          : shape === 1
            ? `/live/ch${film % 7}/segment/${1_714_000_000 + n}`
            : `/dash/${film}/video/1/seg?n=${n}&br=2400`;
      log.add({ at, ...who, path, referer, bytes: random.whole(4e5, 2e6) });
      if (shape === 1) log.add({ at: at + 200, ...who, path: `/live/ch${film % 7}/playlist`, referer, bytes: 600 });
      at += every + random.between(-120, 120);
    }
  }
  readers(site, 80, {
    pages: () => random.whole(1, 8),
    pauseMs: 20_000,
    assets: 8,
    pathOf: () => `/watch/${random.whole(1, 60)}`,
  });
  welcomeRobots(site, 0.2, () => `/watch/${random.whole(1, 60)}`);
  return site;
};

/** Open dashboards ask for a dozen panels every few seconds, each with a time of its own in the query. */
const dashboards: EverydaySite = (seed) => {
  const site = createEverydaySite('metrics', seed, 6 * hour);
  const { random, log } = site;
  for (let i = 0; i < 9; i++) {
    const who = { address: i < 4 ? '10.9.0.1' : `10.9.4.${i}`, agent: random.pick(browsers) };
    let at = personSignsIn(site, signIns.grafana, random.between(site.from, site.until - hour), who);
    const end = Math.min(site.until, at + random.between(0.3, 5) * hour);
    const panels = random.whole(4, 16);
    const every = random.pick([5_000, 10_000, 30_000]);
    for (; at < end; at += every)
      for (let p = 0; p < panels; p++)
        log.add({
          at: at + random.between(0, 400),
          ...who,
          path: `/api/datasources/proxy/${1 + (p % 2)}/api/v1/query_range?query=sum(rate(http_requests_total%5B5m%5D))&panel=${p}&start=${Math.floor(at / 1000) - 3600}&end=${Math.floor(at / 1000)}&step=15`,
          referer: `${site.origin}/d/abc/overview`,
          status: random.chance(0.01) ? 502 : 200,
          bytes: random.whole(900, 9_000),
        });
  }
  return site;
};

/** Chat in the browser: long polls that return at once when somebody writes, each with a stamp against caches. */
const chat: EverydaySite = (seed) => {
  const site = createEverydaySite('chat', seed, 8 * hour);
  const { random, log } = site;
  for (let i = 0; i < 30; i++) {
    const who = { address: i < 8 ? '198.51.100.9' : addressOf(i), agent: random.pick(browsers) };
    let at = personSignsIn(site, signIns.okFalse, random.between(site.from, site.until - hour), who);
    const end = Math.min(site.until, at + random.between(0.2, 5) * hour);
    const sid = random.hex(20);
    const busy = random.between(0.1, 0.9);
    while (at < end) {
      const t = random.hex(7);
      log.add({
        at,
        ...who,
        path: `/socket.io/?EIO=4&transport=polling&t=${t}&sid=${sid}`,
        referer: `${site.origin}/`,
        bytes: 90,
      });
      if (random.chance(0.3))
        log.add({
          at: at + 60,
          ...who,
          method: 'POST',
          path: `/socket.io/?EIO=4&transport=polling&t=${t}.1&sid=${sid}`,
          bytes: 2,
        });
      if (random.chance(0.05))
        for (let n = random.whole(3, 14); n > 0; n--)
          log.add({
            at: at + random.between(50, 500),
            ...who,
            path: `/avatar/${random.hex(24)}?s=48`,
            referer: `${site.origin}/`,
          });
      at += random.chance(busy) ? random.exponential(1_200) : 25_000;
    }
  }
  return site;
};

/** Boards and lists: everything typed asks for suggestions, every list for the pictures of its rows. */
const webApp: EverydaySite = (seed) => {
  const site = createEverydaySite('crm', seed, 9 * hour);
  const { random, log } = site;
  for (let i = 0; i < 14; i++) {
    const who = { address: i < 10 ? '10.30.0.1' : addressOf(i), agent: random.pick(browsers) };
    let at = personSignsIn(site, signIns.spa, site.from + random.between(0, 2 * hour), who);
    const end = Math.min(site.until, at + random.between(1, 7) * hour);
    const heavy = random.chance(0.3);
    while (at < end) {
      const referer = `${site.origin}/customers`;
      const kind = random.whole(0, 3);
      if (kind === 0) {
        const name = random.hex(random.whole(3, 12));
        for (let n = 1; n <= name.length; n++)
          log.add({
            at: (at += random.between(80, 260)),
            ...who,
            path: `/api/suggest?q=${name.slice(0, n)}`,
            referer,
            bytes: 300,
          });
      } else if (kind === 1)
        for (let n = random.whole(20, 50); n > 0; n--)
          log.add({
            at: at + random.between(20, 900),
            ...who,
            path: `/api/customers/${random.whole(1, 8_000)}/picture`,
            referer,
            status: random.pick([200, 304, 404]),
          });
      else {
        const id = random.whole(1, 8_000);
        for (const part of ['', '/notes', '/orders?limit=20', '/tasks', '/contacts'])
          log.add({ at: at + random.between(10, 400), ...who, path: `/api/customers/${id}${part}`, referer });
        if (random.chance(0.3))
          log.add({ at: at + 8_000, ...who, method: 'PUT', path: `/api/customers/${id}`, referer });
      }
      at += random.lognormal(heavy ? 7_000 : 30_000, 1);
    }
  }
  return site;
};

/** Lists of goods, each row with a picture from a script that cuts it to size. */
const pictureShop: EverydaySite = (seed) => {
  const site = createEverydaySite('prints', seed, 12 * hour);
  const { random } = site;
  for (let i = 0; i < 120; i++) {
    const who = { address: addressOf(i), agent: random.pick(browsers) };
    let at = wakingTime(site);
    for (let pages = 1 + Math.floor(random.exponential(6)); pages > 0; pages--) {
      const path = `/category/${random.whole(1, 40)}?page=${random.whole(1, 9)}`;
      site.log.add({ at, ...who, path, referer: '-' });
      at = scroll(site, who, at + 200, {
        previews: random.whole(24, 90),
        screen: 24,
        perSecond: 30,
        lookMs: 4_000,
        referer: `${site.origin}${path}`,
        pathOf: () => `/image/${random.whole(1, 9_000)}/resize?w=300`,
      });
      at += random.lognormal(15_000, 1);
    }
  }
  welcomeRobots(site, 0.4, () => `/item/${random.whole(1, 900)}`);
  return site;
};

export const burstySites = { photoLibrary, mapService, videoPortal, dashboards, chat, webApp, pictureShop } as const;

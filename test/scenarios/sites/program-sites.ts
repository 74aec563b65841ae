/** Sites that programs live on: sync and backup, builds, batch jobs, devices, monitors that somebody wrote. */
import { addressOf, browsers, day, hour, minute, poll, type Site, wakingTime } from './actors.ts';
import { createEverydaySite, type EverydaySite, readers } from './visitors.ts';

interface Who {
  address: string;
  agent: string;
  user?: string;
}

/** Requests in a row, each after the answer to the one before. Returns when it is done. */
function batch(
  site: Site,
  who: Who,
  start: number,
  count: number,
  everyMs: number,
  of: (i: number) => { method?: string; path: string; status?: number; bytes?: number },
): number {
  let at = start;
  for (let i = 0; i < count; i++)
    site.log.add({ at: (at += everyMs * site.random.between(0.6, 1.6)), ...who, ...of(i) });
  return at;
}

/** Nights of jobs that read and write thousands of records, beside days of people; the first night is as the others. */
const backOffice: EverydaySite = (seed) => {
  const site = createEverydaySite('erp', seed, 5 * day);
  const { random } = site;
  const jobs = [
    { address: '10.4.0.11', agent: 'python-requests/2.31.0' },
    { address: '10.4.0.12', agent: 'Java/17.0.9' },
    { address: '10.4.0.13', agent: 'Apache-HttpClient/4.5.14 (Java/17.0.9)' },
    { address: '10.4.0.14', agent: 'axios/1.6.7' },
  ];
  jobs.forEach((who, j) => {
    const size = random.whole(300, 1_500);
    const first = random.whole(1, 50_000);
    for (let night = site.from + (1 + j) * hour; night < site.until; night += day)
      batch(site, who, night, size, random.between(150, 900), (i) =>
        j === 0
          ? { path: `/api/articles?page=${i}&size=100` }
          : j === 1
            ? { method: i % 2 ? 'PUT' : 'GET', path: `/api/articles/${first + (i >> 1)}`, status: i % 40 ? 200 : 404 }
            : j === 2
              ? { method: 'POST', path: '/api/import/rows', status: i % 90 ? 201 : 422 }
              : { path: `/api/orders/${first + i}`, status: i % 25 ? 200 : 404 },
      );
  });
  // Every hour, a few dozen at once.
  for (let at = site.from + 7 * minute; at < site.until; at += hour)
    batch(site, { address: '10.4.0.20', agent: 'Go-http-client/1.1' }, at, random.whole(25, 70), 120, (i) => ({
      path: `/api/stock/${1_000 + i}`,
    }));
  for (let i = 0; i < 40 * 5; i++) {
    const who = { address: '10.4.1.1', agent: random.pick(browsers) };
    batch(site, who, wakingTime(site), random.whole(3, 60), 9_000, () => ({
      path: random.pick([
        '/app',
        `/api/orders/${random.whole(1, 50_000)}`,
        '/api/me',
        `/api/articles/${random.whole(1, 50_000)}`,
      ]),
    }));
  }
  return site;
};

/** Files of a few people: first syncs of thousands of files, calendars, backups in pieces named by their hash. */
const fileSync: EverydaySite = (seed) => {
  const site = createEverydaySite('cloud', seed, 2 * day);
  const { random } = site;
  const agents = [
    'Mozilla/5.0 (Windows) mirall/3.12.3 (Nextcloud)',
    'Go-http-client/2.0',
    'okhttp/4.12.0',
    'python-httpx/0.27.0',
    'KIO/5.115 kioworker/5.115.0',
    'Microsoft Office Word 2014',
  ];
  for (let i = 0; i < 6; i++) {
    const user = `user${i}`;
    const who = { address: addressOf(i), agent: agents[i] as string, user };
    let at = random.between(site.from, site.until - 6 * hour);
    site.log.add({
      at,
      address: who.address,
      agent: who.agent,
      method: 'PROPFIND',
      path: `/dav/files/${user}/`,
      status: 401,
      bytes: 400,
    });
    const files = random.whole(200, 1_600);
    at = batch(site, who, at, files, random.between(60, 500), (n) => ({
      method: i === 1 ? random.pick(['POST', 'HEAD']) : i % 3 === 0 ? 'GET' : random.pick(['GET', 'PUT', 'PROPFIND']),
      path:
        i === 1
          ? `/backup/data/${random.hex(2)}/${random.hex(64)}`
          : `/dav/files/${user}/Photos/${n % 40}/IMG_${random.whole(1, 9_999)}`,
      status: i === 1 && random.chance(0.3) ? 404 : random.pick([200, 201, 204, 207]),
    }));
    // A program looks whether a file is there before it sends it.
    batch(site, who, at, 120, 400, (n) => ({
      method: n % 2 ? 'PUT' : 'HEAD',
      path: `/dav/files/${user}/new/${n >> 1}-${user}-notes`,
      status: n % 2 ? 201 : 404,
      bytes: 0,
    }));
  }
  for (let i = 0; i < 8; i++)
    for (let at = site.from + random.between(0, hour); at < site.until; at += 15 * minute) {
      const who = {
        address: addressOf(40 + i),
        agent: random.pick([
          'iOS/17.4.1 (21E236) dataaccessd/1.0',
          'DAVx5/4.3.14-ose (2024/03/25; dav4jvm; okhttp/4.12.0) Android/14',
        ]),
        user: `user${i % 6}`,
      };
      batch(site, who, at, random.chance(0.1) ? random.whole(20, 120) : 3, 200, () => ({
        method: random.pick(['PROPFIND', 'REPORT', 'GET']),
        path: `/dav/calendars/${who.user}/personal/${random.hex(16)}.ics`,
        status: random.pick([207, 200]),
      }));
    }
  return site;
};

/** Runners that ask for work, clones, artefacts, modules that may not be there. */
const builds: EverydaySite = (seed) => {
  const site = createEverydaySite('git', seed, 10 * hour);
  const { random } = site;
  for (let i = 0; i < 6; i++)
    poll(site, 3_000, 300, {
      address: `10.7.0.${i + 1}`,
      agent: 'gitlab-runner 16.9.1 (16-9-stable; go1.21.7; linux/amd64)',
      method: 'POST',
      path: '/api/v4/jobs/request',
      status: 204,
      bytes: 0,
    });
  for (let i = 0; i < 60; i++) {
    const runner = `10.7.0.${random.whole(1, 6)}`;
    let at = random.between(site.from, site.until);
    const job = random.whole(10_000, 99_999);
    batch(site, { address: runner, agent: 'git/2.43.0' }, at, 4, 400, (n) => ({
      method: n % 2 ? 'POST' : 'GET',
      path: n % 2 ? '/team/app.git/git-upload-pack' : '/team/app.git/info/refs?service=git-upload-pack',
      status: n ? 200 : 401,
    }));
    at = batch(
      site,
      { address: runner, agent: 'gitlab-runner 16.9.1' },
      at + 2_000,
      random.whole(10, 120),
      3_000,
      () => ({ method: 'PATCH', path: `/api/v4/jobs/${job}/trace`, status: 202 }),
    );
    if (random.chance(0.5))
      batch(site, { address: runner, agent: 'Go-http-client/1.1' }, at, random.whole(30, 220), 70, () => ({
        bytes: random.whole(40, 90_000),
        path: `/goproxy/example.org/${random.hex(3)}/${random.hex(6)}/@v/${random.pick(['list', 'v1.2.3.info', 'v1.2.3.mod', 'v1.2.3.zip'])}`,
        status: random.weighted([
          [200, 70],
          [404, 25],
          [410, 5],
        ] as const),
      }));
    if (random.chance(0.3))
      batch(site, { address: runner, agent: 'python-requests/2.31.0' }, at, random.whole(5, 80), 250, (n) => ({
        path: `/api/v4/projects/12/repository/commits?page=${n}&per_page=100`,
      }));
  }
  readers(site, 80, {
    pages: () => random.whole(1, 14),
    pauseMs: 15_000,
    assets: 6,
    pathOf: () => `/team/app/-/issues/${random.whole(1, 900)}`,
  });
  return site;
};

/** An app whose users sit behind a few addresses of one company or carrier, and devices that report every second. */
const appBehindNat: EverydaySite = (seed) => {
  const site = createEverydaySite('fleet', seed, 8 * hour);
  const { random } = site;
  const agents = [
    'Courier/8.1.2 (Android 14)',
    'Courier/8.1.2 (Android 13)',
    'Courier/8.0.9 (Android 14)',
    'Courier/8.1.2 (iOS 17.4)',
  ];
  for (let i = 0; i < 90; i++) {
    const who = { address: i < 60 ? '203.0.113.200' : `100.72.1.${i % 3}`, agent: random.pick(agents) };
    const start = site.from + random.between(0, 3) * hour;
    batch(site, who, start, random.whole(100, 500), 25_000, () => ({
      method: random.weighted([
        ['GET', 3],
        ['POST', 1],
      ] as const),
      path: random.pick([
        `/v2/parcels/${random.whole(1, 90_000)}`,
        '/v2/route',
        '/v2/position',
        '/v2/me',
        `/v2/stops/${random.hex(10)}`,
      ]),
      status: random.chance(0.02) ? 404 : 200,
    }));
    if (random.chance(0.6))
      site.log.add({
        at: start - 3_000,
        ...who,
        method: 'POST',
        path: '/v2/auth/login',
        status: random.chance(0.1) ? 401 : 200,
        bytes: 300,
      });
  }
  for (let i = 0; i < 20; i++)
    poll(site, random.pick([1_000, 2_000, 10_000]) * 5, 90, {
      address: i < 12 ? '203.0.113.77' : addressOf(500 + i),
      agent: 'ESP32HTTPClient',
      method: random.pick(['POST', 'GET']),
      path: `/v2/telemetry/${i}`,
      status: random.pick([200, 204]),
    });
  return site;
};

/** Monitors of the owner's own make: thirty places every half minute, some of them gone or locked for years. */
const watched: EverydaySite = (seed) => {
  const site = createEverydaySite('agency', seed, day);
  const { random, log } = site;
  const places = Array.from({ length: 30 }, (_, i) => ({
    path: `/${random.pick(['status', 'kunden', 'api', 'shop', 'health'])}/${i}`,
    status: random.weighted([
      [200, 80],
      [404, 8],
      [401, 6],
      [301, 6],
    ] as const),
  }));
  for (const agent of ['Go-http-client/1.1', 'curl/8.5.0', 'python-requests/2.31.0', '-', browsers[2]])
    for (let at = site.from + random.between(0, minute); at < site.until; at += random.pick([minute, 5 * minute]))
      for (const [i, place] of places.slice(0, 4 + (agent.length % 26)).entries())
        log.add({
          at: at + i * random.between(20, 150),
          address: agent === '-' ? '10.244.3.1' : `192.0.2.${80 + agent.length}`,
          agent,
          ...place,
        });
  for (const agent of [
    'AntennaPod/3.3.2',
    'Overcast/3.0 (+http://overcast.fm/; iOS podcast app)',
    'Podcasts/1650.21 CFNetwork/1494.0.7',
    'gPodder/3.11.4',
    'castget 1.2.4',
    'Winamp/2.81',
  ])
    for (let i = 0; i < 3; i++) {
      const who = { address: addressOf(300 + i + agent.length * 4), agent };
      for (let at = site.from + random.between(0, hour); at < site.until; at += hour) {
        log.add({ at, ...who, path: '/podcast/feed', status: random.pick([200, 304]) });
        // A new subscriber takes every episode there is.
        if (random.chance(0.04))
          batch(site, who, at, random.whole(20, 160), 2_000, (n) => ({
            path: `/podcast/episode/${n}/play`,
            status: random.pick([302, 206]),
          }));
      }
    }
  readers(site, 150, {
    pages: () => 1 + Math.floor(random.exponential(4)),
    pauseMs: 25_000,
    assets: 5,
    pathOf: () => `/seite/${random.whole(1, 80)}`,
  });
  return site;
};

export const programSites = { backOffice, fileSync, builds, appBehindNat, watched } as const;

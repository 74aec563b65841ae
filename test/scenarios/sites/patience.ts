/** Who takes its time, and programs and people of one's own that look like an attack at first sight. */
import { addressOf, browsers, day, hour, minute, poll, wakingTime } from './actors.ts';
import { personSignsIn, signIns } from './sign-in.ts';
import type { SiteAttack } from './site-attacks.ts';
import { createEverydaySite, readers, signsInSometimes } from './visitors.ts';
import type { Site } from './actors.ts';

/** A catalogue that people leaf through; a scraper reads all of it in two days, at a pace and with pauses of its own. */
export function leafedThrough(
  seed: number | string,
  scraper: { pauseMs: number; agent: string } | undefined,
): { site: Site; attack: SiteAttack } {
  const site = createEverydaySite('catalogue', seed, 3 * day);
  const { random, log } = site;
  const articles = 4_000;
  readers(site, 400, {
    pages: () => 1 + Math.floor(random.exponential(5)),
    pauseMs: 25_000,
    assets: 4,
    pathOf: () =>
      random.chance(0.7)
        ? `/articles/${Math.floor(random.exponential(400)) % articles}`
        : random.pick(['/', '/search?q=lamp', '/cart', '/articles?page=2']),
  });
  const address = '51.15.99.77';
  const firstAt = site.from + 10 * hour;
  if (scraper)
    for (let at = firstAt, i = 0; at < firstAt + 2 * day; at += random.lognormal(scraper.pauseMs, 0.8), i++)
      log.add({ at, address, agent: scraper.agent, path: `/articles/${(i * 7) % articles}` });
  return { site, attack: { name: 'patient scraper', addresses: [address], firstAt } };
}

/** Jobs of the operator: they name themselves by a library, come from the inside and read everything, records of customers too. */
export function ownJobs(seed: number | string): Site {
  const site = createEverydaySite('warehouse', seed, 4 * day);
  const { random, log } = site;
  for (let i = 0; i < 500; i++) {
    const who = { address: addressOf(i % 200), agent: browsers[i % browsers.length] as string };
    const own = [0, 1, 2, 3].map((n) => 1_000 + (((i % 200) * 17 + n * 401) % 5_000));
    for (let n = random.whole(2, 8), at = wakingTime(site); n > 0; n--)
      log.add({
        at: (at += random.lognormal(20_000, 0.9)),
        ...who,
        path: random.pick(['/api/orders', `/api/orders/${random.pick(own)}`, `/api/articles/${random.whole(1, 900)}`]),
      });
  }
  const jobs = [
    { address: '10.3.2.8', agent: 'python-requests/2.31.0', path: '/api/articles/', count: 1_500, hour: 1 },
    { address: '192.168.4.9', agent: 'axios/1.6.7', path: '/api/orders/', count: 1_200, hour: 3 },
  ];
  for (let night = Math.ceil(site.from / day) * day; night < site.until; night += day)
    for (const { address, agent, path, count, hour: from } of jobs)
      for (let i = 0, at = night + from * hour; i < count; i++)
        log.add({
          at: (at += random.between(120, 500)),
          address,
          agent,
          path: `${path}${1_000 + i}`,
          status: random.chance(0.06) ? 404 : 200,
        });
  return site;
}

/** Clients of a module proxy ask for versions and modules that are not there, one after another; some find nothing at first. */
export function moduleProxy(seed: number | string): Site {
  const site = createEverydaySite('modules', seed, day);
  const { random, log } = site;
  for (let i = 0; i < 60; i++) {
    const who = { address: addressOf(i), agent: 'Go-http-client/1.1' };
    let at = wakingTime(site);
    const absent = i % 10 === 0 ? 40 : 0;
    for (let n = 0; n < absent + random.whole(10, 150); n++)
      log.add({
        at: (at += random.exponential(60)),
        ...who,
        path: `/github.com/team${random.whole(1, 60)}/lib${random.whole(1, 900)}/@v/${random.pick(['list', 'v1.2.0.info', 'v0.4.1.mod'])}`,
        status: n < absent || random.chance(0.3) ? 404 : 200,
      });
  }
  return site;
}

/** The day when everybody's password ended: a hundred people mistype the new one within an hour, and some give up. */
export function passwordDay(seed: number | string): Site {
  const site = createEverydaySite('expired', seed, day);
  const { random } = site;
  signsInSometimes(site, 'spa', 150);
  for (let i = 0; i < 130; i++) {
    let at = site.from + 12 * hour + random.exponential(20 * minute);
    const who = { address: addressOf(50_000 + i), agent: random.pick(browsers) };
    for (let wrong = random.whole(1, 4); wrong > 0; wrong--) {
      site.log.add({
        at: (at += random.between(5_000, 30_000)),
        ...who,
        method: 'POST',
        path: signIns.spa.post,
        status: signIns.spa.wrong.status,
        bytes: 62,
      });
    }
    if (random.chance(0.8)) personSignsIn(site, signIns.spa, at + 9_000, who);
  }
  return site;
}

/** Programs that keep a password that has changed, a few times an hour for days. */
export function oldPasswords(seed: number | string): Site {
  const site = createEverydaySite('stale', seed, 2 * day);
  signsInSometimes(site, 'spa', 150);
  for (const [i, every] of [10, 10, 12, 15, 30, 60].entries())
    poll(site, every * minute, 20_000, {
      address: addressOf(60_000 + i),
      agent: 'ExampleApp/3.1 okhttp/4.9.3',
      method: 'POST',
      path: signIns.spa.post,
      status: signIns.spa.wrong.status,
      bytes: 62,
    });
  return site;
}

/** A class behind one address signs in within two minutes where right and wrong are answered alike, and takes a test. */
export function signsInAtOnce(seed: number | string): Site {
  const site = createEverydaySite('school', seed, 10 * hour);
  const { random, log } = site;
  readers(site, 60, {
    pages: () => random.whole(1, 4),
    pauseMs: 30_000,
    assets: 5,
    pathOf: () => random.pick(['/', '/courses', '/help']),
  });
  for (let lesson = 0; lesson < 3; lesson++) {
    const address = `194.95.${lesson}.7`;
    for (let pupil = 0; pupil < 30; pupil++) {
      const who = { address, agent: browsers[pupil % 5] as string };
      let at = site.from + (2 + 2 * lesson) * hour + random.exponential(minute);
      at = personSignsIn(site, signIns.moodle, at, who);
      for (let page = 0; page < 25; page++)
        log.add({
          at: (at += random.lognormal(20_000, 0.6)),
          ...who,
          path: `/mod/quiz/attempt.php?attempt=${pupil}&page=${page}`,
          referer: `${site.origin}/mod/quiz/view.php`,
        });
    }
  }
  return site;
}

/** Ordinary sites stay quiet, and what attacks them is found, told by its own address, from its first requests on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnalyzeResult } from '@picket/standalone/analyze/result.ts';
import { levelRank } from '@picket/standalone/analyze/result.ts';
import { runAnalyze } from '@picket/standalone/analyze/run.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { billing, redirecting, sprayed } from '../scenarios/sites/account-sites.ts';
import { attackers } from '../scenarios/sites/attackers.ts';
import { burstySites } from '../scenarios/sites/bursty-sites.ts';
import { everydaySites } from '../scenarios/sites/everyday-sites.ts';
import { browsers, hour } from '../scenarios/sites/actors.ts';
import {
  leafedThrough,
  moduleProxy,
  oldPasswords,
  ownJobs,
  passwordDay,
  signsInAtOnce,
} from '../scenarios/sites/patience.ts';
import { programSites } from '../scenarios/sites/program-sites.ts';
import { siteAttacks } from '../scenarios/sites/site-attacks.ts';
import { ordinarySites } from '../scenarios/sites/sites.ts';
import { silentHost } from '../support/silent-host.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'analyze-sites-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function analyze(text: string): Promise<AnalyzeResult> {
  const file = join(folder, 'access.log');
  writeFileSync(file, text);
  return runAnalyze(
    { files: [file], top: 10, pseudonymise: false, progress: false, workers: 0 },
    new AbortController().signal,
    silentHost(folder),
  );
}

const alarms = (result: AnalyzeResult) =>
  result.verdicts
    .filter((v) => levelRank(v.level) >= 2)
    .map((v) => `${v.level} ${v.principal.kind} ${v.principal.value}: ${v.findings.map((f) => f.words).join('; ')}`);

describe('ordinary sites raise no alarm', () => {
  for (const [name, make] of Object.entries(ordinarySites)) {
    it.each([
      ['small', { seed: 11, people: 20, days: 0.75 }],
      ['busy', { seed: 12, people: 300, days: 0.6 }],
      ['several days', { seed: 13, people: 40, days: 2 }],
    ])(`${name}, %s`, async (_, options) => {
      const site = make(options);
      const result = await analyze(site.log.combined());
      expect(result.requests).toBe(site.log.length);
      expect(alarms(result)).toEqual([]);
    });

    it(`${name}, as JSON with a host`, async () => {
      const site = make({ seed: 14, people: 100, days: 0.5 });
      expect(alarms(await analyze(site.log.json(`${name.toLowerCase()}.example`)))).toEqual([]);
    });
  }
});

describe('everyday sites accuse nobody', () => {
  it.each(Object.entries({ ...everydaySites, ...burstySites, ...programSites }))('%s', async (_, make) => {
    const site = make(31);
    const result = await analyze(site.log.combined());
    expect(result.requests).toBe(site.log.length);
    expect(alarms(result)).toEqual([]);
  });

  it('says that one address stands for a crowd', async () => {
    const result = await analyze(everydaySites.behindBalancer(32).log.combined());
    expect(result.notes.join()).toMatch(
      /stands for a crowd, \d+ % of the requests: a load balancer, a CDN or an office/,
    );
  });
});

it.each([
  ['one address for everybody', (line: string) => line],
  ['no address', (line: string) => line.replace(/^\S+/, '-')],
])('names a tool by its user agent in a log with %s', async (_, shown) => {
  const lines = everydaySites.behindBalancer(32).log.combined().trimEnd().split('\n');
  const [last = ''] = lines.slice(-1);
  const [head, zone] = /^(.*:)\d\d( \+0000\])/.exec(last)?.slice(1) ?? [];
  for (let i = 0; i < 40; i++) lines.push(`${head}59${zone} "POST /login HTTP/1.1" 401 90 "-" "python-requests/2.31"`);
  const result = await analyze(lines.map(shown).join('\n'));
  expect(result.notes.join()).toContain('rare user agents');
  expect(result.verdicts.map((v) => [v.principal.kind, v.principal.value])).toEqual([
    ['Campaign', 'userAgent python-requests/2.31'],
  ]);
  expect(result.verdicts[0]?.campaign?.traits.map((t) => t.trait)).toEqual(['userAgent']);
});

describe('strong attacks are High on a small site', () => {
  // One in three: all of them are in the tables of `node test/accuracy/sites.ts`.
  const some = attackers.filter((a, i) => a.strong && i % 3 === 0);
  it.each(some)('$name', async (attacker) => {
    const site = everydaySites.tinyBlog(33);
    const attack = attacker.attack(site, site.from + 20 * hour);
    const result = await analyze(site.log.combined());
    const top = result.verdicts.filter((v) => attack.addresses.includes(v.principal.value ?? ''));
    expect(top.map((v) => levelRank(v.level) >= 3)).toContain(true);
    expect(alarms(result).length).toBe(top.filter((v) => levelRank(v.level) >= 2).length);
  });
});

it('names the campaign of guesses too thin for every address and every minute', async () => {
  const attacker = attackers.find((a) => a.name.includes('over twelve hours'));
  const site = everydaySites.tinyBlog(34);
  attacker?.attack(site, site.from + 30 * hour);
  const result = await analyze(site.log.combined());
  // Once: not as strangers with nothing in common as well.
  expect(result.verdicts.map((v) => [v.principal.kind, v.level])).toEqual([['Campaign', 'Critical']]);
  expect(result.verdicts[0]?.principal.value).toContain('Firefox/40.1');
});

describe('what others do there tells who abuses a site', () => {
  const mail = { people: 60, addresses: 40, everyMs: 1.5 * hour, forMs: 72 * hour };
  const blog = { people: 3, addresses: 300, everyMs: 12 * hour, forMs: 12 * hour };

  it.each(['path', 'query'] as const)('walks through invoices by an id in the %s', async (where) => {
    const { site, attack } = billing(41, where, true);
    const result = await analyze(site.log.combined());
    const [first] = result.verdicts;
    expect([first?.principal.value, levelRank(first?.level ?? 'None') >= 3]).toEqual([attack.addresses[0], true]);
    expect(first?.findings.map((f) => f.detector)).toContain('objectEnumeration');
    expect(alarms(result)).toHaveLength(1);
  });

  it.each([
    ['slow', 'spa', mail],
    ['single guesses', 'wordpress', blog],
  ] as const)('names a spray without a common trait: %s', async (_, product, how) => {
    const { site } = sprayed(42, product, { ...how, attacked: true });
    const result = await analyze(site.log.combined());
    const [first] = result.verdicts;
    expect([first?.principal.kind, levelRank(first?.level ?? 'None') >= 3]).toEqual(['Campaign', true]);
    expect(alarms(result)).toHaveLength(1);
  });

  it('guesses where right and wrong are redirected alike', async () => {
    const { site, attack } = redirecting(43, 2_300, 260);
    const result = await analyze(site.log.combined());
    expect(result.verdicts[0]?.principal.value).toBe(attack.addresses[0]);
    expect(alarms(result)).toHaveLength(1);
  });

  it('stays quiet about all of that without the attack', async () => {
    for (const { site } of [billing(44, 'query', false), sprayed(44, 'spa', { ...mail, attacked: false })])
      expect(alarms(await analyze(site.log.combined()))).toEqual([]);
  });
});

describe('patience hides nobody, and accuses nobody', () => {
  it.each([
    ['like a browser', browsers[0], 3],
    ['by the name of a library', 'python-requests/2.31.0', 2],
  ] as const)('finds a scraper that pauses at random for two days, %s', async (_, agent, least) => {
    const { site, attack } = leafedThrough(51, { pauseMs: 13_000, agent });
    const result = await analyze(site.log.combined());
    expect(result.verdicts[0]?.principal.value).toBe(attack.addresses[0]);
    expect(levelRank(result.verdicts[0]?.level ?? 'None')).toBeGreaterThanOrEqual(least);
    expect(alarms(result)).toHaveLength(1);
  });

  it.each([
    ['a catalogue that people leaf through', () => leafedThrough(52, undefined).site],
    ['nightly jobs from the inside', () => ownJobs(53)],
    ['a module proxy where much is missing', () => moduleProxy(54)],
    ['a day when everybody mistypes a new password', () => passwordDay(55)],
    ['programs with old passwords', () => oldPasswords(56)],
    ['a class that signs in at once', () => signsInAtOnce(57)],
  ])('stays quiet about %s', async (_, make) => {
    expect(alarms(await analyze(make().log.combined()))).toEqual([]);
  });
});

const placed: readonly [keyof typeof ordinarySites, string][] = [
  ['wordpressBlog', 'wordpressFast'],
  ['wordpressBlog', 'wordpressSteady'],
  ['wordpressBlog', 'wordpressSlow'],
  ['wordpressBlog', 'xmlrpc'],
  ['wordpressBlog', 'nikto'],
  ['wordpressBlog', 'distributedLogin'],
  ['newsPaper', 'wordpressSlow'],
  ['newsPaper', 'drive'],
  ['newsPaper', 'scraper'],
  ['newsPaper', 'politeScraper'],
  ['spaShop', 'slowProbe'],
  ['spaShop', 'dirb'],
  ['spaShop', 'injection'],
  ['spaShop', 'scraper'],
  ['spaShop', 'stuffing'],
  ['spaShop', 'flood'],
  ['fileServer', 'dirb'],
  ['fileServer', 'drive'],
  ['fileServer', 'politeScraper'],
];

describe('attacks on ordinary sites are found', () => {
  it.each(placed)('%s: %s', async (name, attackName) => {
    const site = ordinarySites[name]({ seed: 21, people: 200, days: 0.4 });
    const attack = (siteAttacks[attackName] as (typeof siteAttacks)[string])(site, site.from + 7 * hour + 137);
    const result = await analyze(site.log.combined());
    const found = result.verdicts.filter((v) => levelRank(v.level) >= 2);
    const guilty = found.filter(
      (v) =>
        attack.addresses.includes(v.principal.value ?? '') ||
        (attack.addresses.length > 1 && v.principal.kind === 'Campaign'),
    );
    expect(guilty.length, JSON.stringify(found.map((v) => v.principal.value))).toBeGreaterThan(0);
    expect(found.length - guilty.length).toBe(0);
    // Log times are whole seconds; what a scan amounts to may need its first minute.
    expect(Math.abs(Date.parse(guilty[0]?.firstSeen ?? '') - attack.firstAt)).toBeLessThan(60_000);
  });
});

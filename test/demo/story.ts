/** The demo from start to end: a day to learn from, ordinary people, four attacks one after the other, and a verdict. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { issuer } from '../../examples/shop/tokens.ts';
import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import { createLiveDriver } from '../scenarios/drivers/live.ts';
import type { Window } from '../scenarios/request-event.ts';
import { type RunningProcess, startProcess, waitFor } from '../support/processes.ts';
import { nodeBinary, repositoryRoot } from '../support/tools.ts';
import { type Act, type ActResult, printAct, resultOf, verdictOf } from './act.ts';
import {
  type Cast,
  castOf,
  liveVisits,
  scrapedSince,
  scraperStream,
  stuffingStream,
  tokenStream,
  walkingStream,
  writeDayBefore,
} from './cast.ts';
import { createTrafficLedger, type OrdinaryTraffic, type TrafficLedger } from './ledger.ts';
import { type Picket, startPicket } from './picket.ts';
import type { Screen } from './screen.ts';

export interface StoryOptions {
  seed: string;
  screen: Screen;
  /** Unix milliseconds. */
  now: () => number;
  /** Ends the story early; everything is stopped and `tellStory` rejects. */
  signal: AbortSignal;
  /** Called when the story is told and everything still runs; resolves when it may stop. */
  beforeStop?: (where: { trafficUrl: string; adminUrl: string; folder: string }) => Promise<void>;
}

export interface StoryResult {
  seed: string;
  ok: boolean;
  problems: string[];
  acts: ActResult[];
  ordinary: OrdinaryTraffic & { sharing: number; outRequesting: number };
  seconds: number;
  /** Kept after a failure: logs and data. */
  folder?: string;
}

/** Ordinary traffic alone, before the first attack. */
const calmMs = 14_000;
/**
 * An attack that has sent what it sends in this time and was not refused has won. It counts by the attack's own clock,
 * for a slow machine sends less.
 */
const actMs = 90_000;
/** No machine is so slow. */
const actTimeoutMs = 600_000;
/** How long an attack goes on after its first refusal. */
const aftermathMs = 4000;
/** Longer than the five seconds between two status writes of one verdict. */
const statusLagMs = 8_000;
const leastUsers = 500;

export async function tellStory(options: StoryOptions): Promise<StoryResult> {
  const { seed, screen, now, signal } = options;
  const startedAt = now();
  const folder = mkdtempSync(join(tmpdir(), 'picket-demo-'));
  const manifests = join(repositoryRoot, 'examples/shop/manifests');
  const cast = castOf(seed);
  screen.line(`Picket demo, seed ${seed}`, 'title');
  let shop: RunningProcess | undefined;
  let picket: Picket | undefined;
  // Nothing happened that somebody would look into when the person just stops it.
  let ok: boolean | undefined;
  try {
    const jwks = join(folder, 'jwks.json');
    shop = await startShop(cast, folder, jwks);
    const shopPort = Number(/127\.0\.0\.1:(\d+)/.exec(shop.output())?.[1]);
    screen.line(`The sample shop serves at http://127.0.0.1:${shopPort}.`);
    const history = join(folder, 'day.als');
    const day = await writeDayBefore(cast, history, now(), join(manifests, 'api.yaml'));
    const hours = ((day.until - day.from) / 3_600_000).toFixed(1);
    screen.line(
      `REPLAYED, not live: ${day.entries} requests of ${day.actors} callers over ${hours} h, made from the seed.`,
    );
    picket = await startPicket({
      ...{ folder, manifests, history, upstreamPort: shopPort, jwks, issuer, signal },
      onLearning: (requests) =>
        screen.figures(`  Picket learns from the day before: ${requests} of ${day.entries} requests`),
    });
    screen.line(
      `Envoy and Picket are up after ${((now() - startedAt) / 1000).toFixed(0)} s. From here on everything is live.\n`,
    );
    const told = await playLive(cast, picket, options, day.until);
    const problems = [
      ...told.acts.flatMap((a) => (a.problem ? [`${a.family}: ${a.problem}`] : [])),
      ...ordinaryProblems(told),
    ];
    ok = problems.length === 0;
    const where = { trafficUrl: `http://127.0.0.1:${picket.trafficPort}`, adminUrl: picket.adminUrl, folder };
    const result = { seed, ok, problems, ...told, seconds: (now() - startedAt) / 1000 };
    printEnd(screen, result);
    await options.beforeStop?.(where);
    return ok ? result : { ...result, folder };
  } finally {
    await picket?.stop();
    await shop?.stop({ keepLog: true });
    if (ok ?? signal.aborted) rmSync(folder, { recursive: true, force: true });
    else screen.line(`Logs and data are kept in ${folder}`, 'quiet');
  }
}

async function startShop(cast: Cast, folder: string, jwks: string): Promise<RunningProcess> {
  const shop = startProcess({
    command: nodeBinary,
    args: [join(repositoryRoot, 'examples/shop/main.ts'), '--seed', String(cast.shopSeed), '--jwks', jwks],
    logPath: join(folder, 'shop.log'),
    ownGroup: true,
  });
  await waitFor('shop ready', () => (shop.output().includes('listening') ? true : undefined), { process: shop });
  return shop;
}

type Told = Pick<StoryResult, 'acts' | 'ordinary'>;

async function playLive(cast: Cast, picket: Picket, options: StoryOptions, dayEndedAt: number): Promise<Told> {
  const { screen, now, signal } = options;
  const ledger = createTrafficLedger();
  const closing = new AbortController();
  const liveFrom = now();
  const window: Window = { from: liveFrom, until: liveFrom + 3_600_000 };
  const driverOptions = { port: picket.trafficPort, onReply: ledger.record, now };
  const ordinary = createLiveDriver({ ...driverOptions, signal: closing.signal });
  const running = cast.people.map((person) => ordinary.run(liveVisits(cast, person, window)));
  // The scraper never paused: it is as slow in the live part as it was in the day before.
  const [scraped, since] = scrapedSince(dayEndedAt);
  running.push(ordinary.run(scraperStream(cast, window, scraped)));

  const acts = actsOf(cast, since);
  const results: ActResult[] = [];
  const stopFigures = startFigures(screen, picket, ledger, now, liveFrom);
  try {
    await sleep(calmMs, undefined, { signal });
    screen.line(
      `${ledger.ordinary().users} people are shopping, ${cast.people.length} are coming; ${cast.sharing} of these share addresses and a user agent with attackers.\n`,
    );
    for (const act of acts) {
      results.push(await playAct(act, picket, ledger, { ...options, driverOptions, liveFrom }));
      printAct(screen, results.at(-1) as ActResult);
    }
  } finally {
    stopFigures();
    closing.abort();
    await Promise.all(running);
    ordinary.close();
  }
  const seen = ledger.ordinary();
  // One client each, so comparable with one person.
  const single = results.filter((r) => r.family === 'objectEnumeration' || r.family === 'scraping');
  const outRequesting = seen.busiest.filter((count) => count > Math.max(...single.map((r) => r.requests))).length;
  return { acts: results, ordinary: { ...seen, sharing: cast.sharing, outRequesting } };
}

function actsOf(cast: Cast, scrapingSince: number): Act[] {
  return [
    {
      family: 'credentialStuffing',
      title: 'Leaked passwords are tried from hundreds of addresses, one attempt each',
      detectors: ['distributedStuffing', 'credentialStuffing'],
      stream: (window) => stuffingStream(cast, window),
    },
    {
      family: 'objectEnumeration',
      title: 'A customer counts up order ids that are not theirs',
      detectors: ['objectEnumeration'],
      stream: (window) => walkingStream(cast, window),
    },
    {
      family: 'scraping',
      title: 'A scraper reads one product every five seconds, since two hours before the live part',
      detectors: ['scraping'],
      // Already running.
      stream: () => [].values(),
      startedAt: scrapingSince,
    },
    {
      family: 'tokenAbuse',
      title: 'One stolen token is used from many networks',
      detectors: ['tokenAbuse'],
      stream: (window) => tokenStream(cast, window),
    },
  ];
}

interface Stage extends StoryOptions {
  driverOptions: Omit<Parameters<typeof createLiveDriver>[0], 'signal'>;
  liveFrom: number;
}

/** Plays one attack until it has been refused for a moment, or has had its time. */
async function playAct(act: Act, picket: Picket, ledger: TrafficLedger, stage: Stage): Promise<ActResult> {
  const { screen, now, signal, driverOptions, liveFrom } = stage;
  screen.line(act.title, 'title');
  const ending = new AbortController();
  const driver = createLiveDriver({ ...driverOptions, signal: ending.signal });
  const from = now();
  const playing = driver.runByAddress(act.stream({ from, until: from + actMs + aftermathMs }));
  const hasWon = () => (ledger.attempts(act.family).at(-1)?.meantAt ?? from) - from > actMs;
  let verdict: RiskVerdict | undefined;
  try {
    while (!hasWon() && now() - from < actTimeoutMs) {
      verdict = verdictOf(act, await picket.verdicts(), ledger.authorOf) ?? verdict;
      const refused = ledger.attempts(act.family).some((a) => a.refused);
      const isOver = refused && verdict?.status?.decision !== undefined;
      await sleep(isOver ? aftermathMs : 200, undefined, { signal });
      if (isOver) break;
    }
  } finally {
    ending.abort();
    await playing;
    driver.close();
  }
  // Status is written at most every five seconds per verdict: what refused may be told a moment later.
  for (const until = now() + statusLagMs; now() < until; await sleep(200, undefined, { signal })) {
    verdict = verdictOf(act, await picket.verdicts(), ledger.authorOf) ?? verdict;
    if (isRefusing(verdict) && verdict?.status?.enforcement?.programmedAt !== undefined) break;
  }
  return resultOf(act, verdict, ledger.attempts(act.family), liveFrom);
}

function isRefusing(verdict: RiskVerdict | undefined): boolean {
  const action = verdict?.status?.decision?.action;
  return action !== undefined && action !== 'Tag';
}

function startFigures(
  screen: Screen,
  picket: Picket,
  ledger: TrafficLedger,
  now: () => number,
  from: number,
): () => void {
  let before = { at: from, requests: 0 };
  let stopped = false;
  const ticker = setInterval(() => {
    void picket.verdicts().then((verdicts) => {
      if (stopped) return;
      const seen = ledger.ordinary();
      const at = now();
      const rate = ((seen.requests - before.requests) * 1000) / Math.max(1, at - before.at);
      before = { at, requests: seen.requests };
      const acting = verdicts.filter((v) => v.status?.decision !== undefined).length;
      const time = `${((at - from) / 1000).toFixed(0)} s`;
      screen.figures(
        `  ${time}  ${seen.users} people, ${rate.toFixed(0)} requests/s, ${seen.refused} of them refused; ` +
          `${verdicts.length} verdict${verdicts.length === 1 ? '' : 's'}, ${acting} acted on`,
      );
    });
  }, 1000);
  return () => {
    stopped = true;
    clearInterval(ticker);
    screen.settle();
  };
}

function ordinaryProblems({ ordinary }: Told): string[] {
  const problems: string[] = [];
  if (ordinary.users < leastUsers) problems.push(`only ${ordinary.users} ordinary users took part`);
  if (ordinary.sharing * 5 < ordinary.users) problems.push(`only ${ordinary.sharing} of them share with attackers`);
  if (ordinary.outRequesting === 0) problems.push('no ordinary user sent more than an attacker');
  if (ordinary.refused > 0) {
    problems.push(`${ordinary.refused} requests of ${ordinary.refusedUsers.length} ordinary users were refused`);
  }
  return problems;
}

function printEnd(screen: Screen, { ordinary, problems, seconds, seed }: StoryResult): void {
  screen.line(
    `${ordinary.users} ordinary users, the owner of the stolen token left out, sent ${ordinary.requests} requests; ${ordinary.refused} were refused. ` +
      `${ordinary.sharing} of them share addresses and a user agent with attackers; ` +
      `${ordinary.outRequesting === 10 ? 'ten or more' : ordinary.outRequesting} sent more than the customer who walks or the scraper, the busiest ${ordinary.busiest[0] ?? 0}.`,
  );
  for (const problem of problems) screen.line(`FAILED: ${problem}`, 'bad');
  screen.line(
    `${problems.length === 0 ? 'All of it happened' : 'Not all of it happened'}, in ${seconds.toFixed(0)} s. Repeat with --seed ${seed}.`,
    problems.length === 0 ? 'good' : 'bad',
  );
}

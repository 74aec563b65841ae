/** Programs that are welcome on a site and say who they are, each with the habits of its kind. */
import { addressOf, day, hour, minute, poll, type Site } from './actors.ts';

type Habit = (site: Site, who: { address: string; agent: string }, pathOf: () => string) => void;

interface Robot {
  agent: string;
  address: string;
  habit: Habit;
}

/** Walks pages in bursts, robots.txt first; a part of its list of addresses is years old. */
function crawls(perDay: number, gone: number, paceMs: number, extras: readonly string[] = []): Habit {
  return (site, who, pathOf) => {
    const { random, log } = site;
    const pages = Math.max(3, Math.round((perDay * (site.until - site.from)) / day));
    for (let left = pages; left > 0; ) {
      let at = random.between(site.from, site.until);
      log.add({ at, ...who, path: '/robots.txt', status: random.chance(0.8) ? 200 : 404, bytes: 110 });
      for (const extra of extras)
        if (random.chance(0.3)) log.add({ at: (at += 400), ...who, path: extra, bytes: 9000 });
      for (let burst = random.whole(1, 60); burst > 0 && left > 0 && at < site.until; burst--, left--) {
        at += random.lognormal(paceMs, 0.8);
        const old = random.chance(gone);
        log.add({
          at,
          ...who,
          path: old
            ? random.pick([
                `/archive/${random.whole(1, 9000)}.html`,
                `/?p=${random.whole(1, 9000)}`,
                `/tag/${random.hex(6)}/feed/`,
                `/index.php?id=${random.whole(1, 900)}`,
              ])
            : pathOf(),
          status: old ? (random.chance(0.8) ? 404 : 301) : random.chance(0.25) ? 304 : 200,
        });
      }
    }
  };
}

const unfurls =
  (times: number): Habit =>
  (site, who, pathOf) => {
    for (let i = 0; i < times; i++) {
      const at = site.random.between(site.from, site.until);
      site.log.add({ at, ...who, path: '/robots.txt', bytes: 110 });
      site.log.add({ at: at + 300, ...who, path: pathOf() });
      site.log.add({ at: at + 700, ...who, path: '/media/2024/cover.jpg', bytes: 80_000 });
    }
  };

const polls =
  (everyMs: number, path: string, method = 'GET', status = 200): Habit =>
  (site, who) =>
    poll(site, everyMs, everyMs / 50, { ...who, path, method, status, bytes: 800 });

/** Follows every link of some pages, broken ones too, in one go. */
const checksLinks: Habit = (site, who, pathOf) => {
  const { random, log } = site;
  let at = random.between(site.from, site.until - 20 * minute);
  for (let i = 0; i < 250; i++) {
    const broken = random.chance(0.2);
    log.add({
      at: (at += random.between(100, 900)),
      ...who,
      method: 'HEAD',
      path: broken ? `/downloads/v${random.whole(1, 60)}/file-${i}.zip` : pathOf(),
      status: broken ? 404 : 200,
      bytes: 0,
    });
  }
};

const validates: Habit = (site, who) => {
  let at = site.random.between(site.from, site.until);
  for (const path of ['Zx8k', 'pQ2v'])
    site.log.add({
      at: (at += 900),
      ...who,
      path: `/.well-known/acme-challenge/${path}${site.random.hex(36)}`,
      bytes: 87,
    });
};

const robots: readonly Robot[] = [
  {
    address: '66.249.66.1',
    agent: 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    habit: crawls(900, 0.15, 4_000, ['/sitemap.xml']),
  },
  {
    address: '66.249.66.2',
    agent:
      'Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.6367.60 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    habit: crawls(700, 0.1, 6_000),
  },
  { address: '66.249.66.3', agent: 'Googlebot-Image/1.0', habit: crawls(120, 0.3, 9_000) },
  {
    address: '157.55.39.10',
    agent:
      'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36',
    habit: crawls(800, 0.2, 2_000),
  },
  {
    address: '5.255.231.9',
    agent: 'Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)',
    habit: crawls(500, 0.2, 3_000, ['/sitemap.xml']),
  },
  {
    address: '17.58.98.4',
    agent:
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)',
    habit: crawls(150, 0.1, 8_000),
  },
  {
    address: '180.76.15.8',
    agent: 'Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)',
    habit: crawls(200, 0.4, 5_000),
  },
  {
    address: '54.36.148.1',
    agent: 'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)',
    habit: crawls(1_500, 0.25, 1_500),
  },
  {
    address: '185.191.171.2',
    agent: 'Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)',
    habit: crawls(900, 0.3, 1_200),
  },
  {
    address: '216.244.66.1',
    agent: 'Mozilla/5.0 (compatible; DotBot/1.2; +https://opensiteexplorer.org/dotbot; help@moz.com)',
    habit: crawls(300, 0.3, 4_000),
  },
  {
    address: '144.76.38.1',
    agent: 'Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)',
    habit: crawls(400, 0.35, 3_000),
  },
  {
    address: '114.119.134.1',
    agent:
      'Mozilla/5.0 (Linux; Android 7.0;) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; PetalBot;+https://webmaster.petalsearch.com/site/petalbot)',
    habit: crawls(300, 0.2, 10_000),
  },
  {
    address: '20.171.207.1',
    agent: 'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot)',
    habit: crawls(2_500, 0.1, 500),
  },
  { address: '18.97.9.1', agent: 'CCBot/2.0 (https://commoncrawl.org/faq/)', habit: crawls(1_200, 0.2, 2_500) },
  {
    address: '216.73.216.1',
    agent: 'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)',
    habit: crawls(2_000, 0.1, 700),
  },
  {
    address: '44.208.1.1',
    agent:
      'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)',
    habit: crawls(200, 0.1, 2_000),
  },
  {
    address: '57.141.0.2',
    agent: 'meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)',
    habit: crawls(3_000, 0.05, 400),
  },
  {
    address: '47.128.1.1',
    agent:
      'Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)',
    habit: crawls(1_800, 0.1, 900),
  },
  {
    address: '207.241.237.1',
    agent: 'Mozilla/5.0 (compatible; archive.org_bot +http://archive.org/details/archive.org_bot)',
    habit: crawls(400, 0.3, 1_000),
  },
  {
    address: '52.70.240.1',
    agent: 'Amazonbot/0.1 (+https://developer.amazon.com/support/amazonbot)',
    habit: crawls(600, 0.1, 3_000),
  },
  {
    address: '173.252.83.1',
    agent: 'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
    habit: unfurls(40),
  },
  { address: '199.16.157.1', agent: 'Twitterbot/1.0', habit: unfurls(20) },
  { address: '34.201.1.7', agent: 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)', habit: unfurls(10) },
  {
    address: '35.196.1.3',
    agent: 'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)',
    habit: unfurls(8),
  },
  {
    address: '108.174.2.200',
    agent: 'LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)',
    habit: unfurls(10),
  },
  { address: '149.154.161.1', agent: 'TelegramBot (like TwitterBot)', habit: unfurls(10) },
  { address: '88.99.1.1', agent: 'http.rb/5.1.1 (Mastodon/4.2.8; +https://social.example/)', habit: unfurls(15) },
  {
    address: '63.143.42.242',
    agent: 'Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)',
    habit: polls(5 * minute, '/', 'HEAD'),
  },
  {
    address: '178.255.153.2',
    agent: 'Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)',
    habit: polls(minute, '/'),
  },
  { address: '216.144.250.1', agent: 'StatusCake_Pagespeed_Indev', habit: polls(5 * minute, '/') },
  { address: '10.0.3.14', agent: 'ELB-HealthChecker/2.0', habit: polls(30_000, '/health') },
  {
    address: '10.2.1.4',
    agent: 'check_http/v2.3.1 (monitoring-plugins 2.3.1)',
    habit: polls(minute, '/intern', 'GET', 401),
  },
  { address: '192.0.2.7', agent: 'Wget/1.21.3', habit: polls(5 * minute, '/wp-cron.php?doing_wp_cron') },
  {
    address: '192.0.2.7',
    agent: 'WordPress/6.5.2; https://site.example',
    habit: polls(10 * minute, '/wp-cron.php?doing_wp_cron=1714', 'POST'),
  },
  {
    address: '65.19.138.1',
    agent: 'Feedly/1.0 (+http://www.feedly.com/fetcher.html; 41 subscribers; )',
    habit: polls(20 * minute, '/feed/', 'GET', 304),
  },
  { address: '213.239.1.1', agent: 'Tiny Tiny RSS/23.04 (https://tt-rss.org/)', habit: polls(15 * minute, '/feed/') },
  {
    address: '84.2.1.1',
    agent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) NetNewsWire/6.1',
    habit: polls(30 * minute, '/feed', 'GET', 301),
  },
  {
    address: '23.178.112.1',
    agent: "Mozilla/5.0 (compatible; Let's Encrypt validation server; +https://www.letsencrypt.org)",
    habit: validates,
  },
  { address: '91.65.4.4', agent: 'LinkChecker/10.2 (+https://linkchecker.github.io/linkchecker/)', habit: checksLinks },
  { address: '128.30.52.1', agent: 'W3C-checklink/5.0 libwww-perl/6.67', habit: checksLinks },
];

/** Some of the robots that any public site meets; `share` of all there are. */
export function welcomeRobots(site: Site, share: number, pathOf: () => string): void {
  for (const { habit, ...who } of robots) if (site.random.chance(share)) habit(site, who, pathOf);
  // Search engines come from many addresses.
  const more = site.random.fork('more crawlers');
  for (let i = 0; i < 6; i++)
    crawls(more.whole(20, 200), 0.2, 5_000)(
      site,
      { address: `66.249.7${i}.${i + 9}`, agent: robots[0]?.agent ?? '' },
      pathOf,
    );
}

/** Programs of people that name no crawler: a script of a customer, an app, a phone's mail program, a podcast client. */
export function homeMadePrograms(site: Site, pathOf: () => string): void {
  const { random, log } = site;
  poll(site, 5 * minute, 500, { address: '192.0.2.40', agent: 'curl/7.88.1', path: '/api/status', bytes: 90 });
  poll(site, hour, 500, {
    address: '192.0.2.41',
    agent: 'python-requests/2.31.0',
    path: '/export/prices.csv',
    bytes: 90_000,
  });
  poll(site, 15 * minute, 500, {
    address: '192.0.2.42',
    agent: 'Go-http-client/1.1',
    path: '/feed.json',
    status: 404,
    bytes: 90,
  });
  poll(site, 30 * minute, 9_000, {
    address: addressOf(9_990),
    agent: 'okhttp/4.12.0',
    path: '/api/v2/config?app=3.1',
    bytes: 700,
  });
  for (let i = 0; i < 6; i++) {
    const who = {
      address: addressOf(9_900 + i),
      agent: 'AppleCoreMedia/1.0.0.21E236 (iPhone; U; CPU OS 17_4_1 like Mac OS X; en_us)',
    };
    let at = random.between(site.from, site.until);
    for (let n = random.whole(3, 60); n > 0; n--)
      log.add({
        at: (at += random.between(200, 9_000)),
        ...who,
        path: '/media/episode-12.mp3',
        status: 206,
        bytes: 65_536,
      });
  }
  // A mirror script of a friend, at a friendly pace, that says nothing about itself.
  let at = random.between(site.from, site.until);
  for (let i = 0; i < 15; i++)
    log.add({ at: (at += random.between(1_000, 4_000)), address: '192.0.2.60', agent: 'Wget/1.21.3', path: pathOf() });
}

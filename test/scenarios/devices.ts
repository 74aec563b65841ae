/**
 * What requests of browsers, apps, tools and robots look like. Headers are those the real programs send (public
 * documentation of the fetch metadata, client hints and user agent formats); versions move with the seed.
 */
import type { Random } from './random.ts';

export type Headers = Readonly<Record<string, string>>;

const languages = [
  'en-US,en;q=0.9',
  'en-GB,en;q=0.8',
  'de-DE,de;q=0.9,en;q=0.6',
  'fr-FR,fr;q=0.9',
  'es-ES,es;q=0.9',
  'nl-NL,nl;q=0.9',
];

const fetchMetadata = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' };

/** Release that most desktop browsers run on this seed's day. */
export interface Releases {
  chrome: number;
  firefox: number;
  app: string;
}

export function drawReleases(random: Random): Releases {
  const app = `${random.whole(3, 6)}.${random.whole(0, 20)}.${random.whole(0, 9)}`;
  return { chrome: random.whole(124, 141), firefox: random.whole(125, 143), app };
}

export function chromeUserAgent(
  version: number,
  platform: 'Windows NT 10.0; Win64; x64' | 'X11; Linux x86_64' | 'Macintosh; Intel Mac OS X 10_15_7',
): string {
  return `Mozilla/5.0 (${platform}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.0.0 Safari/537.36`;
}

/** A person's browser, with everything it sends on the shop's own requests. */
export function browserHeaders(random: Random, releases: Releases): Headers {
  const language = { 'accept-language': random.pick(languages) };
  const accept = { accept: 'application/json, text/plain, */*' };
  return random.weighted<() => Headers>([
    [() => chromeHeaders(random, releases.chrome - (random.chance(0.2) ? 1 : 0), { ...accept, ...language }), 6],
    [
      () => ({
        'user-agent': `Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:${releases.firefox}.0) Gecko/20100101 Firefox/${releases.firefox}.0`,
        ...accept,
        'accept-encoding': 'gzip, deflate, br, zstd',
        ...language,
        ...fetchMetadata,
        te: 'trailers',
        referer: 'https://shop.example/',
      }),
      2,
    ],
    [
      () => ({
        'user-agent': `Mozilla/5.0 (iPhone; CPU iPhone OS 18_${random.whole(0, 6)} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.${random.whole(0, 6)} Mobile/15E148 Safari/604.1`,
        ...accept,
        'accept-encoding': 'gzip, deflate, br',
        ...language,
        ...fetchMetadata,
        referer: 'https://shop.example/',
      }),
      3,
    ],
  ])();
}

function chromeHeaders(random: Random, version: number, common: Headers): Headers {
  const platform = random.weighted([
    ['Windows NT 10.0; Win64; x64' as const, 7],
    ['Macintosh; Intel Mac OS X 10_15_7' as const, 3],
    ['X11; Linux x86_64' as const, 1],
  ]);
  return {
    'user-agent': chromeUserAgent(version, platform),
    ...common,
    'accept-encoding': 'gzip, deflate, br, zstd',
    'sec-ch-ua': `"Chromium";v="${version}", "Google Chrome";v="${version}", "Not.A/Brand";v="24"`,
    ...fetchMetadata,
    referer: 'https://shop.example/',
  };
}

/** The shop's own app: few headers, as apps have, and one user agent for all who updated. */
export function appHeaders(random: Random, version: string): Headers {
  const phone = random.pick([
    'Android 14; Pixel 8',
    'Android 15; SM-S921B',
    'iOS 18.2; iPhone15,2',
    'iOS 17.6; iPhone14,5',
  ]);
  return {
    'user-agent': `ShopApp/${version} (${phone})`,
    accept: 'application/json',
    'accept-encoding': 'gzip',
    'accept-language': random.pick(languages),
  };
}

/** A robot that says what it is. */
export function robotHeaders(name: string): Headers {
  return { 'user-agent': name, accept: '*/*' };
}

/**
 * A tool that wears a browser's user agent: what it forgets differs by tool and therefore by seed, that it forgets
 * something does not.
 */
export function disguisedTool(random: Random, userAgent: string): Headers {
  const optional: [string, string, number][] = [
    ['accept', random.pick(['*/*', 'application/json', 'application/json, text/plain, */*']), 0.9],
    ['accept-encoding', random.pick(['gzip, deflate', 'gzip, deflate, br']), 0.8],
    ['accept-language', random.pick(['en-US,en;q=0.9', 'en-US', 'en']), 0.35],
    ['referer', 'https://shop.example/', 0.3],
    ['origin', 'https://shop.example', 0.3],
    ['cache-control', 'no-cache', 0.25],
  ];
  const headers: Record<string, string> = { 'user-agent': userAgent };
  for (const [name, value, probability] of optional) if (random.chance(probability)) headers[name] = value;
  return headers;
}

/** A tool that does not hide. */
export function plainTool(random: Random): Headers {
  const agent = random.pick([
    'python-requests/2.32.3',
    'Go-http-client/1.1',
    'curl/8.9.1',
    'okhttp/4.12.0',
    'axios/1.7.7',
  ]);
  return { 'user-agent': agent, accept: '*/*', 'accept-encoding': 'gzip, deflate' };
}

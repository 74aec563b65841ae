/**
 * Published detection rules, written anew from their documentation as points of reference. They are not those products:
 * each sees a request's true outcome and user here, which in the field it often would not.
 */
import { type Baseline, countWithin, distinctWithin, type Times, type Values } from './baseline.ts';

const minute = 60_000;
const logins = ['credentialStuffing', 'bruteForce', 'distributedStuffing', 'passwordSpraying'] as const;

const awsAtp: Baseline<{ attempts: Times; failures: Times; sessions: Times }> = {
  name: 'AWS ATP counts',
  source: 'over 20 logins or 10 failed logins from an address in 10 min, over 20 logins of a session in 30 min',
  families: logins,
  start: () => ({ attempts: new Map(), failures: new Map(), sessions: new Map() }),
  observe(state, row, scale) {
    if (row.account === '') return undefined;
    const attempts = countWithin(state.attempts, row.address, row.at, 10 * minute);
    const failures = row.failedLogin ? countWithin(state.failures, row.address, row.at, 10 * minute) : 0;
    const session = row.session === '' ? 0 : countWithin(state.sessions, row.session, row.at, 30 * minute);
    if (attempts > 20 * scale || failures > 10 * scale) return `address ${row.address}`;
    return session > 20 * scale ? `session ${row.session}` : undefined;
  },
};

interface Bucket {
  level: number;
  at: number;
}

/** Fills by one, leaks one every `leakMs`; true when it overflows. */
function pour(buckets: Map<string, Bucket>, key: string, at: number, capacity: number, leakMs: number): boolean {
  const bucket = buckets.get(key) ?? { level: 0, at };
  bucket.level = Math.max(0, bucket.level - (at - bucket.at) / leakMs) + 1;
  bucket.at = at;
  buckets.set(key, bucket);
  return bucket.level > capacity;
}

const crowdsec: Baseline<{
  failures: Map<string, Bucket>;
  crawl: Map<string, Bucket>;
  probing: Map<string, Bucket>;
  crawled: Values;
  missing: Values;
}> = {
  name: 'CrowdSec buckets',
  source:
    'failed logins: capacity 5, leak 10 s; distinct paths read: capacity 40, leak 0.5 s; distinct 4xx: capacity 10, leak 10 s; all by address',
  families: [...logins, 'scraping', 'probing', 'objectEnumeration', 'excess'],
  start: () => ({
    failures: new Map(),
    crawl: new Map(),
    probing: new Map(),
    crawled: new Map(),
    missing: new Map(),
  }),
  observe(state, row, scale) {
    const { address, at, path } = row;
    const first = (values: Values): boolean => {
      const before = values.get(address)?.size ?? 0;
      return distinctWithin(values, address, path, at, 10 * minute) > before;
    };
    let over = row.failedLogin && pour(state.failures, address, at, 5 * scale, 10_000);
    if (row.account === '' && row.status < 400 && first(state.crawled))
      over = pour(state.crawl, address, at, 40 * scale, 500) || over;
    if (row.status >= 400 && row.status < 500 && first(state.missing))
      over = pour(state.probing, address, at, 10 * scale, 10_000) || over;
    return over ? `address ${address}` : undefined;
  },
};

const defender: Baseline<{ parameters: Values; known: Map<string, number>; since: number }> = {
  name: 'distinct parameters, 20 min',
  source:
    'distinct parameters of one operation by one address in 20 min against the most that history (up to 30 days) knows; the margin over it, a factor of 1.5 and 10 more, is assumed',
  families: ['objectEnumeration', 'scraping', 'excess'],
  start: () => ({ parameters: new Map(), known: new Map(), since: Number.NaN }),
  observe(state, row, scale) {
    if (Number.isNaN(state.since)) state.since = row.at;
    if (row.parameter === '' || row.status >= 400) return undefined;
    const count = distinctWithin(
      state.parameters,
      `${row.address} ${row.operation}`,
      row.parameter,
      row.at,
      20 * minute,
    );
    const most = state.known.get(row.operation) ?? 0;
    // The first day is history only.
    if (row.at - state.since < 24 * 60 * minute) {
      if (count > most) state.known.set(row.operation, count);
      return undefined;
    }
    return count > (most * 1.5 + 10) * scale ? `address ${row.address}` : undefined;
  },
};

interface Shares {
  since: number;
  total: number;
  bytes: number;
  byAddress: Map<string, { requests: number; bytes: number; errors: number }>;
}

const apigee: Baseline<{ short: Shares; day: Shares }> = {
  name: 'Apigee shares',
  source:
    'share of requests or of bytes within 5 min, share of errors within 24 h, by address; the shares themselves are not published: a quarter, of at least 100 requests, is assumed',
  families: ['scraping', 'excess', 'probing', 'credentialStuffing', 'bruteForce', 'objectEnumeration'],
  start: () => ({ short: freshShares(0), day: freshShares(0) }),
  observe(state, row, scale) {
    if (row.at - state.short.since >= 5 * minute) state.short = freshShares(row.at);
    if (row.at - state.day.since >= 24 * 60 * minute) state.day = freshShares(row.at);
    const failed = row.status >= 400 || row.failedLogin;
    const short = add(state.short, row.address, row.bytes, failed);
    const day = add(state.day, row.address, row.bytes, failed);
    const share = Math.min(0.95, 0.25 * scale);
    const flood = state.short.total >= 100 * scale && short.requests > share * state.short.total;
    const bulk = state.short.total >= 100 * scale && short.bytes > share * state.short.bytes;
    const guess = day.errors >= 100 * scale && day.errors > 0.5 * day.requests;
    return flood || bulk || guess ? `address ${row.address}` : undefined;
  },
};

function freshShares(since: number): Shares {
  return { since, total: 0, bytes: 0, byAddress: new Map() };
}

function add(shares: Shares, address: string, bytes: number, failed: boolean) {
  let own = shares.byAddress.get(address);
  if (!own) shares.byAddress.set(address, (own = { requests: 0, bytes: 0, errors: 0 }));
  shares.total++;
  shares.bytes += bytes;
  own.requests++;
  own.bytes += bytes;
  if (failed) own.errors++;
  return own;
}

const datadog: Baseline<{ account: Times; accountSources: Values; address: Times; addressUsers: Values }> = {
  name: 'Datadog login rules',
  source:
    'over 20 failures from over 5 addresses on an account, over 30 failures on at least 5 users from an address; the window is not stated with them: 10 min is assumed',
  families: logins,
  start: () => ({ account: new Map(), accountSources: new Map(), address: new Map(), addressUsers: new Map() }),
  observe(state, row, scale) {
    if (!row.failedLogin) return undefined;
    const window = 10 * minute;
    const account = countWithin(state.account, row.account, row.at, window);
    const sources = distinctWithin(state.accountSources, row.account, row.address, row.at, window);
    const address = countWithin(state.address, row.address, row.at, window);
    const users = distinctWithin(state.addressUsers, row.address, row.account, row.at, window);
    if (address > 30 * scale && users >= 5) return `address ${row.address}`;
    return account > 20 * scale && sources > 5 ? `account ${row.account}` : undefined;
  },
};

export const baselines: readonly Baseline[] = [awsAtp, crowdsec, defender, apigee, datadog] as Baseline[];
/** Multiples of the published thresholds that are run, to find the one with as few benign alerts as ours. */
export const scales = [1, 2, 4, 8, 16] as const;

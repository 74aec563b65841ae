import { describe, expect, it } from 'vitest';
import { type Completeness, createCompleteness } from './completeness.ts';
import { fetchEnvoyCounters, parseEnvoyCounters } from './envoy-counters.ts';

const T = 1_790_000_000_000;
const edge = { node: 'envoy-1', prefix: 'edge' };

function arrive(completeness: Completeness, count: number, completedAtMs: number) {
  for (let i = 0; i < count; i++) completeness.seen(edge, completedAtMs, 'shop/shop');
}

function begin(completeness: Completeness, completed = 1_000) {
  completeness.sample(edge, { completed, uptimeS: 100, atMs: T });
  completeness.report(T + 3_000);
}

describe('completeness', () => {
  it('is unknown without a counter, however much arrives', () => {
    const completeness = createCompleteness();
    arrive(completeness, 10, T);
    expect(completeness.report(T + 60_000)).toMatchObject([
      { ...edge, status: 'Unknown', reason: 'NoCounter', ratio: Number.NaN },
    ]);
  });

  it('compares what was completed since the epoch with what arrived for it', () => {
    const completeness = createCompleteness();
    arrive(completeness, 5, T - 1);
    begin(completeness);
    arrive(completeness, 90, T + 5_000);
    completeness.sample(edge, { completed: 1_100, uptimeS: 110, atMs: T + 10_000 });
    expect(completeness.report(T + 10_000)).toMatchObject([{ status: 'Unknown', reason: 'NotYetJudged' }]);
    // Held back by Envoy when the sample was taken; and one that was completed after it.
    arrive(completeness, 4, T + 9_900);
    arrive(completeness, 1, T + 10_500);
    expect(completeness.report(T + 13_000)).toMatchObject([
      { status: 'Known', seen: 94, expected: 100, ratio: 0.94, sinceMs: T },
    ]);
  });

  it('begins a new epoch when the process is another one', () => {
    const completeness = createCompleteness();
    begin(completeness);
    completeness.sample(edge, { completed: 1_010, uptimeS: 110, atMs: T + 10_000 });
    expect(completeness.report(T + 13_000)).toMatchObject([{ status: 'Known', ratio: 0 }]);
    completeness.sample(edge, { completed: 2_000, uptimeS: 3, atMs: T + 20_000 });
    expect(completeness.report(T + 23_000)).toMatchObject([{ status: 'Unknown', reason: 'NotYetJudged' }]);
    arrive(completeness, 7, T + 24_000);
    completeness.sample(edge, { completed: 2_007, uptimeS: 13, atMs: T + 30_000 });
    expect(completeness.report(T + 33_000)).toMatchObject([{ status: 'Known', seen: 7, expected: 7, ratio: 1 }]);
  });

  it('is unknown while nothing was completed, and when more arrives than was completed', () => {
    const completeness = createCompleteness();
    begin(completeness);
    completeness.sample(edge, { completed: 1_000, uptimeS: 110, atMs: T + 10_000 });
    expect(completeness.report(T + 13_000)).toMatchObject([{ status: 'Unknown', reason: 'NoRequests' }]);
    arrive(completeness, 50, T + 14_000);
    completeness.sample(edge, { completed: 1_010, uptimeS: 120, atMs: T + 20_000 });
    expect(completeness.report(T + 23_000)).toMatchObject([{ status: 'Unknown', reason: 'SeenMoreThanCompleted' }]);
  });

  it('judges even when samples come faster than the lag', () => {
    const completeness = createCompleteness();
    for (let i = 0; i <= 100; i++) {
      completeness.sample(edge, { completed: i, uptimeS: i, atMs: T + i * 500 });
      arrive(completeness, 1, T + i * 500 + 100);
    }
    const [report] = completeness.report(T + 60_000);
    expect(report).toMatchObject({ status: 'Known', ratio: 1 });
  });

  it('keeps what a restart of ours lost visible, through its state', () => {
    const before = createCompleteness();
    begin(before);
    arrive(before, 10, T + 1_000);
    const after = createCompleteness({ state: JSON.parse(JSON.stringify(before.state())) });
    after.sample(edge, { completed: 1_020, uptimeS: 110, atMs: T + 10_000 });
    expect(after.report(T + 13_000)).toMatchObject([{ status: 'Known', seen: 10, expected: 20, ratio: 0.5 }]);
  });

  it('gives an API the least of the connection managers that serve it', () => {
    const completeness = createCompleteness();
    const inner = { node: 'envoy-2', prefix: 'inner' };
    const managers = [edge, inner];
    const sample = (completed: number, atMs: number) =>
      managers.forEach((manager) => completeness.sample(manager, { completed, uptimeS: atMs / 1000, atMs }));
    sample(0, T);
    completeness.report(T + 3_000);
    for (let i = 0; i < 100; i++) {
      completeness.seen(edge, T + 5_000, i < 50 ? 'a' : 'b');
      if (i < 80) completeness.seen(inner, T + 5_000, i < 50 ? 'b' : 'c');
    }
    expect(completeness.ofApi('a', T + 6_000)).toBeUndefined();
    sample(100, T + 10_000);
    const reports = completeness.report(T + 13_000);
    expect(reports.map(({ prefix, ratio, apis }) => [prefix, ratio, apis])).toEqual([
      ['edge', 1, ['a', 'b']],
      ['inner', 0.8, ['b', 'c']],
    ]);
    expect(['a', 'b', 'c', 'd'].map((api) => completeness.ofApi(api, T + 13_000))).toEqual([1, 0.8, 0.8, undefined]);
    // A manager without a counter: nobody knows what it lost of the API.
    completeness.seen({ node: 'envoy-3', prefix: 'edge' }, T + 13_000, 'a');
    expect(completeness.ofApi('a', T + 13_000)).toBeUndefined();
    // It no longer serves the API.
    completeness.seen(edge, T + 700_000, 'a');
    expect(completeness.ofApi('a', T + 700_000)).toBe(1);
    expect(completeness.ofApi('b', T + 700_000)).toBeUndefined();
  });

  it('follows a bounded number of connection managers', () => {
    const completeness = createCompleteness({ maxManagers: 3 });
    for (let i = 0; i < 10; i++) completeness.seen({ node: `n${i}`, prefix: 'p' }, T, '');
    expect(completeness.report(T)).toHaveLength(3);
  });
});

describe('envoy counters', () => {
  const signal = new AbortController().signal;

  it('are read from the admin interface, its own connection manager left out', async () => {
    const urls: string[] = [];
    const counters = await fetchEnvoyCounters(
      'http://127.0.0.1:9901',
      async (url) => {
        urls.push(url);
        const stats = [
          { name: 'server.uptime', value: 12 },
          { name: 'http.edge.v2.downstream_rq_completed', value: 34 },
          { name: 'http.admin.downstream_rq_completed', value: 5 },
          { histograms: {} },
        ];
        return { ok: true, status: 200, text: async () => JSON.stringify({ stats }) };
      },
      signal,
    );
    expect(counters).toEqual({ uptimeS: 12, completed: new Map([['edge.v2', 34]]) });
    expect(urls[0]).toMatch(/^http:\/\/127\.0\.0\.1:9901\/stats\?format=json&filter=/);
  });

  it('say whose reply could not be used', async () => {
    expect(() => parseEnvoyCounters('{"stats":[]}')).toThrow('no server.uptime');
    const broken = async () => ({ ok: false, status: 503, text: async () => '' });
    await expect(fetchEnvoyCounters('http://e', broken, signal)).rejects.toThrow(
      'no counters from http://e: status 503',
    );
    const html = async () => ({ ok: true, status: 200, text: async () => '<html>' });
    await expect(fetchEnvoyCounters('http://e', html, signal)).rejects.toMatchObject({ code: 'Unavailable' });
  });
});

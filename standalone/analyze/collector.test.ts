import { readFileSync } from 'node:fs';
import { Level, PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { createCollector } from './collector.ts';
import { evidenceKey, limits } from './gathered.ts';
import { pseudonymise } from './pseudonymise.ts';
import {
  api,
  attackedShop,
  attacker,
  createRandom,
  dayStartMs,
  finding,
  hostileShop,
  pseudonymFor,
  quietShop,
  request,
  runSummary,
  verdict,
} from './testing/shop-day.ts';

const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(new URL('../../docs/reference/analyze.schema.json', import.meta.url), 'utf8')),
);

describe('the result of an analysis', () => {
  it.each([
    ['an attacked shop', attackedShop],
    ['four quiet days', () => quietShop(4)],
    ['hostile text', hostileShop],
    ['nothing at all', () => createCollector().build(runSummary())],
    ['an attacked shop with values hidden', () => pseudonymise(attackedShop())],
  ])('matches its schema: %s', (_, build) => {
    const result = JSON.parse(JSON.stringify(build()));
    validate(result);
    expect(validate.errors ?? []).toEqual([]);
  });

  it('counts every request once, per operation, in the series and in total', () => {
    const r = attackedShop();
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    expect(r.requests).toBe(24_420);
    expect(sum(r.operations.map((o) => o.count))).toBe(r.requests);
    expect(sum(r.series.requests)).toBe(r.requests);
    expect(r.apis[0]?.requests).toBe(r.requests);
  });

  it('gives quantiles within two percent of the exact ones', () => {
    const c = createCollector();
    const random = createRandom(3);
    const durations = Array.from({ length: 5_000 }, () => Math.exp(random() * 8));
    durations.forEach((durationMs, i) =>
      c.onObservation(request({ seq: i, durationMs, eventAtMs: dayStartMs + i * 50 })),
    );
    const exact = durations.sort((a, b) => a - b);
    const { p50Ms, p99Ms } = c.build(runSummary()).totals;
    expect(Math.abs((p50Ms ?? 0) / (exact[2_499] ?? 1) - 1)).toBeLessThan(0.025);
    expect(Math.abs((p99Ms ?? 0) / (exact[4_949] ?? 1) - 1)).toBeLessThan(0.025);
  });

  it('says null where the log has no durations or sizes', () => {
    const c = createCollector();
    c.onObservation(request({ durationMs: Number.NaN, responseBytes: Number.NaN }));
    const r = c.build(runSummary());
    expect(r.totals).toMatchObject({ p50Ms: null, responseBytes: null });
    expect(r.operations[0]).toMatchObject({ p50Ms: null, p99Ms: null, responseBytes: null });
  });

  it('keeps the peak of a verdict that decays, its level changes and its first decision', () => {
    const c = createCollector();
    for (const [score, level, at] of [
      [40, Level.ELEVATED, 0],
      [92, Level.CRITICAL, 60_000],
      [12, Level.NONE, 7_200_000],
    ] as const)
      c.onVerdict(verdict({ score, level, lastSeen: dayStartMs + at }));
    const v = c.build(runSummary()).verdicts[0];
    expect(v).toMatchObject({ score: 92, level: 'Critical', scoreAtEnd: 12, levelAtEnd: 'None' });
    expect(v?.levelChanges.map((l) => l.level)).toEqual(['Elevated', 'Critical', 'None']);
    expect(v?.decision?.action).toBe('Deny');
  });

  it('shares out the score among findings so that shares add up to one', () => {
    const shares = attackedShop().verdicts[0]?.findings.map((f) => f.share) ?? [];
    expect(shares).toHaveLength(2);
    expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 3);
  });

  it('shows lines that findings point at, with file and number', () => {
    const samples = attackedShop().verdicts.find((v) => v.principal.pseudonym === attacker)?.samples ?? [];
    expect(samples.map((s) => s.line)).toEqual(expect.arrayContaining([24_004, 24_101, 24_420]));
    expect(samples.every((s) => s.text.startsWith('203.0.113.7'))).toBe(true);
  });

  it('shows several requests of one document', () => {
    const c = createCollector();
    for (let i = 0; i < 3; i++)
      c.onObservation(request({ seq: i, line: 1, text: `request ${i}`, status: 500, eventAtMs: dayStartMs + i }));
    c.onVerdict(verdict({ pseudonym: pseudonymFor(1) }));
    const { verdicts } = c.build(runSummary());
    expect(verdicts[0]?.samples.map((s) => s.text)).toEqual(['request 0', 'request 1', 'request 2']);
  });

  it('counts every API, and leaves out inferred ones without requests', () => {
    const c = createCollector();
    const names = Array.from({ length: 70 }, (_, i) => `default/api-${i}`);
    for (const [seq, name] of names.entries()) c.onObservation(request({ seq, api: name }));
    const one = (name: string, source: 'inferred' | 'manifests') => ({ name, hosts: [], source, facts: [] });
    const apis = [
      ...names.map((n) => one(n, 'inferred')),
      one('default/idle', 'inferred'),
      one('default/m', 'manifests'),
    ];
    const r = c.build(runSummary({ apis }));
    expect(r.apis.filter((a) => a.requests === 1)).toHaveLength(70);
    expect(r.apis.map((a) => a.name)).not.toContain('default/idle');
    expect(r.apis.at(-1)).toMatchObject({ name: 'default/m', requests: 0 });
    expect(r.notes.join()).toContain('Spikes were looked for in 64 of the 70 APIs');
  });

  it('tells what a principal did on each API apart', () => {
    const c = createCollector();
    const others = 'default/others';
    for (let i = 0; i < 12; i++) c.onObservation(request({ seq: i, line: i, api: i % 3 === 0 ? others : api }));
    for (const of of [api, others])
      c.onVerdict(verdict({ name: of, api: of, pseudonym: pseudonymFor(1), requests: 1 }));
    const r = c.build(runSummary());
    const told = r.verdicts.map((v) => [
      v.api,
      v.requests,
      v.samples.every((s) => (s.line % 3 === 0) === (v.api === others)),
    ]);
    expect(told).toHaveLength(2);
    expect(told).toContainEqual([others, 4, true]);
    expect(told).toContainEqual([api, 8, true]);
    expect(r.principalsSeen).toEqual([{ kind: 'Address', count: 1 }]);
  });

  it('counts what decisions would have met and whom in good standing', () => {
    expect(attackedShop().wouldAct.actions).toEqual([
      { action: 'Throttle', principals: 1, requests: 60, ordinaryPrincipals: 1, ordinaryRequests: 1 },
      { action: 'Deny', principals: 1, requests: 220, ordinaryPrincipals: 1, ordinaryRequests: 2 },
    ]);
  });

  it('holds a risk until the next judgement of the same principal', () => {
    const c = createCollector();
    for (let i = 0; i < 60; i++) c.onObservation(request({ seq: i, eventAtMs: dayStartMs + i * 10_000 }));
    c.onVerdict(verdict({ score: 50, level: Level.ELEVATED, lastSeen: dayStartMs + 100_000 }));
    c.onVerdict(verdict({ score: 20, level: Level.LOW, lastSeen: dayStartMs + 300_000 }));
    const { at, risk, atRisk } = c.build(runSummary()).series;
    const value = (ms: number, of: number[]) => of[at.indexOf(new Date(dayStartMs + ms).toISOString())];
    expect([value(90_000, risk), value(200_000, risk), value(400_000, risk)]).toEqual([0, 50, 0]);
    expect([value(90_000, atRisk), value(200_000, atRisk), value(400_000, atRisk)]).toEqual([0, 1, 0]);
  });

  it('stays bounded under floods of operations, principals, APIs, rejects and verdicts', () => {
    const c = createCollector();
    for (let i = 0; i < 30_000; i++) {
      c.onObservation(
        request({
          seq: i,
          api: `ns/api-${i % 300}`,
          template: `/flood/${i}`,
          eventAtMs: dayStartMs + i * 977_000,
          principals: [evidenceKey(PrincipalKind.ADDRESS, pseudonymFor(i))],
          text: 'x'.repeat(5_000),
        }),
      );
      c.onRejected({ file: 'a.log', line: i, reason: `reason ${i}` });
    }
    for (let i = 0; i < limits.verdicts + 500; i++)
      c.onVerdict(
        verdict({ pseudonym: pseudonymFor(i), score: i % 100, findings: [finding({ pseudonym: pseudonymFor(i) })] }),
      );
    const r = c.build(runSummary());
    expect(r.operations.length).toBeLessThanOrEqual(limits.operations + 1);
    expect(r.operations.reduce((n, o) => n + o.count, 0)).toBe(30_000);
    expect(r.series.at.length).toBeLessThanOrEqual(limits.chartBuckets);
    expect(r.rejected).toHaveLength(limits.rejected);
    expect(r.rejectedCount).toBe(30_000);
    expect(r.rejectedByReason.reduce((n, x) => n + x.count, 0)).toBe(30_000);
    expect(r.verdicts.length).toBeLessThanOrEqual(limits.verdicts);
    expect(r.notes.join(' ')).toMatch(/share the row \(other\)/);
    const seen = r.principalsSeen[0]?.count ?? 0;
    expect(Math.abs(seen / 30_000 - 1)).toBeLessThan(0.02);
  }, 30_000);

  it('does not let one absurd timestamp flatten the charts, and says so', () => {
    const c = createCollector();
    for (let i = 0; i < 5_000; i++) c.onObservation(request({ seq: i, eventAtMs: dayStartMs + i * 1_000 }));
    c.onObservation(request({ seq: 5_000, eventAtMs: 0 }));
    const r = c.build(runSummary());
    expect(r.from).toBe('1970-01-01T00:00:00.000Z');
    expect(r.series.at.length).toBeGreaterThan(40);
    expect(r.notes[0]).toMatch(/^1 requests lie so far/);
  });

  it('builds a report so far and goes on', () => {
    const c = createCollector();
    c.onObservation(request());
    expect(c.build(runSummary({ interrupted: true }))).toMatchObject({ requests: 1, interrupted: true });
    c.onObservation(request({ seq: 2 }));
    expect(c.build(runSummary())).toMatchObject({ requests: 2, interrupted: false });
  });
});

describe('hidden values', () => {
  it('leave no trace of an address, account or raw line anywhere', () => {
    const text = JSON.stringify(pseudonymise(attackedShop()));
    expect(text).not.toContain('203.0.113');
    expect(text).not.toContain('198.51.100');
    expect(text).not.toMatch(/192\.0\.2\./);
    expect(text).not.toContain('Mozilla');
    expect(text).toContain(attacker);
  });

  it('are replaced in operations, facts and reasons as well', () => {
    const c = createCollector();
    c.onObservation(request({ template: '/users/alice@example.com/2001:db8::7' }));
    c.onVerdict(verdict({ benignIf: '203.0.113.7 is your monitor' }));
    c.onRejected({ file: 'a', line: 1, reason: 'bad address 203.0.113.7' });
    const text = JSON.stringify(pseudonymise(c.build(runSummary())));
    expect(text).not.toMatch(/alice|2001:db8|203\.0\.113/);
    expect(text).toContain(`Address/${attacker.slice(0, 8)} is your monitor`);
  });
});

it('names the API in verdict and operation alike', () => {
  const r = attackedShop();
  expect(new Set([...r.verdicts.map((v) => v.api), ...r.operations.map((o) => o.api)])).toEqual(new Set([api]));
});

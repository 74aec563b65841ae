/** The admin port of a running Picket that learned from a log in which somebody guesses passwords. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { metricCatalogue } from '@picket/runtime/metric-catalogue.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guessingLog } from '../support/guessing-log.ts';
import { type Picket, removePicket, startPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';

const manifest = `
apiVersion: picket.dev/v1alpha1
kind: ProtectedAPI
metadata: { name: site, namespace: default }
spec:
  hosts: ["*"]
  flows:
    - { name: login, type: Login, match: { method: POST, path: /login }, success: { anyOf: [{ status: [302] }] } }
---
apiVersion: picket.dev/v1alpha1
kind: BehaviorPolicy
metadata: { name: site, namespace: default }
spec:
  targetRefs: [{ kind: ProtectedAPI, name: site }]
  mode: DryRun
  responses: [{ level: Elevated, action: Tag, for: 30m }]
`;

/** What only replicas of the operator have. */
const absentWithoutReplicas = ['picket_operator_leading'];
/** What only an Envoy that is connected, or trouble, brings about. */
const absentWithoutEnvoy = [
  'picket_ingest_dropped_total',
  'picket_ingest_completeness_ratio',
  'picket_ingest_in_flight_requests',
  'picket_enforce_answers_total',
];

describe('admin port', () => {
  const log = guessingLog(Date.now() - 10_000);
  let picket: Picket;

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'picket-admin-'));
    const manifests = join(folder, 'manifests');
    mkdirSync(manifests);
    writeFileSync(join(manifests, 'site.yaml'), manifest);
    writeFileSync(join(folder, 'access.log'), log);
    picket = await startPicket({ manifests, folder, args: ['--history', join(folder, 'access.log')] });
  });

  afterAll(async () => {
    await picket?.stop();
    removePicket(picket);
  });

  async function metrics(): Promise<Map<string, number>> {
    const response = await fetch(`${picket.adminUrl}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain');
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith('picket_'));
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
  }

  it('feeds every metric of the catalogue', async () => {
    const samples = [...(await metrics()).keys()].map((name) =>
      name.replace(/\{.*/, '').replace(/_(bucket|sum|count)$/, ''),
    );
    const silent = Object.keys(metricCatalogue).filter((name) => !samples.includes(name));
    const absent = [...absentWithoutEnvoy, ...absentWithoutReplicas];
    expect(silent.filter((name) => !absent.includes(name))).toEqual([]);
  });

  it('accounts for every line of the log, and says so in metrics, status and on the page', async () => {
    const lines = log.trimEnd().split('\n').length;
    await waitFor('rows stored', async () => {
      const now = await metrics();
      return now.get('picket_ingest_held_records') === 0 ? true : undefined;
    });
    const now = await metrics();
    expect(now.get('picket_ingest_received_total{feed="replay"}')).toBe(lines);
    expect(now.get('picket_ingest_stored_total')).toBe(lines);
    expect(now.get('picket_api_requests_total{api="default/site"}')).toBe(lines);
    expect((await picket.status()).ledger).toMatchObject({ received: lines, stored: lines, dropped: 0, held: 0 });
    const page = await (await fetch(`${picket.adminUrl}/`)).text();
    expect(page).toContain('default/site');
  });

  it('counts the guessing: a finding, a verdict, a score', async () => {
    const now = await metrics();
    expect(now.get('picket_detect_findings_total{detector="bruteForce"}')).toBeGreaterThan(0);
    expect(now.get('picket_api_risk_score{api="default/site"}')).toBeGreaterThan(40);
  });

  it('answers probes, and strangers not at all', async () => {
    expect((await fetch(`${picket.adminUrl}/healthz`)).status).toBe(200);
    expect((await fetch(`${picket.adminUrl}/readyz`)).status).toBe(200);
    expect((await fetch(`${picket.adminUrl}/nothing`)).status).toBe(404);
    expect((await fetch(`${picket.adminUrl}/api/v1/objects/RiskVerdict`, { method: 'DELETE' })).status).toBe(405);
  });

  it('keeps the values of callers out of its log, and its files to itself', () => {
    const log = readFileSync(picket.process.logPath, 'utf8');
    expect(log).toContain('ready');
    expect(log).not.toContain('198.51.100.7');
    const data = join(picket.folder, 'data');
    const names = readdirSync(data);
    expect(names).toEqual(expect.arrayContaining(['keys.json', 'store', 'store-endpoint.json']));
    expect(['.', ...names].filter((name) => (statSync(join(data, name)).mode & 0o077) !== 0)).toEqual([]);
  });
});

/** From a log to GitOps: what `--manifests-out` writes is taken back unchanged, and stopping early still reports. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProtectedAPI } from '@picket/crds/gen/types.ts';
import { runAnalyze } from '@picket/standalone/analyze/run.ts';
import { compileManifests } from '@picket/standalone/up/compile-manifests.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { siteAttacks } from '../scenarios/sites/site-attacks.ts';
import { ordinarySites } from '../scenarios/sites/sites.ts';
import { startPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { silentHost } from '../support/silent-host.ts';

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'analyze-manifests-'));
  file = join(folder, 'access.log');
  const site = ordinarySites.wordpressBlog({ seed: 31, people: 60, days: 0.3 });
  siteAttacks['wordpressSteady']?.(site, site.from + 3_600_000);
  writeFileSync(file, site.log.json('blog.example'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const options = () => ({ files: [file], top: 10, pseudonymise: false, progress: false, workers: 0 });
const run = (more: object, stop = new AbortController()) =>
  runAnalyze({ ...options(), ...more }, stop.signal, silentHost(folder));

it('starter manifests compile without a problem and find what inference found', async () => {
  const manifests = join(folder, 'manifests');
  const inferred = await run({ manifestsOut: manifests });
  const { policies, problems } = await compileManifests(manifests, 'test');
  expect(problems).toEqual([]);
  expect(policies.map((p) => p.hosts)).toContainEqual(['blog.example']);
  const stated = await run({ manifests });
  const attacker = (r: typeof stated) => r.verdicts.find((v) => v.principal.value === '185.220.101.7')?.level;
  expect(stated.apis.every((a) => a.source === 'manifests')).toBe(true);
  expect(attacker(stated)).toBe(attacker(inferred));
  expect(attacker(stated)).toBe('Critical');

  // And what runs for long takes them too: from a log to a running Picket without a line of YAML by hand.
  const picket = await startPicket({ manifests, folder });
  try {
    const apis = await waitFor('the API accepted', async () => {
      const all = await picket.list<ProtectedAPI>('ProtectedAPI');
      return all.length > 0 && all.every((api) => conditionOf(api, 'Accepted') === 'True') ? all : undefined;
    });
    expect(apis.map((api) => api.spec.hosts)).toContainEqual(['blog.example']);
    expect((await picket.status()).problems).toBe(0);
  } finally {
    await picket.stop();
  }
}, 90_000);

function conditionOf(api: ProtectedAPI, type: string): string | undefined {
  return api.status?.conditions?.find((condition) => condition.type === type)?.status;
}

it('reads only the span that is asked for', async () => {
  const all = await run({});
  const from = Date.parse(all.from as string);
  const part = await run({ sinceMs: from + 7_200_000, untilMs: from + 10_800_000 });
  expect(part.requests).toBeGreaterThan(0);
  expect(part.requests).toBeLessThan(all.requests);
  expect(part.verdicts.map((v) => v.principal.value)).not.toContain('185.220.101.7');
});

/** What a running Picket does with a verdict: refuse, stop refusing, and tell the truth about both. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resourceNames } from '@picket/operator/envoy/render/names.ts';
import { type Picket, runPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import {
  answered,
  answerTo,
  api,
  caller,
  configDump,
  createStage,
  ordinaryTraffic,
  policy,
  provoke,
  type Stage,
  stuff,
} from './stage.ts';

const { missing } = findTool('envoy');

describe.skipIf(missing !== undefined)(`enforcement by a running Picket${missing ? ` (${missing})` : ''}`, () => {
  let stage: Stage;
  let picket: Picket;
  let people: ReturnType<typeof ordinaryTraffic>;

  beforeAll(async () => {
    stage = await createStage('Observe');
    picket = await stage.start();
    people = ordinaryTraffic(picket.ports.traffic);
  });
  afterAll(async () => {
    const traffic = await people?.stop();
    await picket?.stop();
    await stage?.close();
    expect(traffic?.sent).toBeGreaterThan(50);
    expect(traffic?.bad).toEqual([]);
  });

  const mode = async (name: string, options: Parameters<typeof policy>[1] = {}): Promise<void> => {
    stage.write('policy.yaml', policy(name, options));
    await waitFor(`mode ${name} in force`, async () => {
      const found = await picket.policy('shop');
      return found?.spec.mode === name &&
        found.spec.responses[0]?.for === (options.denyFor ?? '10m') &&
        found.status?.observedGeneration === found.metadata.generation
        ? true
        : undefined;
    });
    // Status is the operator's word; the analyzer takes the policy over at its next tick.
    await sleep(3_000);
  };
  const verdictOn = (address: string, before: Set<string>, settled: (level: string) => boolean) =>
    waitFor(`verdict on ${address}`, async () =>
      (await picket.verdicts()).find((v) => !before.has(v.metadata.name) && settled(v.status?.level ?? 'None')),
    );
  const names = async (): Promise<Set<string>> => new Set((await picket.verdicts()).map((v) => v.metadata.name));
  const verdict = async (name: string) => (await picket.verdicts()).find((v) => v.metadata.name === name);

  test('Observe: a Critical attack changes nothing in Envoy, and every request is answered', async () => {
    const before = await waitFor('every filter delivered', async () => {
      const dump = await configDump(picket);
      return resourceNames.every((name) =>
        JSON.stringify(dump).includes(
          `"ecds_filter":{"@type":"type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig","name":"${name}"`,
        ),
      )
        ? dump
        : undefined;
    });
    const known = await names();
    const answers = await stuff(picket.ports.traffic, '127.66.1.1', 60);
    const found = await verdictOn('127.66.1.1', known, (level) => level === 'Critical');
    expect(found.status?.decision).toBeUndefined();
    expect(found.status?.enforceable).toMatchObject({ ok: false, reason: 'Observe' });
    answers.push(...(await stuff(picket.ports.traffic, '127.66.1.1', 20)));
    expect(new Set(answers)).toEqual(new Set([200]));
    expect(await configDump(picket)).toEqual(before);
  });

  test('DryRun: what it would do is in status and in Envoy only as a class that nothing acts on', async () => {
    const before = await configDump(picket);
    await mode('DryRun');
    const known = await names();
    const answers = await stuff(picket.ports.traffic, '127.66.2.1', 60);
    const found = await verdictOn('127.66.2.1', known, (level) => level === 'Critical');
    const told = await waitFor('a dry decision', async () => {
      const now = await verdict(found.metadata.name);
      return now?.status?.decision ? now : undefined;
    });
    expect(told.status?.decision).toMatchObject({ action: 'Deny', mode: 'DryRun' });
    await waitFor('the policy tells', async () =>
      ((await picket.policy('shop'))?.status?.activity?.wouldAct ?? 0) > 0 ? true : undefined,
    );
    const status = (await picket.policy('shop'))?.status;
    expect(status?.activity?.acting).toBe(0);
    expect(status?.conditions?.find((c) => c.type === 'Enforced')).toMatchObject({ status: 'False', reason: 'DryRun' });
    answers.push(...(await stuff(picket.ports.traffic, '127.66.2.1', 20)));
    expect(new Set(answers)).toEqual(new Set([200]));
    const after = await configDump(picket);
    expect(JSON.stringify(after)).toContain('dry-deny.');
    expect(JSON.stringify(after)).not.toContain('"DENY"');
    expect(withoutShadow(after)).toEqual(withoutShadow(before));
    // What the shadow matcher says reaches the stationary filters as a class: only those names do something.
    for (const name of shadowActions(after)) expect(name).toMatch(/^(dry-|ok$)/);
  });

  test('Enforce: the same caller is refused, and the verdict says on how many Envoys', async () => {
    await mode('Enforce');
    await stuff(picket.ports.traffic, '127.66.2.1', 10);
    await answered(picket, '127.66.2.1', 403);
    const found = await provoke(picket, '127.66.3.1');
    expect(found.spec.principal.kind).toBe('Address');
    expect(found.status?.decision).toMatchObject({ action: 'Deny', mode: 'Enforce' });
    const told = await waitFor('acknowledgement in status', async () => {
      const now = await verdict(found.metadata.name);
      return now?.status?.enforcement?.programmedEnvoys === 1 ? now : undefined;
    });
    expect(told.status?.enforcement).toMatchObject({ programmedEnvoys: 1, totalEnvoys: 1 });
    expect(told.status?.conditions?.find((c) => c.type === 'Programmed')).toMatchObject({ status: 'True' });
    const shown = await runPicket(['risk', 'explain', found.metadata.name, '--admin', picket.adminUrl]);
    expect(shown.code).toBe(0);
    expect(shown.out).toContain('in force on 1 of 1 Envoys');
  });

  test('a review as false positive lifts the decision at once and shows as a condition', async () => {
    const found = await provoke(picket, '127.66.4.1');
    const { name } = found.metadata;
    const reviewed = await runPicket([
      ...['risk', 'review', name, '--false-positive', '--by', 'ops', '--note', 'load test'],
      ...['--admin', picket.adminUrl],
    ]);
    expect(reviewed.err).toBe('');
    expect(reviewed).toMatchObject({ code: 0, out: `${name} reviewed as FalsePositive\n` });
    await answered(picket, '127.66.4.1', 200);
    const told = await waitFor('condition Reviewed', async () => {
      const now = await verdict(name);
      return now?.status?.conditions?.some((c) => c.type === 'Reviewed' && c.status === 'True') ? now : undefined;
    });
    expect(told.status?.conditions?.find((c) => c.type === 'Reviewed')?.reason).toBe('FalsePositive');
    expect(told.status?.decision).toBeUndefined();
    expect(told.status?.conditions?.find((c) => c.type === 'Active')).toMatchObject({ status: 'False' });
    await stuff(picket.ports.traffic, '127.66.4.1', 20);
    expect(await answerTo(picket, '127.66.4.1')).toBe(200);
  });

  test('an exemption applied live lifts the decision, and its end gives the evidence its consequence again', async () => {
    await provoke(picket, '127.66.5.1');
    stage.write('exemption.yaml', exemption('127.66.5.0/24', Date.now() + 600_000));
    await answered(picket, '127.66.5.1', 200);
    await stuff(picket.ports.traffic, '127.66.5.1', 20);
    expect(await answerTo(picket, '127.66.5.1')).toBe(200);
    stage.write('exemption.yaml', exemption('127.66.5.0/24', Date.now() + 2_000));
    await waitFor('condition Expired', async () => {
      const [found] = await picket.list<{ status?: { conditions?: { type: string; status: string }[] } }>(
        'PolicyExemption',
      );
      return found?.status?.conditions?.some((c) => c.type === 'Expired' && c.status === 'True') ? true : undefined;
    });
    await stuff(picket.ports.traffic, '127.66.5.1', 40);
    await answered(picket, '127.66.5.1', 403);
    stage.remove('exemption.yaml');
  });

  test('a decision that runs out ends in Envoy, and nobody is blocked for good', async () => {
    await mode('Enforce', { denyFor: '20s' });
    const found = await provoke(picket, '127.66.6.1');
    const expiresAt = Date.parse(found.status?.decision?.expiresAt ?? '');
    await answered(picket, '127.66.6.1', 200);
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt - 50);
    await mode('Enforce');
  });

  test('a manifest that breaks keeps its last good state, and the problem names file, line and field', async () => {
    await provoke(picket, '127.66.7.1');
    stage.write('policy.yaml', policy('Enforce').replace('mode: Enforce', 'mode: Enfroce'));
    const [problem] = await waitFor('the problem', async () => {
      const found =
        await picket.read<{ file: string; line: number; field: string; keptLastGood: boolean }[]>('/api/v1/problems');
      return found?.length ? found : undefined;
    });
    expect(problem).toMatchObject({ file: 'policy.yaml', line: 6, field: 'spec.mode', keptLastGood: true });
    expect(picket.process.output()).toContain('policy.yaml:6:');
    stage.write('policy.yaml', 'kind: [');
    await waitFor('the syntax error', async () =>
      (await picket.read<{ reason: string }[]>('/api/v1/problems'))?.some((p) => p.reason === 'Syntax')
        ? true
        : undefined,
    );
    expect(await answerTo(picket, '127.66.7.1')).toBe(403);
    stage.write('policy.yaml', policy('Enforce'));
    await waitFor('no problem is left', async () =>
      (await picket.read<unknown[]>('/api/v1/problems'))?.length === 0 ? true : undefined,
    );
    expect(await answerTo(picket, '127.66.7.1')).toBe(403);
  });

  test('of two objects that claim one host the older keeps it and the other is told', async () => {
    stage.write('rival.yaml', api.replace('name: shop,', 'name: rival,'));
    const told = await waitFor('the conflict', async () => {
      const found = (await picket.api('rival'))?.status?.conditions?.find((c) => c.type === 'Accepted');
      return found?.status === 'False' ? found : undefined;
    });
    expect(told.reason).toBe('HostConflict');
    expect(told.message).toContain('default/shop');
    expect((await picket.api('shop'))?.status?.conditions?.find((c) => c.type === 'Accepted')?.status).toBe('True');
    expect(await answerTo(picket, '127.66.7.1')).toBe(403);
    stage.remove('rival.yaml');
    await waitFor('the rival gone', async () => ((await picket.api('rival')) ? undefined : true));
  });

  test('from Enforce to Observe everything is lifted at once', async () => {
    await mode('Observe');
    await answered(picket, '127.66.7.1', 200);
    const told = await waitFor('no decision in status', async () =>
      (await picket.verdicts()).every((v) => v.status?.decision === undefined) ? true : undefined,
    );
    expect(told).toBe(true);
    expect(JSON.stringify(await configDump(picket))).not.toContain('"DENY"');
    await mode('Enforce');
  });

  test('deleting the API lifts its decisions and forgets its verdicts', async () => {
    await provoke(picket, '127.66.8.1');
    stage.remove('api.yaml');
    await answered(picket, '127.66.8.1', 200);
    await waitFor('no verdict is left', async () => ((await picket.verdicts()).length === 0 ? true : undefined));
    stage.write('api.yaml', api);
  });

  test('the completeness of what Envoy reports is known by its own counters', async () => {
    const known = await waitFor(
      'completeness in status',
      async () => (await picket.api('shop'))?.status?.traffic?.completeness,
    );
    expect(known).toBeGreaterThan(0.99);
    expect(known).toBeLessThanOrEqual(1);
  });

  test('the supervised Envoy is named in its bootstrap as the node that status shows', async () => {
    const config = JSON.parse(readFileSync(join(picket.folder, 'data/envoy/bootstrap.json'), 'utf8')) as {
      node: { id: string };
    };
    expect((await picket.status()).envoys).toEqual([
      expect.objectContaining({ envoy: config.node.id, connected: true }),
    ]);
  });

  test('people were served all the time', async () => {
    const one = caller(picket.ports.traffic, '127.20.1.11');
    expect(await one.get('/v1/products/1')).toBe(200);
    one.close();
  });
});

function exemption(cidr: string, until: number): string {
  return `apiVersion: picket.dev/v1alpha1
kind: PolicyExemption
metadata: { name: load-test, namespace: default }
spec:
  subjects: [ { cidr: ${cidr} } ]
  reason: Load test
  owner: ops@example.com
  grantedAt: "${new Date(until - 60_000).toISOString()}"
  expiresAt: "${new Date(until).toISOString()}"
`;
}

function withoutShadow(dump: unknown): unknown {
  return JSON.parse(
    JSON.stringify(dump, (key, value: unknown) =>
      key === 'shadow_matcher' || key === 'shadow_rules_stat_prefix' ? undefined : value,
    ),
  );
}

/** Names of the actions in every shadow matcher. */
function shadowActions(dump: unknown): string[] {
  const found: string[] = [];
  const walk = (value: unknown, inside: boolean): void => {
    if (Array.isArray(value)) for (const item of value) walk(item, inside);
    else if (typeof value === 'object' && value !== null) {
      const { '@type': type, name } = value as { '@type'?: string; name?: string };
      if (inside && type?.endsWith('rbac.v3.Action') && name !== undefined) found.push(name);
      for (const [key, item] of Object.entries(value)) walk(item, inside || key === 'shadow_matcher');
    }
  };
  walk(dump, false);
  return found;
}

/** What people, clusters and neighbours do wrong, and the condition, event or line of the doctor that says so. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Condition } from '@picket/crds/gen/types.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type ApiFaults, startApiFaults } from '../support/api-faults.ts';
import { runToEnd } from '../support/commands.ts';
import { type Component, startOperatorProcess } from '../support/deployment.ts';
import { adminApi, createNamespace, installDefinitions } from '../support/kubernetes.ts';
import { type NatsServer, startNats } from '../support/nats.ts';
import { waitFor } from '../support/processes.ts';
import { findTool, nodeBinary, repositoryRoot } from '../support/tools.ts';

const missing = inject('missing') || (findTool('nats-server').missing ?? '');
const group = '/apis/picket.dev/v1alpha1';
const home = 'bad-input';
const away = 'bad-input-away';

interface Stored {
  metadata: { generation: number };
  spec: Record<string, unknown>;
  status?: { observedGeneration?: number; conditions?: Condition[] };
}

describe.skipIf(missing !== '')(missing || 'bad input on a real API server', () => {
  let folder: string;
  let admin: ApiServer;
  let faults: ApiFaults;
  let nats: NatsServer;
  let operator: Component;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'picket-bad-input-'));
    admin = adminApi(inject('kubeconfig'));
    faults = await startApiFaults(inject('kubeconfig'), join(folder, 'kubeconfig'));
    nats = await startNats();
    for (const namespace of [home, away]) await createNamespace(admin, namespace);
    operator = await startOperatorProcess({
      ...{ folder, kubeconfig: faults.kubeconfig, natsUrl: nats.url, fleet: 'edge', identity: 'bad-input' },
      args: ['--lease-name', 'bad-input'],
    });
    await operator.ready();
  });
  afterAll(async () => {
    await operator?.stop();
    await nats?.stop();
    await faults?.close();
    if (admin) {
      for (const namespace of [home, away])
        for (const plural of ['protectedapis', 'behaviorpolicies', 'reputationfeeds'])
          await admin.request('DELETE', `${group}/namespaces/${namespace}/${plural}`);
      await installDefinitions(inject('kubeconfig'));
      admin.close();
    }
    rmSync(folder, { recursive: true, force: true });
  });

  const pathOf = (plural: string, name: string, namespace = home): string =>
    `${group}/namespaces/${namespace}/${plural}/${name}`;
  const apply = (kind: string, plural: string, name: string, spec: object, namespace = home): Promise<Stored> =>
    admin.request<Stored>('PATCH', pathOf(plural, name, namespace), {
      query: { fieldManager: 'person', force: true },
      contentType: 'application/apply-patch+yaml',
      body: { apiVersion: 'picket.dev/v1alpha1', kind, metadata: { name, namespace }, spec },
    });
  const api = (name: string, hosts: string[], namespace = home): Promise<Stored> =>
    apply('ProtectedAPI', 'protectedapis', name, { hosts }, namespace);
  const policy = (name: string, of: string, mode = 'DryRun'): Promise<Stored> =>
    apply('BehaviorPolicy', 'behaviorpolicies', name, {
      targetRefs: [{ kind: 'ProtectedAPI', name: of }],
      mode,
      responses: [{ level: 'High', action: 'Deny', for: '10m' }],
    });
  /** The condition of an object's newest generation, once its reason is this one. */
  const told = (path: string, type: string, reason: string): Promise<Condition> =>
    waitFor(
      `${type} of ${path} with reason ${reason}`,
      async () => {
        const { metadata, status } = await admin.request<Stored>('GET', path);
        const found = status?.conditions?.find((condition) => condition.type === type);
        return found?.reason === reason && found.observedGeneration === metadata.generation ? found : undefined;
      },
      { everyMs: 200, process: operator.process },
    );
  const eventAbout = (name: string, reason: string): Promise<string> =>
    waitFor(
      `event ${reason} about ${name}`,
      async () => {
        const fieldSelector = `involvedObject.name=${name},reason=${reason}`;
        const { items } = await admin.request<{ items: { message: string }[] }>(
          'GET',
          `/api/v1/namespaces/${home}/events`,
          { query: { fieldSelector } },
        );
        return items[0]?.message;
      },
      { everyMs: 200 },
    );
  const checkOf = async (name: string): Promise<{ result: string; message: string } | undefined> => {
    const answer = await fetch(`${operator.healthUrl}/status`);
    const { checks } = (await answer.json()) as { checks: { name: string; result: string; message: string }[] };
    return checks.find((check) => check.name === name);
  };

  test('of two policies for one API the older applies, and the other one says which', async () => {
    await api('contested', ['contested.example']);
    await policy('first', 'contested');
    await told(pathOf('behaviorpolicies', 'first'), 'Attached', 'Attached');
    // Times of creation are whole seconds; a tie goes by name.
    await policy('second', 'contested');
    const beaten = await told(pathOf('behaviorpolicies', 'second'), 'Attached', 'Conflicted');
    expect(beaten.message).toContain(`${home}/first applies to ${home}/contested`);
    expect(await eventAbout('second', 'Conflicted')).toContain(`${home}/first`);
    await admin.request('DELETE', pathOf('behaviorpolicies', 'first'));
    await told(pathOf('behaviorpolicies', 'second'), 'Attached', 'Attached');
  });

  test('a host that an API of another namespace has is not taken from it, and is free when that one goes', async () => {
    await api('owner', ['owned.example'], away);
    await told(pathOf('protectedapis', 'owner', away), 'Accepted', 'Accepted');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await api('taker', ['owned.example']);
    const lost = await told(pathOf('protectedapis', 'taker'), 'Accepted', 'HostConflict');
    expect(lost.message).toContain(`belongs to ProtectedAPI ${away}/owner`);
    await admin.request('DELETE', pathOf('protectedapis', 'owner', away));
    await told(pathOf('protectedapis', 'taker'), 'Accepted', 'Accepted');
  });

  test('a list in a secret, or in nothing, says what to do', async () => {
    const feed = (name: string, source: object): Promise<Stored> =>
      apply('ReputationFeed', 'reputationfeeds', name, { source, format: 'Netset', kind: 'Address' });
    await feed('secret', { secretKeyRef: { name: 'list', key: 'list' } });
    const unread = await told(pathOf('reputationfeeds', 'secret'), 'Loaded', 'UnsupportedSource');
    expect(unread.message).toContain('spec.source.secretKeyRef: cannot be read here; use configMapKeyRef');
    await feed('absent', { configMapKeyRef: { name: 'list', key: 'list' } });
    await told(pathOf('reputationfeeds', 'absent'), 'Loaded', 'SourceNotFound');
    await admin.request('POST', `/api/v1/namespaces/${home}/configmaps`, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'list' }, data: { list: '198.51.100.0/24\n' } },
    });
    await told(pathOf('reputationfeeds', 'absent'), 'Loaded', 'Loaded');
  });

  test('an object that is edited as fast as the server takes it ends with the right status, written less often', async () => {
    const path = pathOf('protectedapis', 'edited');
    const before = faults.requests.length;
    const edits = 120;
    let next = 0;
    const edit = async (): Promise<void> => {
      while (next < edits) await api('edited', [`edit-${next++}.example`]);
    };
    await Promise.all(Array.from({ length: 8 }, edit));
    await api('edited', ['last.example']);
    await told(path, 'Accepted', 'Accepted');
    const writes = faults.requests.slice(before).filter((line) => line.startsWith(`PATCH ${path}/status`)).length;
    expect(writes).toBeGreaterThan(0);
    expect(writes).toBeLessThan(edits);
  });

  test('watches that expire, a server that refuses or goes away: the doctor hears of it, and nothing is missed', async () => {
    faults.expireWatches();
    faults.refuse(/^PATCH .*\/status/, 429, 2, { 'retry-after': '1' });
    faults.refuse(/^PATCH .*\/status/, 500, 2);
    await api('through-refusals', ['refused.example']);
    await told(pathOf('protectedapis', 'through-refusals'), 'Accepted', 'Accepted');
    faults.away();
    const lost = await waitFor('the doctor hears of it', async () => {
      const check = await checkOf('API server');
      return check?.result === 'failure' ? check : undefined;
    });
    expect(lost.message).toMatch(/^changes of .*protectedapis|ProtectedAPI.* do not arrive: /);
    await api('while-away', ['away.example']);
    await admin.request('DELETE', pathOf('protectedapis', 'through-refusals'));
    faults.back();
    await told(pathOf('protectedapis', 'while-away'), 'Accepted', 'Accepted');
    for (const name of ['API server', 'status'])
      await waitFor('all is well again', async () => ((await checkOf(name))?.result === 'ok' ? true : undefined), {
        everyMs: 300,
      });
  });

  test('definitions of another version: what is not understood keeps what was in force, the rest goes on', async () => {
    await policy('understood', 'edited');
    await told(pathOf('behaviorpolicies', 'understood'), 'Attached', 'Attached');
    const crd = (name: string): string => `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}.picket.dev`;
    const patch = (name: string, ops: object[]): Promise<unknown> =>
      admin.request('PATCH', crd(name), { contentType: 'application/json-patch+json', body: ops });
    const schema = '/spec/versions/0/schema/openAPIV3Schema/properties';
    // Newer: a mode that this version has never heard of.
    await patch('behaviorpolicies', [
      { op: 'add', path: `${schema}/spec/properties/mode/enum/-`, value: 'Quarantine' },
      { op: 'replace', path: '/metadata/annotations/picket.dev~1schema-digest', value: 'newer' },
    ]);
    // Older: no field for entries yet.
    await patch('reputationfeeds', [{ op: 'remove', path: `${schema}/status/properties/entries` }]);
    await waitFor('the mode is allowed', () => policy('understood', 'edited', 'Quarantine').catch(() => undefined), {
      everyMs: 200,
    });
    const strange = await told(pathOf('behaviorpolicies', 'understood'), 'Accepted', 'NotUnderstood');
    expect(strange.message).toContain('spec.mode');
    expect(await eventAbout('understood', 'NotUnderstood')).toContain('upgrade the chart picket');
    // A second one would apply if the first were gone.
    await policy('unwanted', 'edited');
    await told(pathOf('behaviorpolicies', 'unwanted'), 'Attached', 'Conflicted');
    await policy('understood', 'edited', 'Observe');
    await told(pathOf('behaviorpolicies', 'understood'), 'Accepted', 'Accepted');
    await apply('ReputationFeed', 'reputationfeeds', 'older', {
      source: { configMapKeyRef: { name: 'list', key: 'list' } },
      ...{ format: 'Netset', kind: 'Address' },
    });
    await told(pathOf('reputationfeeds', 'older'), 'Loaded', 'Loaded');
    expect(operator.process.output()).toContain('the installed definition is older than this program');
    const doctor = await runToEnd(nodeBinary, [
      ...[join(repositoryRoot, 'kubectl-risk/main.ts'), 'doctor', '--kubeconfig', inject('kubeconfig')],
    ]);
    expect(doctor.out).toContain('behaviorpolicies.picket.dev is of another version than this program');
  });

  test('NATS without JetStream ends the operator with the flag to set', async () => {
    const plain = await startNats({ jetstream: false });
    try {
      const blind = await startOperatorProcess({
        ...{ folder, kubeconfig: inject('kubeconfig'), natsUrl: plain.url, fleet: 'edge', identity: 'blind' },
        args: ['--lease-name', 'blind'],
      });
      expect(await blind.process.ended).toBe(11);
      expect(blind.process.output()).toMatch(/--nats-url: .*JetStream.*-js/);
    } finally {
      await plain.stop();
    }
  });
});

/** The charts on a real API server: install, upgrade, roll back, uninstall, and what is left. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { chart, crdChart, type Manifest, runHelm } from '../support/helm.ts';
import { adminApi, type Kubernetes, kubernetesMissing, startKubernetes } from '../support/kubernetes.ts';
import { findTool } from '../support/tools.ts';

const missing = kubernetesMissing() ?? findTool('helm').missing;
const namespace = 'picket-system';

const userObject = {
  apiVersion: 'picket.dev/v1alpha1',
  kind: 'ProtectedAPI',
  metadata: { name: 'payments', namespace: 'shop' },
  spec: { hosts: ['pay.example.com'] },
};

describe.skipIf(missing)(`charts on an API server${missing ? ` (${missing})` : ''}`, () => {
  let kubernetes: Kubernetes;
  let api: ApiServer;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'picket-charts-'));
    kubernetes = await startKubernetes();
    api = adminApi(kubernetes.kubeconfig);
    for (const [name, level] of [
      ['shop', 'baseline'],
      [namespace, 'restricted'],
    ])
      await api.request('POST', '/api/v1/namespaces', {
        body: {
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': level } },
        },
      });
    // No controller makes it here.
    await api.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } },
    });
  });
  afterAll(async () => {
    api?.close();
    await kubernetes?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  async function helm(...args: string[]): Promise<string> {
    const { code, out, err } = await runHelm([...args, '--namespace', namespace], kubernetes.kubeconfig);
    if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${err}`);
    return out;
  }

  const get = <T = Manifest>(path: string): Promise<T> => api.request<T>('GET', path);
  const inNamespace = (group: string, plural: string, name: string): Promise<Manifest> =>
    get(`${group}/namespaces/${namespace}/${plural}/${name}`);

  /** Names of all objects of all kinds that the API server serves, but for its own book-keeping. */
  async function everything(): Promise<Set<string>> {
    const groups = await get<{ groups: { preferredVersion: { groupVersion: string } }[] }>('/apis');
    const roots = ['/api/v1', ...groups.groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
    const found = new Set<string>();
    for (const root of roots) {
      const { resources } = await get<{ resources: { name: string; verbs: string[] }[] }>(root);
      for (const { name } of resources.filter(
        ({ name: plural, verbs }) => verbs.includes('list') && !plural.includes('/'),
      )) {
        if (['events', 'componentstatuses'].includes(name)) continue;
        const { items } = await get<{ items: Manifest[] }>(`${root}/${name}`);
        for (const { metadata } of items) found.add(`${name} ${metadata.namespace ?? ''}/${metadata.name}`);
      }
    }
    return found;
  }

  it('installs kinds, then Picket, into a namespace that enforces Pod Security restricted', async () => {
    await helm('install', 'picket-crds', crdChart, '--wait');
    await api.request('POST', '/apis/picket.dev/v1alpha1/namespaces/shop/protectedapis', { body: userObject });
    const notes = await helm('install', 'picket', chart);
    expect(notes).toContain(`picket-operator.${namespace}.svc:18091`);
    expect(notes).toContain('kubectl risk doctor');
    expect(notes).toContain('Uninstalling deletes the volume');
    expect(await inNamespace('/apis/apps/v1', 'deployments', 'picket-operator')).toMatchObject({
      spec: { replicas: 2 },
    });
  });

  it('makes pods that Pod Security lets in', async () => {
    for (const [plural, name] of [
      ['deployments', 'picket-operator'],
      ['statefulsets', 'picket-analyzer'],
      ['statefulsets', 'picket-nats'],
    ] as const) {
      const { spec } = await inNamespace('/apis/apps/v1', plural, name);
      const template = spec?.['template'] as {
        metadata: object;
        spec: { volumes?: object[]; containers: { volumeMounts?: { name: string }[] }[] };
      };
      // The volume comes from a claim that a StatefulSet makes; anything stands in for it here.
      const volumes = [
        ...(template.spec.volumes ?? []),
        ...(plural === 'statefulsets' ? [{ name: 'data', emptyDir: {} }] : []),
      ];
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...template.metadata, name: 'probe' },
        spec: { ...template.spec, volumes },
      };
      await api.request('POST', `/api/v1/namespaces/${namespace}/pods`, { query: { dryRun: 'All' }, body: pod });
    }
  });

  it('gives operator and analyzer the rights they need, and no others', async () => {
    const may = async (account: string, verb: string, resource: string, where = 'shop'): Promise<boolean> => {
      const [name = '', subresource] = resource.split('/');
      const [plural = '', ...group] = name.split('.');
      const review = await api.request<{ status: { allowed: boolean } }>(
        'POST',
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        {
          body: {
            apiVersion: 'authorization.k8s.io/v1',
            kind: 'SubjectAccessReview',
            spec: {
              user: `system:serviceaccount:${namespace}:${account}`,
              groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
              resourceAttributes: {
                namespace: where,
                verb,
                group: group.join('.'),
                resource: plural,
                ...(subresource ? { subresource } : {}),
              },
            },
          },
        },
      );
      return review.status.allowed;
    };
    const kinds = [
      'protectedapis',
      'behaviorpolicies',
      'riskverdicts',
      'policyexemptions',
      'reputationfeeds',
      'trafficsensors',
      'compliancereports',
    ];
    const writes = ['create', 'update', 'patch', 'delete', 'deletecollection'];
    const allowed: string[] = [];
    for (const account of ['picket-operator', 'picket-analyzer'])
      for (const resource of [
        ...kinds.flatMap((kind) => [`${kind}.picket.dev`, `${kind}.picket.dev/status`]),
        ...['secrets', 'configmaps', 'pods', 'services', 'namespaces', 'serviceaccounts/token', 'deployments.apps'],
      ])
        for (const verb of writes)
          if (await may(account, verb, resource)) allowed.push(`${account} ${verb} ${resource}`);
    expect(allowed.sort()).toEqual(
      [
        ...kinds.slice(0, 6).map((kind) => `picket-operator patch ${kind}.picket.dev/status`),
        'picket-analyzer patch protectedapis.picket.dev/status',
        'picket-analyzer patch behaviorpolicies.picket.dev/status',
        'picket-analyzer create riskverdicts.picket.dev',
        'picket-analyzer patch riskverdicts.picket.dev',
        'picket-analyzer delete riskverdicts.picket.dev',
        'picket-analyzer patch riskverdicts.picket.dev/status',
      ].sort(),
    );
    for (const account of ['picket-operator', 'picket-analyzer'])
      for (const verb of ['get', 'list', 'watch']) {
        expect(await may(account, verb, 'secrets')).toBe(false);
        expect(await may(account, verb, 'secrets', namespace)).toBe(false);
      }
    expect(await may('picket-operator', 'update', 'leases.coordination.k8s.io', namespace)).toBe(false);
  });

  it('keeps certificates and passwords over an upgrade, and rolls back', async () => {
    const secrets = async (): Promise<Record<string, unknown>> => {
      const { items } = await get<{ items: Manifest[] }>(`/api/v1/namespaces/${namespace}/secrets`);
      return Object.fromEntries(
        items
          .filter(({ metadata }) => !metadata.name.startsWith('sh.helm'))
          .map(({ metadata, data }) => [metadata.name, data]),
      );
    };
    const before = await secrets();
    expect(Object.keys(before).sort()).toEqual([
      'picket-analyzer-tls',
      'picket-ca',
      'picket-envoy-tls',
      'picket-nats-auth',
      'picket-nats-tls',
      'picket-operator-tls',
    ]);
    await helm('upgrade', 'picket', chart, '--set', 'operator.replicas=3', '--set', 'log.level=debug');
    const operator = (): Promise<Manifest> => inNamespace('/apis/apps/v1', 'deployments', 'picket-operator');
    expect(await operator()).toMatchObject({ spec: { replicas: 3 } });
    expect(JSON.stringify(await operator())).toContain('--log-level=debug');
    expect(await secrets()).toEqual(before);
    await helm('rollback', 'picket', '1');
    expect(await operator()).toMatchObject({ spec: { replicas: 2 } });
    expect(await secrets()).toEqual(before);
  });

  it('makes Envoys another certificate for another fleet, and leaves the others', async () => {
    const certificate = async (name: string): Promise<X509Certificate> => {
      const { data } = await get<Manifest>(`/api/v1/namespaces/${namespace}/secrets/${name}`);
      return new X509Certificate(Buffer.from(data?.['tls.crt'] ?? '', 'base64'));
    };
    const authority = await certificate('picket-ca');
    const server = await certificate('picket-operator-tls');
    expect(server.checkHost(`picket-operator.${namespace}.svc`)).toBeDefined();
    await helm('upgrade', 'picket', chart, '--set', 'fleet=edge');
    const envoy = await certificate('picket-envoy-tls');
    expect(envoy.subject).toBe('CN=edge');
    expect(envoy.subjectAltName).toBe('DNS:edge');
    for (const leaf of [envoy, server]) expect(leaf.verify(authority.publicKey)).toBe(true);
    expect((await certificate('picket-operator-tls')).fingerprint256).toBe(server.fingerprint256);
  });

  it('refuses an upgrade that would be wrong, and leaves what runs', async () => {
    await expect(helm('upgrade', 'picket', chart, '--set', 'analyzer.replicas=2')).rejects.toThrow(
      'maximum: got 2, want 1',
    );
    await expect(helm('upgrade', 'picket', chart, '--set', 'tls.mode=CertManager')).rejects.toThrow('cert-manager');
    expect(await inNamespace('/apis/apps/v1', 'statefulsets', 'picket-analyzer')).toMatchObject({
      spec: { replicas: 1 },
    });
  });

  it('takes over the lease it made, and gives the operator’s holder back its spec', async () => {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/picket-operator`;
    const lease = await get<Manifest>(path);
    await api.request('PUT', path, {
      body: { ...lease, spec: { holderIdentity: 'operator-1', leaseDurationSeconds: 15 } },
    });
    await helm('upgrade', 'picket', chart);
    expect((await get<Manifest>(path)).spec).toMatchObject({ holderIdentity: 'operator-1' });
  });

  it('upgrades kinds that an older chart installed', async () => {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/protectedapis.picket.dev';
    const digest = (crd: Manifest): string | undefined => crd.metadata.annotations?.['picket.dev/schema-digest'];
    const wanted = digest(await get(path));
    await api.request('PATCH', path, {
      contentType: 'application/merge-patch+json',
      body: { metadata: { annotations: { 'picket.dev/schema-digest': 'old' } } },
    });
    await helm('upgrade', 'picket-crds', crdChart, '--force-conflicts');
    expect(digest(await get(path))).toBe(wanted);
  });

  it('looks after single namespaces with rights in no other', async () => {
    const values = join(folder, 'namespaces.yaml');
    writeFileSync(values, 'namespaces: [shop]\n');
    await helm('upgrade', 'picket', chart, '--values', values);
    const { items } = await get<{ items: Manifest[] }>('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings');
    expect(items.filter(({ metadata }) => metadata.name.includes('picket'))).toEqual([]);
    expect(
      await get('/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings/picket-system-picket-analyzer'),
    ).toBeDefined();
    await helm('rollback', 'picket', '1');
  });

  it('leaves no orphan when it is uninstalled, and nothing of a person is touched', async () => {
    await helm('uninstall', 'picket');
    const before = await everything();
    await helm('install', 'picket', chart);
    expect((await everything()).size).toBeGreaterThan(before.size + 20);
    await helm('uninstall', 'picket');
    expect([...(await everything())].sort()).toEqual([...before].sort());
    const rest =
      /^(apiservices|customresourcedefinitions|namespaces|serviceaccounts picket-system\/default|secrets picket-system\/sh\.helm\.release\.v1\.picket-crds)/;
    expect([...before].filter((name) => name.includes('picket') && !rest.test(name))).toEqual([]);
    await helm('uninstall', 'picket-crds');
    expect(await get('/apis/picket.dev/v1alpha1/namespaces/shop/protectedapis/payments')).toMatchObject({
      spec: userObject.spec,
    });
  });
});

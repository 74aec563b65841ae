/** The plugin on a real API server, as a person runs it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BehaviorPolicy, PolicyExemption, RiskVerdict } from '@picket/crds/gen/types.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { type CommandResult, runToEnd } from '../support/commands.ts';
import { missingKubectl, runKubectl } from '../support/kubectl.ts';
import {
  adminApi,
  type Kubernetes,
  kubernetesMissing,
  renderKubeconfig,
  startKubernetes,
} from '../support/kubernetes.ts';
import { nodeBinary, repositoryRoot } from '../support/tools.ts';

const missing = kubernetesMissing();
const group = '/apis/picket.dev/v1alpha1';

describe.skipIf(missing)(`kubectl risk${missing ? ` (${missing})` : ''}`, () => {
  let kubernetes: Kubernetes;
  let api: ApiServer;
  let folder: string;
  let guest: string;

  async function risk(...args: string[]): Promise<CommandResult> {
    return runToEnd(nodeBinary, [join(repositoryRoot, 'kubectl-risk/main.ts'), ...args], {
      env: { KUBECONFIG: kubernetes.kubeconfig },
    });
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'picket-kubectl-risk-'));
    kubernetes = await startKubernetes();
    api = adminApi(kubernetes.kubeconfig);
  });
  afterAll(async () => {
    api?.close();
    await kubernetes?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const create = (path: string, body: object): Promise<unknown> => api.request('POST', path, { body });
  const setStatus = (path: string, status: object): Promise<unknown> =>
    api.request('PATCH', `${path}/status`, { contentType: 'application/merge-patch+json', body: { status } });

  it('says what a cluster without Picket lacks', async () => {
    const top = await risk('top');
    expect(top).toMatchObject({ code: 6, out: '' });
    expect(top.err).toContain('does not serve RiskVerdict of picket.dev: install the chart picket-crds');
    const doctor = await risk('doctor');
    expect(doctor.code).toBe(12);
    expect(doctor.out).toContain('✗ the kinds of picket.dev are not installed');
    expect(doctor.out).toContain('fix: helm upgrade --install picket-crds');
    expect(doctor.out).toContain('✗ no operator and no analyzer are installed');
  });

  it('says which flag to mend when the cluster cannot be found', async () => {
    expect((await risk('top', '--context', 'nowhere')).err).toContain(
      '--context: there is no context "nowhere"; known: test',
    );
    const absent = await risk('top', '--kubeconfig', join(folder, 'absent'));
    expect(absent).toMatchObject({ code: 3 });
    expect(absent.err).toContain('--kubeconfig');
    const both = await risk('top', '-A', '-n', 'shop');
    expect(both.code).toBe(2);
  });

  it('shows the same as the columns of kubectl get', async () => {
    const crds = await runKubectl(['apply', '--server-side', '-f', join(repositoryRoot, 'crds/gen')], {
      KUBECONFIG: kubernetes.kubeconfig,
    });
    if (crds.code !== 0) throw new Error(crds.err);
    await runKubectl(['wait', '--for=condition=Established', 'crd', '--all'], { KUBECONFIG: kubernetes.kubeconfig });
    for (const name of ['shop', 'other'])
      await create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    const apiVersion = 'picket.dev/v1alpha1';
    const shop = `${group}/namespaces/shop`;
    await create(`${shop}/protectedapis`, {
      apiVersion,
      kind: 'ProtectedAPI',
      metadata: { name: 'payments' },
      spec: { hosts: ['pay.example.com'] },
    });
    await create(`${shop}/behaviorpolicies`, {
      apiVersion,
      kind: 'BehaviorPolicy',
      metadata: { name: 'payments', labels: { 'kustomize.toolkit.fluxcd.io/name': 'shop' } },
      spec: {
        targetRefs: [{ kind: 'ProtectedAPI', name: 'payments' }],
        mode: 'DryRun',
        responses: [{ level: 'High', action: 'Deny', for: '10m' }],
      },
    });
    await create(`${shop}/riskverdicts`, {
      apiVersion,
      kind: 'RiskVerdict',
      metadata: { name: 'payments-user-7f3a9c12' },
      spec: { apiRef: { name: 'payments' }, principal: { kind: 'User', pseudonym: '7f3a9c12d04be865' } },
    });
    const condition = (type: string, status: string, message = 'as it is') => ({
      type,
      status,
      reason: 'Tested',
      message,
      observedGeneration: 1,
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
    await setStatus(`${shop}/protectedapis/payments`, {
      risk: { score: 81, level: 'Critical' },
      enforcement: { active: 3, programmedEnvoys: 1, totalEnvoys: 2 },
      operations: { known: 24, declared: 22, undocumented: 2, unused: 0, shadow: 0 },
      traffic: { requestsPerSecond: 412, errorRatio: 0.012, completeness: 0.97 },
      columns: { errors: '1.2', p99: '38ms', complete: '97%' },
      conditions: [condition('Accepted', 'True'), condition('Programmed', 'True'), condition('Observing', 'True')],
    });
    await setStatus(`${shop}/behaviorpolicies/payments`, {
      attachedTargets: 1,
      activity: { wouldAct: 12, acting: 0 },
      conditions: [condition('Accepted', 'True'), condition('WithinSafety', 'False', '2 decisions were eased')],
    });
    await setStatus(`${shop}/riskverdicts/payments-user-7f3a9c12`, {
      score: 92,
      level: 'Critical',
      columns: { principal: 'User/7f3a9c12', why: 'CredentialStuffing' },
      expiresAt: '2100-01-01T00:00:00Z',
    });
    const status = await risk('status', '-n', 'shop');
    expect(status.out).toMatch(/payments +81 +Critical +3 +24 +412 +1\.2 +38ms +97%/);
    expect(status.out).toMatch(/payments +DryRun +1 +True +Unknown +12 +0/);
    const top = await risk('top', '-A');
    expect(top.out).toMatch(/^NAMESPACE +NAME/);
    expect(top.out).toMatch(/shop +payments-user-7f3a9c12 +payments +User\/7f3a9c12 +Critical +92/);
    const got = await runKubectl(['get', 'papi,rv', '-n', 'shop'], { KUBECONFIG: kubernetes.kubeconfig });
    expect(got.out).toMatch(/payments +81 +Critical +3 +24 +412 +1\.2 +38ms +97%/);
    expect(got.out).toMatch(/payments-user-7f3a9c12 +payments +User\/7f3a9c12 +Critical +92/);
    expect((await risk('top')).out).toBe('No verdicts: nobody stands out.\n');
    expect((await risk('explain', 'payments-user', '-n', 'shop')).out).toContain('Critical 92');
  });

  it('reviews in the name of the person, and reaches the object', async () => {
    const reviewed = await risk('-n', 'shop', 'review', 'payments-user', '--false-positive', '--note', 'support tool');
    expect(reviewed).toMatchObject({ code: 0, out: 'payments-user-7f3a9c12 reviewed as FalsePositive\n' });
    const verdict = await api.request<RiskVerdict>(
      'GET',
      `${group}/namespaces/shop/riskverdicts/payments-user-7f3a9c12`,
    );
    expect(verdict.spec.review).toEqual({ disposition: 'FalsePositive', by: 'admin', note: 'support tool' });
    expect(verdict.status?.score).toBe(92);
  });

  it('changes how much of a policy is real, and says who would change it back', async () => {
    const enforced = await risk('enforce', 'payments', '-n', 'shop');
    expect(enforced.out).toBe(
      'shop/payments: DryRun → Enforce\n  12 decisions that it only told of will be in force\n',
    );
    expect(enforced.err).toContain('Flux keeps this policy: change spec.mode in Git too');
    const policy = await api.request<BehaviorPolicy>('GET', `${group}/namespaces/shop/behaviorpolicies/payments`);
    expect(policy.spec).toMatchObject({ mode: 'Enforce', responses: [{ level: 'High', action: 'Deny' }] });
    expect((await risk('enforce', 'payments', '-n', 'shop')).out).toContain('in mode Enforce already');
    expect((await risk('enforce', 'paymnets', '-n', 'shop')).err).toContain('there is payments');
    const json = JSON.parse((await risk('observe', 'payments', '-n', 'shop', '-o', 'json')).out) as BehaviorPolicy;
    expect(json.spec.mode).toBe('Observe');
  });

  it('makes an exemption, or prints it for Git', async () => {
    const flags = ['--cidr', '192.0.2.0/24', '--api', 'payments', '--reason', 'load test', '-n', 'shop'];
    const printed = await risk('exempt', 'load-test', ...flags, '--dry-run');
    expect(parse(printed.out)).toMatchObject({ kind: 'PolicyExemption', spec: { owner: 'admin' } });
    const path = `${group}/namespaces/shop/policyexemptions`;
    expect((await api.request<{ items: unknown[] }>('GET', path)).items).toEqual([]);
    const made = await risk('exempt', 'load-test', ...flags, '--owner', 'shop-oncall@example.com', '--for', '7d');
    expect(made.out).toContain('shop/load-test is in force until');
    const exemption = await api.request<PolicyExemption>('GET', `${path}/load-test`);
    expect(exemption.spec).toMatchObject({ owner: 'shop-oncall@example.com', subjects: [{ cidr: '192.0.2.0/24' }] });
    const wrong = await risk('exempt', 'load-test', '--cidr', '192.0.2', '--reason', 'x', '-n', 'shop');
    expect(wrong).toMatchObject({ code: 3 });
    expect(wrong.err).toContain('must be a network in CIDR notation');
  });

  it('finds what is wrong with a half installed Picket', async () => {
    await create('/apis/apps/v1/namespaces/other/deployments', workload('Deployment', 'picket-operator', 'operator'));
    // No controller makes it here.
    await create('/api/v1/namespaces/other/serviceaccounts', {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default' },
    });
    await create('/api/v1/namespaces/other/pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'picket-operator-1', labels: { app: 'operator' } },
      spec: podSpec,
    });
    await setStatus('/api/v1/namespaces/other/pods/picket-operator-1', {
      phase: 'Running',
      containerStatuses: [
        {
          name: 'main',
          image: 'picket-operator:0.1.0',
          imageID: '',
          ready: false,
          restartCount: 3,
          state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s' } },
          lastState: {
            terminated: {
              exitCode: 8,
              reason: 'Error',
              message: 'picket-operator: --nats-url: no NATS answers at nats://nats:4222\n',
            },
          },
        },
      ],
    });
    const { code, out } = await risk('doctor');
    expect(code).toBe(12);
    expect(out).toContain('✓ 7 kinds of picket.dev are served');
    expect(out).toContain('✗ no analyzer is installed');
    expect(out).toContain(
      'operator other/picket-operator: 0 of 1 ready: Error: picket-operator: --nats-url: no NATS answers',
    );
    expect(out).toContain('fix: kubectl logs -n other picket-operator-1 --previous');
    expect(out).toContain('! ProtectedAPI shop/payments: 97.0 % of requests were seen');
    expect(out).toContain('! ProtectedAPI shop/payments: 1 of 2 Envoys have acknowledged the filters');
    const json = JSON.parse((await risk('doctor', '-o', 'json')).out) as { healthy: boolean; checks: unknown[] };
    expect(json.healthy).toBe(false);
    expect(json.checks.length).toBeGreaterThan(5);
  });

  it('tells a person without rights what they may not see', async () => {
    await create('/api/v1/namespaces/shop/serviceaccounts', {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'guest' },
    });
    const token = await api.request<{ status: { token: string } }>(
      'POST',
      '/api/v1/namespaces/shop/serviceaccounts/guest/token',
      {
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
      },
    );
    guest = join(folder, 'guest.kubeconfig');
    const { clusters } = parse(readFileSync(kubernetes.kubeconfig, 'utf8')) as {
      clusters: { cluster: { 'certificate-authority-data': string } }[];
    };
    const certificate = Buffer.from(clusters[0]?.cluster['certificate-authority-data'] ?? '', 'base64');
    writeFileSync(guest, renderKubeconfig(kubernetes.url, certificate, token.status.token), { mode: 0o600 });
    const top = await risk('top', '-n', 'shop', '--kubeconfig', guest);
    expect(top.code).toBe(5);
    expect(top.err).toContain('system:serviceaccount:shop:guest');
    const { out } = await risk('doctor', '--kubeconfig', guest);
    expect(out).toContain('! you may not read verdicts');
    expect(out).toMatch(/\? could not be looked at: .*forbidden/);
  });

  it.skipIf(missingKubectl)(`completes, asked by kubectl${missingKubectl ? ` (${missingKubectl})` : ''}`, async () => {
    const env = {
      KUBECONFIG: kubernetes.kubeconfig,
      PATH: `${repositoryRoot}node_modules/.bin:${process.env['PATH']}`,
    };
    const complete = async (...words: string[]) => (await runKubectl(['__complete', 'risk', ...words], env)).out;
    expect(await complete('ex')).toContain('explain\tOne verdict');
    expect(await complete('explain', '-n', 'shop', '')).toBe('payments-user-7f3a9c12\tCritical 92 User/7f3a9c12\n:4\n');
    expect(await complete('enforce', '--namespace', 'shop', 'pay')).toBe('payments\tObserve\n:4\n');
    expect((await runKubectl(['risk', 'top', '-n', 'shop'], env)).out).toContain('payments-user-7f3a9c12');
  });
});

const podSpec = { containers: [{ name: 'main', image: 'picket-operator:0.1.0' }] };

function workload(kind: string, name: string, component: string): object {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, labels: { 'app.kubernetes.io/part-of': 'picket', 'app.kubernetes.io/component': component } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: component } },
      template: { metadata: { labels: { app: component } }, spec: podSpec },
    },
  };
}

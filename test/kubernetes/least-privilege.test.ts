/**
 * Operator and analyzer with the ServiceAccounts of the chart and nobody else's rights, through a whole story: the audit
 * log holds no refusal, and every right that the chart grants was used.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BehaviorPolicy, RiskVerdict } from '@picket/crds/gen/types.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { answered, createStage, policy, provoke, type Stage, type Watched } from '../e2e/stage.ts';
import { runToEnd } from '../support/commands.ts';
import { type Component, startAnalyzerProcess, startOperatorProcess } from '../support/deployment.ts';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { chart, crdChart, runHelm } from '../support/helm.ts';
import { kubectl, missingKubectl } from '../support/kubectl.ts';
import {
  accountKubeconfig,
  adminApi,
  type Kubernetes,
  kubernetesMissing,
  startKubernetes,
} from '../support/kubernetes.ts';
import { type NatsServer, startNats } from '../support/nats.ts';
import { runPicket } from '../support/picket.ts';
import { freePorts } from '../support/ports.ts';
import { waitFor } from '../support/processes.ts';
import { findTool, nodeBinary, repositoryRoot } from '../support/tools.ts';

const missing =
  kubernetesMissing() ??
  findTool('helm').missing ??
  findTool('envoy').missing ??
  findTool('nats-server').missing ??
  missingKubectl;
const namespace = 'picket-system';
const fleet = 'shop';
const accounts = ['picket-operator', 'picket-analyzer'] as const;
type Account = (typeof accounts)[number];

interface AuditEvent {
  user: { username: string };
  verb: string;
  objectRef?: { apiGroup?: string; resource: string; subresource?: string; name?: string };
  responseStatus?: { code: number };
  requestURI: string;
}

describe.skipIf(missing)(`least privilege${missing ? ` (${missing})` : ''}`, () => {
  let kubernetes: Kubernetes;
  let api: ApiServer;
  let nats: NatsServer;
  let stage: Stage;
  let operator: Component;
  let analyzer: Component;
  let envoy: Envoy;
  let watched: Watched;

  const admin = (...args: string[]): string => kubectl(kubernetes.kubeconfig, ...args);

  const kubeconfigOf = (account: Account): Promise<string> =>
    accountKubeconfig(kubernetes, { namespace, name: account }, join(stage.folder, `${account}.kubeconfig`));

  beforeAll(async () => {
    kubernetes = await startKubernetes({ audit: true });
    api = adminApi(kubernetes.kubeconfig);
    stage = await createStage('Enforce', { denyFor: '10m' });
    nats = await startNats();
    admin('create', 'namespace', namespace);
    for (const [release, path] of [
      ['picket-crds', crdChart],
      ['picket', chart],
    ] as const) {
      const { code, err } = await runHelm(
        ['install', release, path, '--namespace', namespace, ...(path === crdChart ? ['--wait'] : providers)],
        kubernetes.kubeconfig,
      );
      if (code !== 0) throw new Error(err);
    }
    for (const body of foreignKinds)
      await api.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body });
    admin('wait', '--for=condition=Established', 'crd', '--all');
    admin('apply', '-f', stage.manifests);
    const common = { folder: join(stage.folder, 'processes'), natsUrl: nats.url, fleet };
    const lease = ['--lease-namespace', namespace, '--lease-name', 'picket-operator'];
    const [xds = 0, xdsHealth = 0, als = 0, alsHealth = 0, traffic = 0] = await freePorts(5);
    operator = await startOperatorProcess({
      ...common,
      kubeconfig: await kubeconfigOf('picket-operator'),
      identity: 'operator-0',
      ports: { health: xdsHealth, listen: xds },
      args: [
        ...lease,
        ...['--providers', 'EnvoyGateway,Istio', '--envoy-xds', `127.0.0.1:${xds}`, '--envoy-als', `127.0.0.1:${als}`],
        ...['--envoy-tls-secret', 'picket-envoy-tls'],
      ],
    });
    await operator.ready();
    analyzer = await startAnalyzerProcess({
      ...common,
      kubeconfig: await kubeconfigOf('picket-analyzer'),
      ports: { health: alsHealth, listen: als },
      args: ['--history', stage.history],
    });
    await analyzer.ready();
    const printed = await runPicket([
      ...['envoy', 'bootstrap', '--manifests', stage.manifests, '--fleet', fleet, '--node', 'envoy-0'],
      ...['--upstream', `127.0.0.1:${stage.upstreamPort}`, '--listen', `127.0.0.1:${traffic}`],
      ...['--als', `127.0.0.1:${als}`, '--xds', `127.0.0.1:${xds}`, '--envoy-admin', '127.0.0.1:0'],
    ]);
    envoy = await startEnvoy({ bootstrap: printed.out });
    watched = {
      ports: { traffic },
      get process() {
        return analyzer.process;
      },
      verdicts: async () => (JSON.parse(admin('get', 'rv', '-A', '-o', 'json')) as { items: RiskVerdict[] }).items,
    };
  });
  afterAll(async () => {
    await envoy?.stop();
    await analyzer?.stop();
    await operator?.stop();
    await nats?.stop();
    api?.close();
    await kubernetes?.stop();
    await stage?.close();
  });

  it('is enough for the whole story', async () => {
    const verdict = await provoke(watched, '127.83.1.1');
    await waitFor('the verdict says what Envoys acknowledged', () =>
      admin('get', 'rv', verdict.metadata.name, '-o', 'yaml').includes('programmedAt') ? true : undefined,
    );
    for (const kind of ['exemption', 'feed', 'list', 'sensor', 'broken'])
      stage.write(`${kind}.yaml`, further[kind] ?? '');
    admin('apply', '-f', stage.manifests);
    const review = await runToEnd(nodeBinary, [
      ...[join(repositoryRoot, 'kubectl-risk/main.ts'), 'review', verdict.metadata.name, '--false-positive'],
      ...['--kubeconfig', kubernetes.kubeconfig],
    ]);
    expect(review).toMatchObject({ code: 0 });
    await answered(watched, '127.83.1.1', 200);
    // Whatever names what is not there has an event about it.
    for (const name of ['routed', 'nobody', 'nowhere', 'pointless', 'unserved'])
      await waitFor(`the event about ${name}`, () =>
        admin('get', 'events', '-o', 'name', '--field-selector', `involvedObject.name=${name}`) === ''
          ? undefined
          : true,
      );
    stage.write('policy.yaml', policy('Observe'));
    admin('apply', '-f', join(stage.manifests, 'policy.yaml'));
    await waitFor('status of every kind', () => {
      const statuses = ['papi/shop', 'bpol/shop', 'pex/probe', 'rep/bad', `tsen/${fleet}`].map((name) =>
        admin('get', name, '-o', 'jsonpath={.status.conditions}'),
      );
      return statuses.every((status) => status !== '') ? true : undefined;
    });
    const { status } = JSON.parse(admin('get', 'bpol', 'shop', '-o', 'json')) as BehaviorPolicy;
    expect(status?.conditions?.some(({ type }) => type === 'Accepted')).toBe(true);
  });

  it('is enough to wire the Envoys of others, and to take the wiring away', async () => {
    const sensor = (spec: string) => (of: string) =>
      `apiVersion: picket.dev/v1alpha1
kind: TrafficSensor
metadata: { name: ${fleet}, namespace: ${of} }
spec: { envoy: { ${spec} } }
`;
    const write = (of: string, text: string): void => {
      stage.write(`${of}.yaml`, text);
      admin('apply', '-f', join(stage.manifests, `${of}.yaml`));
    };
    const wirings = {
      gateways: {
        kinds: ['envoyproxies', 'envoypatchpolicies'],
        of: sensor('provider: EnvoyGateway, gateways: [web]'),
      },
      mesh: { kinds: ['envoyfilters'], of: sensor('provider: Istio, selector: { matchLabels: { app: web } }') },
    };
    for (const [name, { kinds, of }] of Object.entries(wirings)) {
      admin('create', 'namespace', name);
      const listeners = 'listeners: [ { name: http, port: 80, protocol: HTTP } ]';
      if (name === 'gateways')
        write(
          name,
          `apiVersion: ${gatewayApi}/v1\nkind: Gateway\nmetadata: { name: web, namespace: ${name} }\nspec: { ${listeners} }\n`,
        );
      write(name, of(name));
      const present = (kind: string): boolean => admin('get', kind, '-n', name, '-o', 'name') !== '';
      for (const kind of kinds) await waitFor(`${kind} in ${name}`, () => present(kind) || undefined);
      write(name, sensor('provider: XDS')(name));
      for (const kind of kinds) await waitFor(`no ${kind} in ${name}`, () => (present(kind) ? undefined : true));
    }
  });

  it('tells how both and their neighbours are, as kubectl risk doctor asks', async () => {
    const ask = async ({ healthUrl }: Component) => (await fetch(`${healthUrl}/status`)).json();
    await expect
      .poll(() => ask(operator))
      .toEqual({
        ready: true,
        checks: [
          { name: 'NATS', result: 'ok', message: 'connected' },
          { name: 'API server', result: 'ok', message: expect.any(String) },
          { name: 'status', result: 'ok', message: 'written' },
          { name: 'Envoys', result: 'ok', message: '1 connected, all filters acknowledged' },
        ],
      });
    const told = await waitFor('a stored row', async () => {
      const answer = (await ask(analyzer)) as { checks: { name: string; result: string; message: string }[] };
      return answer.checks.every(({ result }) => result === 'ok') ? answer : undefined;
    });
    expect(told.checks.map(({ name }) => name)).toEqual(['NATS', 'store', 'status', 'access logs']);
    await nats.stop({ keepData: true });
    const lost = { name: 'NATS', result: 'failure', message: expect.stringContaining('disconnected from') };
    for (const component of [operator, analyzer])
      await waitFor('NATS is missed', async () => {
        const { checks } = (await ask(component)) as { checks: { result: string }[] };
        return checks[0]?.result === 'failure' ? expect(checks[0]).toEqual(lost) : undefined;
      });
    nats = await startNats({ folder: nats.folder, port: nats.port });
    await waitFor('NATS is back', async () => {
      const { checks } = (await ask(operator)) as { checks: { result: string }[] };
      return checks[0]?.result === 'ok' ? true : undefined;
    });
  });

  it('is enough to clear up behind an API that is gone', async () => {
    expect((await watched.verdicts()).length).toBeGreaterThan(0);
    admin('delete', 'papi', 'shop');
    await waitFor('no verdict', async () => ((await watched.verdicts()).length === 0 ? true : undefined));
  });

  it('is refused nothing, and grants nothing that is not used', async () => {
    const events = readFileSync(join(kubernetes.folder, 'audit.log'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEvent);
    for (const account of accounts) {
      const own = events.filter(({ user }) => user.username === `system:serviceaccount:${namespace}:${account}`);
      expect(own.length).toBeGreaterThan(0);
      expect(
        own.filter(({ responseStatus }) => responseStatus?.code === 403).map((e) => `${e.verb} ${e.requestURI}`),
      ).toEqual([]);
      const used = new Set(own.flatMap(usedRight));
      const granted = await grantedTo(account);
      const unused = [...granted].filter((right) => !used.has(right) && !elsewhere[account].includes(right));
      expect(unused.sort(), account).toEqual([]);
    }
  });

  /** "patch picket.dev riskverdicts/status" of each rule bound to the account. */
  async function grantedTo(account: Account): Promise<Set<string>> {
    interface Rules {
      rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
    }
    const root = '/apis/rbac.authorization.k8s.io/v1';
    const roles = [await api.request<Rules>('GET', `${root}/clusterroles/${namespace}-${account}`)];
    if (account === 'picket-operator')
      roles.push(await api.request<Rules>('GET', `${root}/namespaces/${namespace}/roles/${account}`));
    return new Set(
      roles
        .flatMap(({ rules }) => rules)
        .flatMap(({ apiGroups, resources, verbs }) =>
          apiGroups.flatMap((group) =>
            resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group} ${resource}`)),
          ),
        ),
    );
  }
});

/** An apply that makes an object needs `create` too. */
function usedRight({ verb, objectRef, responseStatus }: AuditEvent): string[] {
  if (!objectRef) return [];
  const { apiGroup = '', resource, subresource } = objectRef;
  const what = `${apiGroup} ${resource}${subresource ? `/${subresource}` : ''}`;
  return [`${verb} ${what}`, ...(verb === 'patch' && responseStatus?.code === 201 ? [`create ${what}`] : [])];
}

/** Rights that this story does not come to: each is for an event. */
const elsewhere: Record<Account, readonly string[]> = {
  'picket-operator': [
    // About a decision that an Envoy refuses.
    'get picket.dev riskverdicts',
  ],
  'picket-analyzer': [
    // About a policy that safety limits.
    ...['create', 'patch'].map((verb) => `${verb}  events`),
  ],
};

const providers = ['envoyGateway', 'istio'].flatMap((name) => ['--set', `providers.${name}.enabled=true`]);

const gatewayApi = 'gateway.networking.k8s.io';

/** Kinds of others as far as rights need them. */
const foreignKinds = [
  ...['Gateway', 'HTTPRoute', 'GRPCRoute'].map((kind) => definition(gatewayApi, 'v1', kind)),
  definition('gateway.envoyproxy.io', 'v1alpha1', 'EnvoyProxy', 'envoyproxies'),
  definition('gateway.envoyproxy.io', 'v1alpha1', 'EnvoyPatchPolicy', 'envoypatchpolicies'),
  definition('networking.istio.io', 'v1alpha3', 'EnvoyFilter'),
];

function definition(group: string, version: string, kind: string, plural = `${kind.toLowerCase()}s`): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/gateway-api' },
    },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  };
}

const further: Record<string, string> = {
  exemption: `apiVersion: picket.dev/v1alpha1
kind: PolicyExemption
metadata: { name: probe, namespace: default }
spec:
  subjects: [{ cidr: 192.0.2.0/28 }]
  reason: probes
  owner: ops@example.com
  expiresAt: "${new Date(Date.now() + 86_400_000).toISOString()}"
`,
  list: `apiVersion: v1
kind: ConfigMap
metadata: { name: bad, namespace: default }
data: { list: "198.51.100.0/24\\n" }
`,
  feed: `apiVersion: picket.dev/v1alpha1
kind: ReputationFeed
metadata: { name: bad, namespace: default }
spec: { source: { configMapKeyRef: { name: bad, key: list } }, format: Netset, kind: Address, weight: 0.2 }
`,
  sensor: `apiVersion: picket.dev/v1alpha1
kind: TrafficSensor
metadata: { name: ${fleet}, namespace: default }
spec: { envoy: { provider: XDS, selector: { matchLabels: { app: envoy } } } }
---
apiVersion: picket.dev/v1alpha1
kind: TrafficSensor
metadata: { name: unserved, namespace: default }
spec: { envoy: { provider: XDS } }
`,
  broken: `apiVersion: picket.dev/v1alpha1
kind: ProtectedAPI
metadata: { name: routed, namespace: default }
spec: { targetRefs: [ { group: gateway.networking.k8s.io, kind: HTTPRoute, name: nowhere } ] }
---
apiVersion: picket.dev/v1alpha1
kind: BehaviorPolicy
metadata: { name: pointless, namespace: default }
spec:
  targetRefs: [ { kind: ProtectedAPI, name: nobody } ]
  mode: DryRun
  responses: [ { level: High, action: Deny, for: 10m } ]
---
apiVersion: picket.dev/v1alpha1
kind: PolicyExemption
metadata: { name: nobody, namespace: default }
spec:
  subjects: [ { cidr: 192.0.2.0/28 } ]
  apis: [ { name: nobody } ]
  reason: probes
  owner: ops@example.com
  expiresAt: "${new Date(Date.now() + 86_400_000).toISOString()}"
---
apiVersion: picket.dev/v1alpha1
kind: ReputationFeed
metadata: { name: nowhere, namespace: default }
spec: { source: { configMapKeyRef: { name: nowhere, key: list } }, format: Netset, kind: Address, weight: 0.2 }
`,
};

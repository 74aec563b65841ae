/**
 * Envoy Gateway with its own control plane: what a TrafficSensor asks for is translated by it, served to the real Envoy,
 * and there Picket observes, decides and refuses. No pod runs; Envoy is started with what the Deployment would run.
 */
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { RiskVerdict, TrafficSensor } from '@picket/crds/gen/types.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attacker, caller, createStage, ordinaryTraffic, personAddress, refused, type Stage } from '../e2e/stage.ts';
import { foreignDefinitions } from '../support/definitions.ts';
import { type Component, startAnalyzerProcess, startOperatorProcess } from '../support/deployment.ts';
import type { Envoy } from '../support/envoy.ts';
import { type EnvoyGateway, envoyGatewayMissing, startEnvoyGateway } from '../support/envoy-gateway.ts';
import { kubectl, missingKubectl } from '../support/kubectl.ts';
import {
  adminApi,
  applyDefinitions,
  installDefinitions,
  type Kubernetes,
  kubernetesMissing,
  startKubernetes,
} from '../support/kubernetes.ts';
import { type NatsServer, startNats } from '../support/nats.ts';
import { freePorts } from '../support/ports.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';

const missing =
  kubernetesMissing() ??
  findTool('envoy').missing ??
  findTool('nats-server').missing ??
  missingKubectl ??
  (await envoyGatewayMissing()) ??
  '';
const fleet = 'edge';
const thief = '127.83.1.1';

const api = `apiVersion: picket.dev/v1alpha1
kind: ProtectedAPI
metadata: { name: shop, namespace: default }
spec:
  hosts: ["*"]
  pathPrefix: /v1
  flows:
  - name: login
    type: Login
    match: { method: POST, path: /v1/login }
    account: { header: x-account }
    success: { anyOf: [ { status: [200] } ] }
`;

const sensor = (provider: string): string => `apiVersion: picket.dev/v1alpha1
kind: TrafficSensor
metadata: { name: ${fleet}, namespace: default }
spec:
  envoy:
    provider: ${provider}
    gateways: [web]
    feeds: { bodyMirror: {} }
`;

/** A Gateway whose routes answer by themselves: 401 to a login, 200 to the rest; and what takes bodies, on a port where nobody is. */
const gateway = (port: number): string => `apiVersion: v1
kind: Service
metadata: { name: bodies, namespace: default }
spec: { ports: [ { name: grpc, port: 9000, appProtocol: grpc } ] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: bodies-1, namespace: default, labels: { kubernetes.io/service-name: bodies } }
addressType: IPv4
ports: [ { name: grpc, port: 9 } ]
endpoints: [ { addresses: ["${ownAddress()}"], conditions: { ready: true } } ]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: eg }
spec: { controllerName: gateway.envoyproxy.io/gatewayclass-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: web, namespace: default }
spec:
  gatewayClassName: eg
  infrastructure: { parametersRef: { group: gateway.envoyproxy.io, kind: EnvoyProxy, name: silent } }
  listeners: [ { name: http, protocol: HTTP, port: ${port} } ]
---
# Its own access log would go to /dev/stdout, which is no file here.
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: { name: silent, namespace: default }
spec: { telemetry: { accessLog: { disable: true } } }
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: HTTPRouteFilter
metadata: { name: unauthorized, namespace: default }
spec: { directResponse: { statusCode: 401 } }
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: HTTPRouteFilter
metadata: { name: ok, namespace: default }
spec: { directResponse: { statusCode: 200 } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop, namespace: default }
spec:
  parentRefs: [ { name: web } ]
  rules:
  - matches: [ { path: { type: Exact, value: /v1/login } } ]
    filters: [ { type: ExtensionRef, extensionRef: { group: gateway.envoyproxy.io, kind: HTTPRouteFilter, name: unauthorized } } ]
  - filters: [ { type: ExtensionRef, extensionRef: { group: gateway.envoyproxy.io, kind: HTTPRouteFilter, name: ok } } ]
`;

/** Of this machine and not loopback, which Kubernetes takes for no endpoint. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '10.99.0.250';
}

describe.skipIf(missing !== '')(missing || 'a TrafficSensor of Envoy Gateway', () => {
  let kubernetes: Kubernetes;
  let admin: ApiServer;
  let nats: NatsServer;
  let stage: Stage;
  let operator: Component;
  let analyzer: Component;
  let controlPlane: EnvoyGateway;
  let envoy: Envoy;
  let traffic = 0;

  const apply = (text: string, name: string): void => {
    stage.write(name, text);
    kubectl(kubernetes.kubeconfig, 'apply', '--server-side', '-f', join(stage.manifests, name));
  };
  const get = <T>(...args: string[]): T =>
    JSON.parse(kubectl(kubernetes.kubeconfig, 'get', ...args, '-o', 'json')) as T;
  const condition = (type: string): string => {
    const { status } = get<TrafficSensor>('tsen', fleet);
    const found = status?.conditions?.find((c) => c.type === type);
    return found ? `${found.status} ${found.reason}: ${found.message}` : '';
  };
  const programmed = (expected: RegExp): Promise<true> =>
    waitFor(`Programmed ${expected.source}`, () => (expected.test(condition('Programmed')) ? true : undefined), {
      timeoutMs: 60_000,
      everyMs: 300,
    });

  beforeAll(async () => {
    [kubernetes, nats, stage] = await Promise.all([startKubernetes(), startNats(), createStage('Enforce')]);
    admin = adminApi(kubernetes.kubeconfig);
    await installDefinitions(kubernetes.kubeconfig);
    await applyDefinitions(admin, [
      ...(await foreignDefinitions('gatewayApi')),
      ...(await foreignDefinitions('envoyGateway')),
    ]);
    const [als = 0, alsHealth = 0, xds = 0, xdsHealth = 0, listener = 0] = await freePorts(5);
    traffic = listener;
    stage.write('api.yaml', api);
    kubectl(kubernetes.kubeconfig, 'apply', '-f', stage.manifests);
    apply(gateway(traffic), 'gateway.yaml');
    const common = {
      folder: join(stage.folder, 'processes'),
      kubeconfig: kubernetes.kubeconfig,
      natsUrl: nats.url,
      fleet,
    };
    operator = await startOperatorProcess({
      ...common,
      identity: 'operator-0',
      ports: { health: xdsHealth, listen: xds },
      args: [
        ...['--providers', 'EnvoyGateway', '--envoy-xds', `127.0.0.1:${xds}`, '--envoy-als', `127.0.0.1:${als}`],
        ...['--envoy-bodies', 'default/bodies:9000'],
      ],
    });
    analyzer = await startAnalyzerProcess({
      ...common,
      ports: { health: alsHealth, listen: als },
      args: ['--history', stage.history],
    });
    controlPlane = await startEnvoyGateway({ api: admin, kubeconfig: kubernetes.kubeconfig, patchPolicies: false });
    await Promise.all([operator.ready(), analyzer.ready()]);
    apply(sensor('EnvoyGateway'), 'sensor.yaml');
  }, 180_000);

  afterAll(async () => {
    await envoy?.stop();
    await controlPlane?.stop();
    await analyzer?.stop();
    await operator?.stop();
    admin?.close();
    await nats?.stop();
    await kubernetes?.stop();
    await stage?.close();
  });

  test('says what a person must switch on', async () => {
    await programmed(/^False PatchPoliciesDisabled: .*extensionApis\.enableEnvoyPatchPolicy/);
    await controlPlane.stop();
    controlPlane = await startEnvoyGateway({ api: admin, kubeconfig: kubernetes.kubeconfig, patchPolicies: true });
    await programmed(/^False NoEnvoys/);
  });

  test('is programmed when Envoy has the filters, and callers notice nothing', async () => {
    envoy = await controlPlane.startProxy({ namespace: 'default', name: 'web' });
    await programmed(/^True Connected: 1 of 1 Envoys/);
    const client = caller(traffic, personAddress(1));
    await waitFor('an answer', async () => ((await client.get('/v1/products/1')) === 200 ? true : undefined));
    client.close();
    const mirror = JSON.stringify(await envoy.configDump());
    expect(mirror).toMatch(/"failure_mode_allow":true/);
    expect(mirror).toMatch(/"observability_mode":true/);
  });

  test('an attacker is seen, judged and refused there', async () => {
    const people = ordinaryTraffic(traffic);
    const client = attacker(traffic, thief);
    for (let i = 0; i < 40; i++) await client.login(`account-${i}`, 'leaked', { 'x-account': `account-${i}` });
    client.close();
    await refused({ ports: { traffic } }, thief);
    await waitFor(
      'one of one Envoys in the verdict',
      () =>
        get<{ items: RiskVerdict[] }>('rv').items.some(({ status }) =>
          status?.conditions?.some(({ type, reason }) => type === 'Programmed' && reason === 'Acknowledged'),
        ) || undefined,
      { timeoutMs: 20_000, everyMs: 300 },
    );
    const { sent, bad } = await people.stop();
    expect(sent).toBeGreaterThan(5);
    expect(bad).toEqual([]);
  });

  test('another provider takes its objects away, and with them what was enforced', async () => {
    apply(sensor('XDS').replace('    gateways: [web]\n', ''), 'sensor.yaml');
    await waitFor('no patch policy', () =>
      get<{ items: unknown[] }>('envoypatchpolicies').items.length === 0 ? true : undefined,
    );
    const client = attacker(traffic, thief);
    await waitFor(
      'an answer to the attacker',
      async () => ((await client.get('/v1/basket')) === 200 ? true : undefined),
      {
        timeoutMs: 20_000,
        everyMs: 200,
      },
    );
    client.close();
  });
});

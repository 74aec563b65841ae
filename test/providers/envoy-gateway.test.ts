/**
 * Envoy Gateway with its own control plane: what a TrafficSensor asks for is translated by it, served to the real Envoy,
 * and there Picket observes, decides and refuses. No pod runs; Envoy is started with what the Deployment would run.
 */
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Envoy } from '../support/envoy.ts';
import { type EnvoyGateway, envoyGatewayMissing, startEnvoyGateway } from '../support/envoy-gateway.ts';
import { waitFor } from '../support/processes.ts';
import { createProviderStage, fleet, type ProviderStage, stageMissing } from './stage.ts';

const missing = stageMissing() ?? (await envoyGatewayMissing()) ?? '';
const thief = '127.83.1.1';

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

/** What an operator needs besides when it is told who takes bodies, which the chart does not tell it. */
const mirrorRights = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: mirror }
rules: [ { apiGroups: [gateway.envoyproxy.io], resources: [envoyextensionpolicies], verbs: [list, create, patch, delete] } ]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: mirror }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mirror }
subjects: [ { kind: ServiceAccount, name: picket-operator, namespace: picket-system } ]
`;

/** Of this machine and not loopback, which Kubernetes takes for no endpoint. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '10.99.0.250';
}

describe.skipIf(missing !== '')(missing || 'a TrafficSensor of Envoy Gateway', () => {
  let stage: ProviderStage;
  let controlPlane: EnvoyGateway;
  let envoy: Envoy;

  const startControlPlane = async (patchPolicies: boolean): Promise<void> => {
    const { admin: api, kubernetes } = stage;
    controlPlane = await startEnvoyGateway({ api, kubeconfig: kubernetes.kubeconfig, patchPolicies });
  };

  beforeAll(async () => {
    stage = await createProviderStage(
      ['gatewayApi', 'envoyGateway'],
      ['providers.envoyGateway.enabled=true'],
      ['--providers', 'EnvoyGateway', '--envoy-bodies', 'default/bodies:9000'],
    );
    stage.apply(mirrorRights);
    stage.apply(gateway(stage.traffic));
    await startControlPlane(false);
    stage.apply(sensor('EnvoyGateway'));
  }, 180_000);

  afterAll(async () => {
    await envoy?.stop();
    await controlPlane?.stop();
    await stage?.close();
  });

  test('says what a person must switch on', async () => {
    await stage.programmed(/^False PatchPoliciesDisabled: .*extensionApis\.enableEnvoyPatchPolicy/);
    await controlPlane.stop();
    await startControlPlane(true);
    await stage.programmed(/^False NoEnvoys/);
  });

  test('is programmed when Envoy has the filters, and callers notice nothing', async () => {
    envoy = await controlPlane.startProxy({ namespace: 'default', name: 'web' });
    await stage.programmed(/^True Connected: 1 of 1 Envoys/);
    await stage.answered(thief);
    const config = JSON.stringify(await envoy.configDump());
    // The mirror of bodies, at which nobody listens.
    expect(config).toMatch(/"failure_mode_allow":true/);
    expect(config).toMatch(/"observability_mode":true/);
  });

  test('an attacker is seen, judged and refused there', () => stage.attack(thief));

  test('another provider takes its objects away, and with them what was enforced', async () => {
    stage.apply(sensor('XDS').replace('    gateways: [web]\n', ''));
    await waitFor('no patch policy', () =>
      stage.get<{ items: unknown[] }>('envoypatchpolicies').items.length === 0 ? true : undefined,
    );
    await stage.answered(thief);
  });
});

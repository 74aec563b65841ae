/**
 * Istio with its own control plane: the EnvoyFilter that a TrafficSensor asks for is taken up by istiod, served to the
 * real Envoy as that of a gateway, and there Picket observes, decides and refuses. No pod runs.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Envoy } from '../support/envoy.ts';
import { type Istiod, startIstiod } from '../support/istiod.ts';
import { createNamespace } from '../support/kubernetes.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { createProviderStage, fleet, type ProviderStage, stageMissing } from './stage.ts';

const missing = stageMissing() ?? findTool('pilot-discovery').missing ?? '';
const thief = '127.83.2.1';
/** As a pod of a Gateway has them: it can be chosen by either. */
const labels = { istio: 'ingress', 'gateway.networking.k8s.io/gateway-name': 'web' };

const sensor = (envoy: string): string => `apiVersion: picket.dev/v1alpha1
kind: TrafficSensor
metadata: { name: ${fleet}, namespace: default }
spec: { envoy: { ${envoy} } }
`;

/** A gateway whose routes answer by themselves: 401 to a login, 200 to the rest. */
const gateway = (port: number): string => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: default }
spec:
  selector: { istio: ingress }
  servers: [ { port: { number: ${port}, name: http, protocol: HTTP }, hosts: ["*"] } ]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop, namespace: default }
spec:
  hosts: ["*"]
  gateways: [web]
  http:
  - match: [ { uri: { exact: /v1/login } } ]
    directResponse: { status: 401 }
  - directResponse: { status: 200 }
`;

describe.skipIf(missing !== '')(missing || 'a TrafficSensor of Istio', () => {
  let stage: ProviderStage;
  let istiod: Istiod;
  let envoy: Envoy;

  /** Whether Envoy's configuration speaks of Picket, as it does with our filters and clusters. */
  const wired = async (expected: boolean): Promise<true | undefined> =>
    JSON.stringify(await envoy.configDump()).includes('picket.decide.hot') === expected || undefined;

  beforeAll(async () => {
    stage = await createProviderStage(
      ['gatewayApi', 'istio'],
      ['providers.istio.enabled=true'],
      ['--providers', 'Istio', '--ja4', 'true'],
    );
    await createNamespace(stage.admin, 'istio-system');
    stage.apply(gateway(stage.traffic));
    istiod = await startIstiod(stage.kubernetes.kubeconfig);
    envoy = await istiod.startGateway('default', labels);
  }, 300_000);

  afterAll(async () => {
    await envoy?.stop();
    await istiod?.stop();
    await stage?.close();
  });

  test('brings the pods of a selector to Picket, and callers notice nothing', async () => {
    await stage.answered(thief);
    expect(await wired(false)).toBe(true);
    stage.apply(sensor('provider: Istio, selector: { matchLabels: { istio: ingress } }'));
    await stage.programmed(/^True Connected: 1 of 1 Envoys/);
    expect(await wired(true)).toBe(true);
    await stage.answered(thief);
  });

  test('an attacker is seen, judged and refused there', () => stage.attack(thief));

  test('another provider takes its object away, and with it what was enforced', async () => {
    stage.apply(sensor('provider: XDS'));
    await waitFor('an Envoy without our filters', () => wired(false));
    expect(stage.get<{ items: unknown[] }>('envoyfilters').items).toEqual([]);
    await stage.answered(thief);
  });

  test('brings the pods of a Gateway to Picket', async () => {
    stage.apply(sensor('provider: Istio, gateways: [web]'));
    await waitFor('an Envoy with our filters', () => wired(true));
    await stage.programmed(/^True Connected: 1 of 1 Envoys/);
  });
});

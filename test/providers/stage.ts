/** What the tests of providers play on: a real API server and NATS, operator and analyzer outside of pods, and an API. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RiskVerdict, TrafficSensor } from '@picket/crds/gen/types.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { expect } from 'vitest';
import { attacker, createStage, ordinaryTraffic, refused } from '../e2e/stage.ts';
import { type ForeignSource, foreignDefinitions } from '../support/definitions.ts';
import { startAnalyzerProcess, startOperatorProcess } from '../support/deployment.ts';
import { chart, runHelm } from '../support/helm.ts';
import { kubectl, missingKubectl } from '../support/kubectl.ts';
import {
  accountKubeconfig,
  adminApi,
  applyDefinitions,
  installDefinitions,
  type Kubernetes,
  kubernetesMissing,
  startKubernetes,
} from '../support/kubernetes.ts';
import { startNats } from '../support/nats.ts';
import { freePorts } from '../support/ports.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';

/** Why the stage cannot be set here, or undefined. */
export function stageMissing(): string | undefined {
  return (
    kubernetesMissing() ??
    findTool('helm').missing ??
    findTool('envoy').missing ??
    findTool('nats-server').missing ??
    missingKubectl
  );
}

/** Name of the sensor and of the fleet. */
export const fleet = 'edge';

export interface ProviderStage {
  readonly kubernetes: Kubernetes;
  readonly admin: ApiServer;
  /** Port for the listener of the Gateway. */
  readonly traffic: number;
  apply(text: string): void;
  get<T>(...args: string[]): T;
  /** Waits for the sensor's condition, as "status reason: message". */
  programmed(expected: RegExp): Promise<void>;
  /** Leaked passwords from one address until Envoy refuses it, while ordinary people get their answers. */
  attack(address: string): Promise<void>;
  /** Waits until the address is answered again. */
  answered(address: string): Promise<void>;
  close(): Promise<void>;
}

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
    account: { requestField: /username }
    success: { anyOf: [ { status: [200] } ] }
`;

/**
 * @param chartValues with which the chart gives the operator its rights; it has no others
 * @param operatorArgs besides the addresses
 */
export async function createProviderStage(
  definitions: readonly ForeignSource[],
  chartValues: readonly string[],
  operatorArgs: readonly string[],
): Promise<ProviderStage> {
  const closing = new AsyncDisposableStack();
  try {
    const [kubernetes, nats, stage] = await Promise.all([startKubernetes(), startNats(), createStage('Enforce')]);
    closing.defer(() => stage.close());
    closing.defer(() => kubernetes.stop());
    closing.defer(() => nats.stop());
    const admin = adminApi(kubernetes.kubeconfig);
    closing.defer(() => admin.close());
    await installDefinitions(kubernetes.kubeconfig);
    for (const source of definitions) await applyDefinitions(admin, await foreignDefinitions(source));
    const [als = 0, alsHealth = 0, xds = 0, xdsHealth = 0, traffic = 0] = await freePorts(5);
    stage.write('api.yaml', api);
    kubectl(kubernetes.kubeconfig, 'apply', '-f', stage.manifests);
    const common = { folder: join(stage.folder, 'processes'), natsUrl: nats.url, fleet };
    const operator = await startOperatorProcess({
      ...common,
      kubeconfig: await operatorAccount(kubernetes, chartValues, stage.folder),
      identity: 'operator-0',
      ports: { health: xdsHealth, listen: xds },
      args: [
        ...['--lease-namespace', release, '--lease-name', 'picket-operator'],
        ...['--envoy-xds', `127.0.0.1:${xds}`, '--envoy-als', `127.0.0.1:${als}`, ...operatorArgs],
      ],
    });
    closing.defer(async () => void (await operator.stop()));
    const analyzer = await startAnalyzerProcess({
      ...common,
      kubeconfig: kubernetes.kubeconfig,
      ports: { health: alsHealth, listen: als },
      args: ['--history', stage.history],
    });
    closing.defer(async () => void (await analyzer.stop()));
    await Promise.all([operator.ready(), analyzer.ready()]);

    const get = <T>(...args: string[]): T =>
      JSON.parse(kubectl(kubernetes.kubeconfig, 'get', ...args, '-o', 'json')) as T;
    const programmed = (): string => {
      const { status } = get<TrafficSensor>('tsen', fleet);
      const found = status?.conditions?.find(({ type }) => type === 'Programmed');
      return found ? `${found.status} ${found.reason}: ${found.message}` : '';
    };
    return {
      kubernetes,
      admin,
      traffic,
      get,
      apply(text) {
        stage.write('provider.yaml', text);
        kubectl(kubernetes.kubeconfig, 'apply', '--server-side', '-f', join(stage.manifests, 'provider.yaml'));
      },
      async programmed(expected) {
        let last = '';
        await waitFor(
          `Programmed ${expected.source}`,
          () => {
            last = programmed();
            return expected.test(last) || undefined;
          },
          { timeoutMs: 200_000, everyMs: 300 },
        ).catch((error: Error) => {
          throw new Error(`${error.message}; it is ${last}`, { cause: error });
        });
      },
      async attack(address) {
        const people = ordinaryTraffic(traffic);
        await waitFor('people who are served', () => people.sent() > 5 || undefined);
        const client = attacker(traffic, address);
        for (let i = 0; i < 40; i++) await client.login(`account-${i}`, 'leaked');
        client.close();
        await refused({ ports: { traffic } }, address);
        const { status } = await waitFor(
          'an acknowledged verdict',
          () =>
            get<{ items: RiskVerdict[] }>('rv').items.find(({ status }) =>
              status?.conditions?.some(({ type, reason }) => type === 'Programmed' && reason === 'Acknowledged'),
            ),
          { everyMs: 300 },
        );
        // Accounts are in the bodies of logins and nowhere else.
        const stuffing = status?.findings?.find(({ detector }) => detector === 'credentialStuffing');
        expect(stuffing?.observed).toBeGreaterThan(5);
        const { sent, bad } = await people.stop();
        expect(sent).toBeGreaterThan(5);
        expect(bad).toEqual([]);
      },
      async answered(address) {
        const client = attacker(traffic, address);
        await waitFor(`an answer to ${address}`, async () =>
          (await client.get('/v1/basket')) === 200 ? true : undefined,
        );
        client.close();
      },
      close: () => closing.disposeAsync(),
    };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

const release = 'picket-system';

/** A kubeconfig of the operator's ServiceAccount, with the rights that the chart gives it. */
async function operatorAccount(
  kubernetes: Kubernetes,
  chartValues: readonly string[],
  folder: string,
): Promise<string> {
  kubectl(kubernetes.kubeconfig, 'create', 'namespace', release);
  const rendered = await runHelm([
    ...['template', 'picket', chart, '--namespace', release, ...chartValues.flatMap((value) => ['--set', value])],
    ...['rbac', 'service-accounts'].flatMap((name) => ['--show-only', `templates/${name}.yaml`]),
  ]);
  if (rendered.code !== 0) throw new Error(rendered.err);
  const path = join(folder, 'rights.yaml');
  writeFileSync(path, `${rendered.out}\n---\n${lease}`);
  kubectl(kubernetes.kubeconfig, 'apply', '-f', path);
  const account = { namespace: release, name: 'picket-operator' };
  return accountKubeconfig(kubernetes, account, join(folder, 'operator.kubeconfig'));
}

const lease = `apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: { name: picket-operator, namespace: ${release} }
spec: {}
`;

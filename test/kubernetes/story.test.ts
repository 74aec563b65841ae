/**
 * The whole path against a real API server, etcd, NATS and Envoy, with operator and analyzer as processes outside of pods:
 * what `kubectl get` shows, what Envoy does, and that nothing which dies fails a caller.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BehaviorPolicy, RiskVerdict } from '@picket/crds/gen/types.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { shopClusterMissing } from '../cluster/cluster.ts';
import {
  answered,
  answerTo,
  createStage,
  ordinaryTraffic,
  policy,
  provoke,
  type Stage,
  type Watched,
} from '../e2e/stage.ts';
import { type Component, startAnalyzerProcess, startOperatorProcess } from '../support/deployment.ts';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { kubectl, missingKubectl, parseTable } from '../support/kubectl.ts';
import { installDefinitions, type Kubernetes, kubernetesMissing, startKubernetes } from '../support/kubernetes.ts';
import { type NatsServer, startNats } from '../support/nats.ts';
import { runPicket } from '../support/picket.ts';
import { freePorts } from '../support/ports.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';

const missing =
  inject('missing') || (findTool('envoy').missing ?? findTool('nats-server').missing ?? missingKubectl ?? '');
const fleet = 'shop';
/** Refused from the first test on. */
let attacker = '127.81.1.1';

describe.skipIf(missing !== '')(missing || 'Picket on a real API server', () => {
  let kubernetes: Kubernetes;
  let nats: NatsServer;
  let stage: Stage;
  let envoy: Envoy;
  let analyzer: Component;
  const operators: Component[] = [];
  let people: ReturnType<typeof ordinaryTraffic>;
  let watched: Watched;

  const get = (...args: string[]): string => kubectl(kubernetes.kubeconfig, 'get', ...args);
  const apply = (text: string, name: string): void => {
    stage.write(name, text);
    kubectl(kubernetes.kubeconfig, 'apply', '-f', join(stage.manifests, name));
  };
  const common = () => ({
    folder: join(stage.folder, 'processes'),
    kubeconfig: kubernetes.kubeconfig,
    natsUrl: nats.url,
    fleet,
  });
  const startOperator = async (identity: string, ports?: { health: number; listen: number }): Promise<Component> => {
    const operator = await startOperatorProcess({ ...common(), identity, ...(ports ? { ports } : {}) });
    operators.push(operator);
    return operator;
  };

  beforeAll(async () => {
    kubernetes = await startKubernetes({ controllers: kubernetesMissing({ controllers: true }) === undefined });
    await installDefinitions(kubernetes.kubeconfig);
    nats = await startNats();
    stage = await createStage('Enforce', { denyFor: '10m' });
    kubectl(kubernetes.kubeconfig, 'apply', '-f', stage.manifests);
    const [xds = 0, xdsHealth = 0, als = 0, alsHealth = 0, traffic = 0] = await freePorts(5);
    const first = await startOperator('operator-0', { health: xdsHealth, listen: xds });
    await first.ready();
    analyzer = await startAnalyzerProcess({
      ...common(),
      ports: { health: alsHealth, listen: als },
      args: ['--history', stage.history],
    });
    await analyzer.ready();
    const printed = await runPicket([
      ...['envoy', 'bootstrap', '--manifests', stage.manifests, '--fleet', fleet, '--node', 'envoy-0'],
      ...['--upstream', `127.0.0.1:${stage.upstreamPort}`, '--listen', `127.0.0.1:${traffic}`],
      ...['--als', `127.0.0.1:${als}`, '--xds', `127.0.0.1:${xds}`, '--envoy-admin', '127.0.0.1:0'],
    ]);
    expect(printed.err).toBe('');
    envoy = await startEnvoy({ bootstrap: printed.out });
    people = ordinaryTraffic(traffic);
    watched = {
      ports: { traffic },
      get process() {
        return analyzer.process;
      },
      verdicts: async () => (JSON.parse(get('rv', '-A', '-o', 'json')) as { items: RiskVerdict[] }).items,
    };
  });

  afterAll(async () => {
    const traffic = await people?.stop();
    await envoy?.stop();
    await analyzer?.stop();
    for (const operator of operators) await operator.stop();
    await nats?.stop();
    await kubernetes?.stop();
    await stage?.close();
    // Whatever died meanwhile, nobody in good standing got another answer than the application's.
    expect(traffic?.sent).toBeGreaterThan(50);
    expect(traffic?.bad).toEqual([]);
  });

  const conditions = (kind: string, name: string): Record<string, string> =>
    Object.fromEntries(
      (
        JSON.parse(get(kind, name, '-o', 'json')) as {
          status?: { conditions?: { type: string; status: string; reason: string }[] };
        }
      ).status?.conditions?.map(({ type, status, reason }) => [type, `${status} ${reason}`]) ?? [],
    );
  const row = (kind: string, name: string): Record<string, string> | undefined =>
    parseTable(get(kind)).find((found) => found['NAME'] === name);

  test('an attacker is refused, and kubectl get shows who, why and until when', async () => {
    const verdict = await provoke(watched, attacker);
    expect(verdict.status?.decision).toMatchObject({ action: 'Deny', mode: 'Enforce' });
    const { name } = verdict.metadata;
    await waitFor('one of one Envoys in the verdict', () =>
      conditions('rv', name)['Programmed'] === 'True Acknowledged' ? true : undefined,
    );
    expect(row('rv', name)).toMatchObject({
      API: 'shop',
      PRINCIPAL: expect.stringMatching(/^Address\/[0-9a-f]{8}$/),
      LEVEL: expect.stringMatching(/^(High|Critical)$/),
      ACTION: 'Deny',
      WHY: expect.stringContaining('CredentialStuffing'),
      EXPIRES: expect.stringMatching(/^\d{4}-/),
    });
    await waitFor(
      'risk in the API',
      () =>
        /^(High|Critical)$/.test(row('papi', 'shop')?.['LEVEL'] ?? '') && row('papi', 'shop')?.['ENFORCING'] === '1'
          ? true
          : undefined,
      { everyMs: 500 },
    );
    expect(Number(row('papi', 'shop')?.['RISK'])).toBeGreaterThanOrEqual(60);
    expect(Number(row('papi', 'shop')?.['RPS'])).toBeGreaterThan(0);
    await waitFor('acting in the policy', () => (row('bpol', 'shop')?.['ACTING'] === '1' ? true : undefined), {
      everyMs: 500,
    });
    expect(row('bpol', 'shop')).toMatchObject({ MODE: 'Enforce', TARGETS: '1', ACCEPTED: 'True', PROGRAMMED: 'True' });
    expect(conditions('papi', 'shop')).toMatchObject({
      Accepted: 'True Accepted',
      ResolvedRefs: 'True ResolvedRefs',
      Programmed: 'True Acknowledged',
      Observing: expect.stringMatching(/^True/),
    });
    expect(get('picket', '-o', 'name')).toContain(`riskverdict.picket.dev/${name}`);
    expect(get('rv', name, '-o', 'yaml')).not.toContain(attacker);
  });

  test('a review with kubectl lifts the decision', async () => {
    const { metadata } = await provoke(watched, '127.81.2.1');
    const review = { spec: { review: { disposition: 'FalsePositive', by: 'ops@example.com' } } };
    kubectl(kubernetes.kubeconfig, 'patch', 'rv', metadata.name, '--type', 'merge', '-p', JSON.stringify(review));
    await answered(watched, '127.81.2.1', 200);
    await waitFor('the review in status', () =>
      conditions('rv', metadata.name)['Reviewed'] === 'True FalsePositive' ? true : undefined,
    );
  });

  test('a mistake is refused by the API server, with the words of our validator', () => {
    expect(() => apply(policy('Enfroce'), 'policy.yaml')).toThrow(
      'spec.mode: Unsupported value: "Enfroce": supported values: "Observe", "DryRun", "Enforce"',
    );
  });

  test('an object that needs another one says so in a condition and an event', async () => {
    apply(
      `apiVersion: picket.dev/v1alpha1
kind: ProtectedAPI
metadata: { name: routed, namespace: default }
spec: { targetRefs: [ { group: gateway.networking.k8s.io, kind: HTTPRoute, name: nowhere } ] }
`,
      'routed.yaml',
    );
    await waitFor('the condition', () =>
      conditions('papi', 'routed')['ResolvedRefs'] === 'False TargetNotFound' ? true : undefined,
    );
    await waitFor('the event', () =>
      get('events', '--field-selector', 'involvedObject.name=routed').includes('no HTTPRoute nowhere')
        ? true
        : undefined,
    );
    kubectl(kubernetes.kubeconfig, 'delete', 'papi', 'routed');
    expect(conditions('papi', 'shop')['Accepted']).toBe('True Accepted');
  });

  test('a decision runs out, and traffic flows again', async () => {
    apply(policy('Enforce', { denyFor: '20s' }), 'policy.yaml');
    await policyInForce();
    const { status } = await provoke(watched, '127.81.3.1');
    await answered(watched, '127.81.3.1', 200);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(status?.decision?.expiresAt ?? '') - 50);
    apply(policy('Enforce'), 'policy.yaml');
    await policyInForce();
  });

  test('a sensor says how many Envoys there should be, and grants hosts that it can take back', async () => {
    const pod = (name: string): void => {
      const container = { name: 'envoy', image: 'envoy' };
      const body = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, labels: { app: 'envoy' } },
        spec: { containers: [container] },
      };
      stage.write(`${name}.pod`, JSON.stringify(body));
      kubectl(kubernetes.kubeconfig, 'apply', '-f', join(stage.manifests, `${name}.pod`));
      const ready = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } };
      kubectl(
        kubernetes.kubeconfig,
        'patch',
        'pod',
        name,
        '--subresource',
        'status',
        '--type',
        'merge',
        '-p',
        JSON.stringify(ready),
      );
    };
    const sensor = (grant: string): string => `apiVersion: picket.dev/v1alpha1
kind: TrafficSensor
metadata: { name: ${fleet}, namespace: default }
spec: { ${grant}, envoy: { provider: XDS, selector: { matchLabels: { app: envoy } } } }
`;
    if (!get('sa').includes('default')) kubectl(kubernetes.kubeconfig, 'create', 'sa', 'default');
    pod('envoy-a');
    pod('envoy-b');
    apply(sensor('namespaces: [default]'), 'sensor.yaml');
    await waitFor('one of two', () => (conditions('tsen', fleet)['Programmed'] === 'False Pending' ? true : undefined));
    kubectl(kubernetes.kubeconfig, 'delete', 'pod', 'envoy-b', '--force', '--grace-period=0');
    await waitFor(
      'one of one',
      () => (conditions('tsen', fleet)['Programmed'] === 'True Connected' ? true : undefined),
      { everyMs: 500 },
    );
    await answered(watched, attacker, 403);
    apply(sensor('namespaces: [elsewhere]'), 'sensor.yaml');
    await waitFor('the grant gone', () =>
      conditions('papi', 'shop')['Accepted'] === 'False NotGranted' ? true : undefined,
    );
    await answered(watched, attacker, 200);
    await waitFor('nothing said of what nobody judges', async () =>
      (await watched.verdicts()).length === 0 ? true : undefined,
    );
    kubectl(kubernetes.kubeconfig, 'delete', 'tsen', fleet);
    await waitFor('the grant back', () =>
      conditions('papi', 'shop')['Accepted'] === 'True Accepted' ? true : undefined,
    );
    await policyInForce();
    attacker = '127.81.4.1';
    await provoke(watched, attacker);
  });

  // In pods where a node can run: `node.test.ts`.
  const killing = shopClusterMissing() === undefined ? undefined : describe;
  killing?.('whatever is killed, nobody is let through or held up, and all comes together again', () => {
    /** A new attacker is judged, refused and shown, so every part works. */
    let attackers = 0;
    const converged = async (): Promise<void> => {
      await answered(watched, attacker, 403);
      const address = `127.82.${++attackers}.1`;
      const { metadata } = await provoke(watched, address);
      await waitFor(
        'acknowledged in status',
        () => (conditions('rv', metadata.name)['Programmed'] === 'True Acknowledged' ? true : undefined),
        { everyMs: 300 },
      );
    };
    const portsOf = ({ port, healthUrl }: Component) => ({ listen: port, health: Number(new URL(healthUrl).port) });
    const kill = async (component: Component): Promise<void> => {
      component.process.signal('SIGKILL');
      await component.process.ended;
      expect(await answerTo(watched, attacker)).toBe(403);
    };
    const restartOperator = async (): Promise<void> => {
      const last = operators.at(-1) as Component;
      await (await startOperator('operator-0', portsOf(last))).ready();
    };
    const restartAnalyzer = async (): Promise<void> => {
      analyzer = await startAnalyzerProcess({ ...common(), ports: portsOf(analyzer) });
      await analyzer.ready();
    };

    test('the operator', async () => {
      await kill(operators.at(-1) as Component);
      await restartOperator();
      await converged();
    });

    test('the analyzer', async () => {
      await kill(analyzer);
      await restartAnalyzer();
      await converged();
    });

    test('NATS', async () => {
      await nats.stop({ keepData: true });
      expect(await answerTo(watched, attacker)).toBe(403);
      nats = await startNats({ folder: nats.folder, port: nats.port });
      await converged();
    });

    test('the API server', async () => {
      kubernetes.apiServer.signal('SIGKILL');
      await kubernetes.apiServer.ended;
      expect(await answerTo(watched, attacker)).toBe(403);
      await kubernetes.restartApiServer();
      await converged();
    });

    test('all at once', async () => {
      await kill(operators.at(-1) as Component);
      await kill(analyzer);
      kubernetes.apiServer.signal('SIGKILL');
      await kubernetes.apiServer.ended;
      await nats.stop({ keepData: true });
      expect(await answerTo(watched, attacker)).toBe(403);
      nats = await startNats({ folder: nats.folder, port: nats.port });
      await kubernetes.restartApiServer();
      await restartOperator();
      await restartAnalyzer();
      await converged();
    });
  });

  test('deleting the policy removes what was enforced', async () => {
    kubectl(kubernetes.kubeconfig, 'delete', 'bpol', 'shop');
    await answered(watched, attacker, 200);
    await waitFor('no decision is left in status', async () =>
      (await watched.verdicts()).every(({ status }) => status?.decision === undefined) ? true : undefined,
    );
  });

  /** The operator has compiled the newest policy; the analyzer takes it over at its next tick. */
  async function policyInForce(): Promise<void> {
    await waitFor('the policy in force', () => {
      const { metadata, status } = JSON.parse(get('bpol', 'shop', '-o', 'json')) as BehaviorPolicy;
      return status?.observedGeneration === metadata.generation ? true : undefined;
    });
    await sleep(3_000);
  }
});

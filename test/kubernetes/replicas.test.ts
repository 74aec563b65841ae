/** Two replicas of the operator: both serve filters, one writes, and when it dies the other takes over. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProtectedAPI } from '@picket/crds/gen/types.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createStage, policy, type Stage } from '../e2e/stage.ts';
import { type Component, startOperatorProcess } from '../support/deployment.ts';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { kubectl, missingKubectl } from '../support/kubectl.ts';
import { installDefinitions, type Kubernetes, startKubernetes } from '../support/kubernetes.ts';
import { type NatsServer, startNats } from '../support/nats.ts';
import { runPicket } from '../support/picket.ts';
import { freePort } from '../support/ports.ts';
import { waitFor } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';

const missing =
  inject('missing') || (findTool('envoy').missing ?? findTool('nats-server').missing ?? missingKubectl ?? '');
const fleet = 'shop';

interface AuditEvent {
  verb: string;
  userAgent: string;
  stageTimestamp: string;
  objectRef?: { apiGroup?: string; resource: string; subresource?: string; name?: string };
  responseStatus?: { code: number };
}

interface LeaseSpec {
  holderIdentity: string;
  leaseDurationSeconds: number;
  acquireTime: string;
  renewTime: string;
  leaseTransitions: number;
}

describe.skipIf(missing !== '')(missing || 'two operators on a real API server', () => {
  let kubernetes: Kubernetes;
  let nats: NatsServer;
  let stage: Stage;
  const replicas = new Map<string, Component>();
  const envoys: Envoy[] = [];

  beforeAll(async () => {
    kubernetes = await startKubernetes({ audit: true });
    await installDefinitions(kubernetes.kubeconfig);
    nats = await startNats();
    stage = await createStage();
    kubectl(kubernetes.kubeconfig, 'apply', '-f', stage.manifests);
    for (const identity of ['operator-a', 'operator-b']) {
      const replica = await startOperatorProcess({
        ...{ folder: join(stage.folder, 'processes'), kubeconfig: kubernetes.kubeconfig },
        ...{ natsUrl: nats.url, fleet, identity },
      });
      await replica.ready();
      replicas.set(identity, replica);
      envoys.push(await startEnvoy({ bootstrap: await bootstrapFor(replica.port, `envoy-of-${identity}`) }));
    }
  });

  afterAll(async () => {
    for (const envoy of envoys) await envoy.stop();
    for (const replica of replicas.values()) await replica.stop();
    await nats?.stop();
    await kubernetes?.stop();
    await stage?.close();
  });

  async function bootstrapFor(xds: number, node: string): Promise<string> {
    const traffic = await freePort();
    const printed = await runPicket([
      ...['envoy', 'bootstrap', '--manifests', stage.manifests, '--fleet', fleet, '--node', node],
      ...['--upstream', `127.0.0.1:${stage.upstreamPort}`, '--listen', `127.0.0.1:${traffic}`],
      ...['--xds', `127.0.0.1:${xds}`, '--envoy-admin', '127.0.0.1:0'],
    ]);
    expect(printed.err).toBe('');
    return printed.out;
  }

  /** Waits for it: on a slow machine a leader may come too late to renew, and then nobody leads for a while. */
  const leader = (): Promise<string> =>
    waitFor('a leader', async () => {
      for (const [identity, replica] of replicas)
        if ((await replica.metric('picket_operator_leading')) === 1) return identity;
      return undefined;
    });
  const readApi = (): ProtectedAPI =>
    JSON.parse(kubectl(kubernetes.kubeconfig, 'get', 'papi', 'shop', '-o', 'json')) as ProtectedAPI;
  const readLease = (): LeaseSpec =>
    (JSON.parse(kubectl(kubernetes.kubeconfig, 'get', 'lease', 'picket-operator', '-o', 'json')) as { spec: LeaseSpec })
      .spec;
  const audit = (): AuditEvent[] =>
    readFileSync(join(kubernetes.folder, 'audit.log'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEvent);
  const replicaOf = ({ userAgent }: AuditEvent): string => /\((operator-.)\)/.exec(userAgent)?.[1] ?? '';

  test('one leads, both serve, and status counts the Envoys of both', async () => {
    await leader();
    const told = await waitFor('both Envoys in status', () => {
      const found = readApi().status?.conditions?.find(({ type }) => type === 'Programmed');
      return found?.message.startsWith('2 of 2') ? found : undefined;
    });
    expect(told).toMatchObject({ status: 'True', reason: 'Acknowledged' });
    expect(audit().filter(isStatusWrite).length).toBeGreaterThan(0);
    expect(writtenWithoutLease()).toEqual([]);
  });

  // When it may begin is shown with clocks that are moved by hand: see lease.test.ts.
  test('the leader is killed: the other leads once the lease has run out, and at no time did both write', async () => {
    const first = await leader();
    const other = first === 'operator-a' ? 'operator-b' : 'operator-a';
    const killed = replicas.get(first);
    killed?.process.signal('SIGKILL');
    await killed?.process.ended;
    replicas.delete(first);
    const left = readLease();
    expect(left).toMatchObject({ holderIdentity: first, leaseDurationSeconds: 10 });
    expect(await leader()).toBe(other);
    const taken = readLease();
    expect(taken).toMatchObject({ holderIdentity: other, leaseTransitions: left.leaseTransitions + 1 });
    const silentMs = Date.parse(taken.acquireTime) - Date.parse(left.renewTime);
    expect(silentMs).toBeGreaterThanOrEqual(left.leaseDurationSeconds * 1_000);
    stage.write('policy.yaml', policy('Observe'));
    kubectl(kubernetes.kubeconfig, 'apply', '-f', join(stage.manifests, 'policy.yaml'));
    await waitFor('the new leader writes', () => {
      const writes = audit().filter((event) => isStatusWrite(event) && replicaOf(event) === other);
      return writes.length > 0 ? true : undefined;
    });
    expect(writtenWithoutLease()).toEqual([]);
    // The Envoy of the dead replica goes on with what it has, and status says that it is not seen.
    await waitFor(
      'the lost Envoy in status',
      () => {
        const found = readApi().status?.conditions?.find(({ type }) => type === 'Programmed');
        return found?.message.startsWith('1 of 1') ? true : undefined;
      },
      { everyMs: 1_000 },
    );
  });

  test('a leader that is asked to end gives the lease back, and the next one need not wait', async () => {
    const joining = await startOperatorProcess({
      ...{ folder: join(stage.folder, 'processes'), kubeconfig: kubernetes.kubeconfig },
      ...{ natsUrl: nats.url, fleet, identity: 'operator-c' },
    });
    await joining.ready();
    replicas.set('operator-c', joining);
    const first = await leader();
    const leaving = replicas.get(first) as Component;
    replicas.delete(first);
    expect(await leaving.stop()).toBe(0);
    const [next = ''] = replicas.keys();
    expect(await leader()).toBe(next);
  });

  /** Writes of status by replicas that were not the last to write the Lease. */
  function writtenWithoutLease(): AuditEvent[] {
    let holder = '';
    return audit().filter((event) => {
      if (isLeaseWon(event)) holder = replicaOf(event);
      return isStatusWrite(event) && replicaOf(event) !== holder;
    });
  }

  function isStatusWrite({ verb, objectRef, responseStatus }: AuditEvent): boolean {
    const { apiGroup, subresource } = objectRef ?? {};
    return verb === 'patch' && apiGroup === 'picket.dev' && subresource === 'status' && responseStatus?.code === 200;
  }

  function isLeaseWon({ verb, objectRef, responseStatus }: AuditEvent): boolean {
    return (
      objectRef?.name === 'picket-operator' &&
      objectRef.resource === 'leases' &&
      ['create', 'update'].includes(verb) &&
      (responseStatus?.code ?? 500) < 300
    );
  }
});

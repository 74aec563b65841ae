/**
 * Picket by its charts, NATS, the sample shop and two Envoys on a whole node, all of them pods from images of this checkout: what
 * `kubectl get` shows and what the Envoys do.
 */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BehaviorPolicy } from '@picket/crds/gen/types.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ShopCluster, shopClusterMissing, startShopCluster } from '../cluster/cluster.ts';
import { kubectlOn, picketNamespace } from '../cluster/install.ts';
import { answered, ordinaryTraffic, provoke, type Watched } from '../e2e/stage.ts';
import { parseTable } from '../support/kubectl.ts';
import type { ClusterNode } from '../support/node/node.ts';
import { waitFor } from '../support/processes.ts';

const missing = shopClusterMissing();

describe.skipIf(missing)(`Picket in pods of a whole node${missing ? ` (${missing})` : ''}`, () => {
  let cluster: ShopCluster;
  let node: ClusterNode;
  let watched: Watched;
  let people: ReturnType<typeof ordinaryTraffic>;
  /** Refused from the first test on. */
  let veteran: string;
  let attackers = 0;
  const newAttacker = (): string => cluster.strangerAddress(attackers++);
  const kubectl = (...args: string[]): Promise<string> => kubectlOn(node, ...args);

  beforeAll(async () => {
    cluster = await startShopCluster();
    ({ node, watched } = cluster);
    people = ordinaryTraffic(watched.ports.traffic, cluster.crowd);
    veteran = newAttacker();
  }, 900_000);

  afterAll(async () => {
    const traffic = await people?.stop();
    await node?.stop();
    expect(existsSync(node.folder)).toBe(false);
    expect(networkInterfaces()[node.network.name]).toBeUndefined();
    // Whatever died or was replaced meanwhile, nobody in good standing got another answer than the shop's.
    expect(traffic?.sent).toBeGreaterThan(100);
    expect(traffic?.bad).toEqual([]);
  }, 180_000);

  const row = async (kind: string, name: string): Promise<Record<string, string>> =>
    parseTable(await kubectl('get', kind)).find((found) => found['NAME'] === name) ?? {};
  /** Waits until the columns that `kubectl get` shows of an object match. */
  const shows = (kind: string, name: string, columns: Record<string, RegExp>): Promise<Record<string, string>> =>
    waitFor(
      `${kind} ${name}: ${Object.entries(columns).join(' ')}`,
      async () => {
        const found = await row(kind, name).catch(() => undefined);
        return found && Object.entries(columns).every(([column, form]) => form.test(found[column] ?? ''))
          ? found
          : undefined;
      },
      { timeoutMs: 40_000, everyMs: 500 },
    );
  const programmed = (name: string): Promise<true> =>
    waitFor(
      `${name} acknowledged by both Envoys`,
      async () => {
        const counts = 'jsonpath={.status.enforcement.programmedEnvoys}/{.status.enforcement.totalEnvoys}';
        return (await kubectl('get', 'rv', name, '-o', counts).catch(() => '')) === '2/2' || undefined;
      },
      { timeoutMs: 40_000, everyMs: 500 },
    );
  /** A new attacker is judged, refused and shown, so every part works; the first one stays refused. */
  const converged = async (): Promise<void> => {
    await answered(watched, veteran, 403);
    const { metadata } = await provoke(watched, newAttacker());
    await programmed(metadata.name);
  };

  test('an attacker is refused by Envoy, and kubectl get shows who, why and until when', async () => {
    const { metadata } = await provoke(watched, veteran);
    await programmed(metadata.name);
    await shows('rv', metadata.name, {
      API: /^shop$/,
      PRINCIPAL: /^Address\/[0-9a-f]{8}$/,
      LEVEL: /^(High|Critical)$/,
      ACTION: /^Deny$/,
      WHY: /CredentialStuffing/,
    });
    await shows('papi', 'shop', { LEVEL: /^(High|Critical)$/, ENFORCING: /^1$/, RPS: /^[1-9]/, P99: /ms$/ });
    await shows('bpol', 'shop', { MODE: /^Enforce$/, ACCEPTED: /^True$/, PROGRAMMED: /^True$/, ACTING: /^1$/ });
    expect(await kubectl('get', 'picket', '-A', '-o', 'yaml')).not.toContain(veteran);
  });

  test('a decision runs out, and traffic flows again', async () => {
    await setPolicy({ responses: [{ level: 'High', action: 'Deny', for: '10s' }] });
    const address = newAttacker();
    const { status } = await provoke(watched, address);
    await answered(watched, address, 200, 25_000);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(status?.decision?.expiresAt ?? '') - 50);
    await setPolicy({ responses: [{ level: 'High', action: 'Deny', for: '30m' }] });
  });

  test('the operators are killed, nobody is let through or held up, and all comes together again', async () => {
    const pods = ['-n', picketNamespace, '-l', 'app.kubernetes.io/component=operator'];
    await kubectl('delete', 'pod', ...pods, '--grace-period=0', '--force', '--wait=false');
    await answered(watched, veteran, 403, 1_000);
    await kubectl('-n', picketNamespace, 'rollout', 'status', 'deployment/picket-operator', '--timeout=90s');
    await converged();
  });

  /** Changes the policy and waits until it is in force: compiled by the operator, taken over by the analyzer at its next tick. */
  async function setPolicy(spec: object): Promise<void> {
    await kubectl('patch', 'bpol', 'shop', '--type', 'merge', '-p', JSON.stringify({ spec }));
    await waitFor('the policy in force', async () => {
      const { metadata, status } = JSON.parse(await kubectl('get', 'bpol', 'shop', '-o', 'json')) as BehaviorPolicy;
      return status?.observedGeneration === metadata.generation || undefined;
    });
    await sleep(1_500);
  }
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { BehaviorPolicy, Condition, ProtectedAPI, ReputationFeed, RiskVerdict } from '@picket/crds/gen/types.ts';
import { objectSchemas } from '@picket/crds/validate.ts';
import { type Operator, startOperator } from '@picket/operator/operator.ts';
import { DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { CompiledPolicySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Bucket, decisionKey, policyKey } from '@picket/proto/subjects.ts';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { openFolderStore, type FolderStore } from '@picket/runtime/objects/folder-store.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startEnvoy } from '../support/envoy.ts';
import { createHttpClient } from '../support/http-client.ts';
import { bootstrapFor, decision, fleetName, portOf, startApplication, user } from './ecds-fixture.ts';

const orders = `
apiVersion: picket.dev/v1alpha1
kind: ProtectedAPI
metadata: { name: orders, namespace: shop }
spec:
  hosts: [shop.example]
  pathPrefix: /orders
  contract: { configMapKeyRef: { name: orders-openapi, key: openapi.yaml } }
  identity:
    principals:
    - kind: User
      from: { header: { name: x-user } }
      enforceAs: { prefix: 16 }
`;
const contract = `
apiVersion: v1
kind: ConfigMap
metadata: { name: orders-openapi, namespace: shop }
data:
  openapi.yaml: |
    openapi: 3.0.3
    paths:
      /orders/{id}: { get: {} }
`;
const strict = `
apiVersion: picket.dev/v1alpha1
kind: BehaviorPolicy
metadata: { name: strict, namespace: shop }
spec:
  mode: Enforce
  targetRefs: [ { kind: ProtectedAPI, name: orders } ]
`;

describe('the operator over a folder of manifests and a real Envoy', () => {
  const cleanups: (() => unknown)[] = [];
  let folder: string;
  let store: FolderStore;
  let operator: Operator;
  const bus = createMemoryBus();

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'picket-operator-'));
    mkdirSync(join(folder, 'manifests'));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function start(files: Record<string, string>): Promise<void> {
    for (const [name, text] of Object.entries(files)) write(name, text);
    store = await openFolderStore({
      folder: join(folder, 'manifests'),
      stateFile: join(folder, 'state.json'),
      schemas: objectSchemas,
      clock: systemClock,
      logger: silentLogger,
      debounceMs: 20,
    });
    cleanups.push(() => store.close());
    operator = await startOperator({
      objects: store,
      bus,
      clock: systemClock,
      log: silentLogger,
      random: () => 0.5,
      listen: { host: '127.0.0.1', port: 0 },
      fleet: fleetName,
    });
    cleanups.push(() => operator.close());
  }

  function write(name: string, text: string): void {
    writeFileSync(join(folder, 'manifests', name), text);
  }

  async function condition(kind: string, name: string, type: string): Promise<Condition | undefined> {
    const object = await store.get<ProtectedAPI | BehaviorPolicy | ReputationFeed | RiskVerdict>({
      kind,
      namespace: 'shop',
      name,
    });
    return object?.status?.conditions?.find((c) => c.type === type);
  }
  const reason = async (kind: string, name: string, type: string) => (await condition(kind, name, type))?.reason;

  async function published(name: string) {
    const bytes = await (await bus.bucket(Bucket.policy)).get(policyKey({ namespace: 'shop', api: name }));
    return bytes && fromBinary(CompiledPolicySchema, bytes);
  }

  test('a manifest becomes policy, a decision is enforced, and status says what Envoy acknowledged', async () => {
    await start({ 'orders.yaml': orders, 'contract.yaml': contract, 'policy.yaml': strict });
    expect((await published('orders'))?.operations.map((o) => o.template)).toEqual(['/orders/{id}']);
    expect((await published('orders'))?.behavior?.policy).toBe('shop/strict');
    await expect.poll(() => reason('ProtectedAPI', 'orders', 'Programmed')).toBe('NoEnvoys');

    const application = await startApplication([]);
    cleanups.push(() => application.close());
    const policies = [...operator.policies().values()];
    const envoy = await startEnvoy({ bootstrap: bootstrapFor(policies, operator.xdsPort, portOf(application)) });
    cleanups.push(() => envoy.stop());
    await expect.poll(() => reason('ProtectedAPI', 'orders', 'Programmed')).toBe('Acknowledged');

    const uid = policies[0]?.apiUid ?? '';
    const denial = decision({ id: 'dec-1', match: [user('mallory')] });
    Object.assign(denial, { apiUid: uid, policy: 'shop/strict', verdict: 'orders-user-1' });
    await store.apply(
      {
        apiVersion: 'picket.dev/v1alpha1',
        kind: 'RiskVerdict',
        metadata: { name: 'orders-user-1', namespace: 'shop' },
        spec: { apiRef: { name: 'orders' }, principal: { kind: 'User', pseudonym: denial.pseudonym } },
      },
      'picket-analyzer',
    );
    await expect.poll(() => reason('RiskVerdict', 'orders-user-1', 'Programmed')).toBe('NoDecision');
    const key = decisionKey({ ...denial, namespace: 'shop', api: 'orders' });
    await (await bus.bucket(Bucket.decisions)).put(key, toBinary(DecisionSchema, denial));
    await expect.poll(() => reason('RiskVerdict', 'orders-user-1', 'Programmed')).toBe('Acknowledged');
    const verdict = await store.get<RiskVerdict>({ kind: 'RiskVerdict', namespace: 'shop', name: 'orders-user-1' });
    expect(verdict?.status?.enforcement).toMatchObject({ programmedEnvoys: 1, totalEnvoys: 1 });
    await expect.poll(() => reason('BehaviorPolicy', 'strict', 'Enforced')).toBe('Acknowledged');

    const client = createHttpClient({ port: await envoy.listenerPort('ingress') });
    cleanups.push(() => client.close());
    const get = async (headers: Record<string, string>) =>
      (await client.send({ method: 'GET', path: '/orders/1', headers: { host: 'shop.example', ...headers } })).status;
    expect(await get({ 'x-user': 'mallory' })).toBe(403);
    expect(await get({ 'x-user': 'alice' })).toBe(200);

    // The API goes, and with it its policy and every decision on it.
    rmSync(join(folder, 'manifests', 'orders.yaml'));
    await expect.poll(() => get({ 'x-user': 'mallory' })).toBe(200);
    expect(await published('orders')).toBeUndefined();
  });

  test('a broken contract keeps the last good operations and never stops another object', async () => {
    await start({ 'orders.yaml': orders, 'contract.yaml': contract, 'policy.yaml': strict });
    write('contract.yaml', contract.replace('openapi: 3.0.3', 'openapi: seven'));
    write('more.yaml', orders.replace('name: orders,', 'name: more,').replace('/orders', '/more'));
    await expect.poll(() => reason('ProtectedAPI', 'orders', 'ResolvedRefs')).toBe('ContractUnreadable');
    expect((await condition('ProtectedAPI', 'orders', 'ResolvedRefs'))?.message).toContain('configMapKeyRef');
    await expect.poll(() => published('more')).toBeDefined();
    expect((await published('orders'))?.operations.length).toBe(1);
    write('contract.yaml', contract);
    await expect.poll(() => reason('ProtectedAPI', 'orders', 'ResolvedRefs')).toBe('ResolvedRefs');
  });

  test('of two APIs on one host and prefix the older stays and the newer hears its name', async () => {
    await start({ 'orders.yaml': orders, 'contract.yaml': contract });
    write('rival.yaml', orders.replace('name: orders,', 'name: rival,'));
    await expect.poll(() => reason('ProtectedAPI', 'rival', 'Accepted')).toBe('HostConflict');
    expect((await condition('ProtectedAPI', 'rival', 'Accepted'))?.message).toContain('shop/orders');
    expect(await reason('ProtectedAPI', 'orders', 'Accepted')).toBe('Accepted');
    expect(await published('rival')).toBeUndefined();
  });

  test('the more specific policy wins and the loser says who beat it', async () => {
    const selecting = `
apiVersion: picket.dev/v1alpha1
kind: BehaviorPolicy
metadata: { name: everything, namespace: shop }
spec:
  mode: Observe
  targetSelector: { matchLabels: {} }
`;
    await start({ 'orders.yaml': orders, 'contract.yaml': contract, 'a.yaml': selecting, 'b.yaml': strict });
    await expect.poll(() => reason('BehaviorPolicy', 'everything', 'Attached')).toBe('Conflicted');
    expect((await condition('BehaviorPolicy', 'everything', 'Attached'))?.message).toContain('shop/strict');
    expect(await reason('BehaviorPolicy', 'strict', 'Attached')).toBe('Attached');
  });

  test('a reputation list reaches the policy of its namespace', async () => {
    const feed = `
apiVersion: picket.dev/v1alpha1
kind: ReputationFeed
metadata: { name: bad, namespace: shop }
spec: { source: { configMapKeyRef: { name: lists, key: bad } }, format: Netset, kind: Address, weight: 0.4, ttl: 24h }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: lists, namespace: shop }
data: { bad: "192.0.2.0/24\\n" }
`;
    await start({ 'orders.yaml': orders, 'contract.yaml': contract, 'feed.yaml': feed });
    await expect.poll(async () => (await published('orders'))?.reputation[0]?.cidrs).toEqual(['192.0.2.0/24']);
    await expect.poll(() => reason('ReputationFeed', 'bad', 'Loaded')).toBe('Loaded');
  });
});

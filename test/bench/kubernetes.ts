/** What thousands of APIs cost the operator and the API server: from nothing to status, at rest, and while one is edited. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPublisher, type Publisher } from '@picket/analyzer/publish/publisher.ts';
import { sampleVerdict } from '@picket/analyzer/publish/verdict-fixture.ts';
import type { Verdict } from '@picket/analyzer/verdict.ts';
import type { ProtectedAPI, RiskVerdict } from '@picket/crds/gen/types.ts';
import { kindResources } from '@picket/crds/resources.ts';
import { Action, Mode } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { openKubernetesStore } from '@picket/runtime/objects/kubernetes/kubernetes-store.ts';
import { startOperatorProcess } from '../support/deployment.ts';
import {
  adminApi,
  createNamespace,
  installDefinitions,
  type Kubernetes,
  startKubernetes,
} from '../support/kubernetes.ts';
import { startNats } from '../support/nats.ts';
import { waitFor } from '../support/processes.ts';

export interface KubernetesFigures {
  apis: number;
  /** Start of the operator until every API has its status. */
  statusSeconds: number;
  operatorCpuSeconds: number;
  apiServerCpuSeconds: number;
  operatorMegabytes: number;
  etcdMegabytes: number;
  /** Nothing happens: CPU per second of wall clock. */
  restOperatorCpu: number;
  /** One object is edited as fast as the API server takes it. */
  editsPerSecond: number;
  editOperatorCpu: number;
  /** From the last edit to its status. */
  editSettledSeconds: number;
  verdicts: VerdictFigures;
}

/** Verdicts on all APIs, and figures of each of them every five seconds, as an attack on a busy cluster brings. */
export interface VerdictFigures {
  newPerMinute: number;
  minutes: number;
  /** At any time. */
  mostObjects: number;
  mostObjectsOfOneApi: number;
  /** What the analyzer asks of the API server, per second. */
  statusWritesPerSecond: number;
  createsPerSecond: number;
  deletesPerSecond: number;
  readsPerSecond: number;
  /** Said last and not written yet, at the end. */
  waiting: number;
  failures: number;
  /** Cores. */
  publisherCpu: number;
  operatorCpu: number;
  apiServerCpu: number;
  etcdCpu: number;
  etcdMegabytes: number;
  largestVerdictBytes: number;
}

const namespace = 'bench';
const path = `/apis/picket.dev/v1alpha1/namespaces/${namespace}/protectedapis`;

export async function runKubernetes(
  elapsed: () => number,
  apis: number,
  verdictMinutes: number,
): Promise<KubernetesFigures> {
  const kubernetes = await startKubernetes();
  const nats = await startNats();
  const admin = adminApi(kubernetes.kubeconfig);
  try {
    await installDefinitions(kubernetes.kubeconfig);
    await createNamespace(admin, namespace);
    await eachOf(apis, 16, (i) => apply(admin, i, `api-${i}.example.com`));
    const apiServerBefore = cpuSecondsOf(kubernetes.apiServer.pid);
    const startedAt = elapsed();
    const operator = await startOperatorProcess({
      ...{ folder: join(kubernetes.folder, 'operator'), kubeconfig: kubernetes.kubeconfig },
      ...{ natsUrl: nats.url, fleet: 'bench', identity: 'bench', args: ['--log-level', 'info'] },
    });
    try {
      await waitFor('status everywhere', async () => ((await withoutStatus(admin)) === 0 ? true : undefined), {
        timeoutMs: 540_000,
        everyMs: 1_000,
        process: operator.process,
      });
      const statusSeconds = (elapsed() - startedAt) / 1000;
      const operatorCpuSeconds = cpuSecondsOf(operator.process.pid);
      const apiServerCpuSeconds = cpuSecondsOf(kubernetes.apiServer.pid) - apiServerBefore;
      await sleep(2_000);
      const rest = await cpuShareOf(operator.process.pid, elapsed, () => sleep(10_000));
      let edits = 0;
      const editing = await cpuShareOf(operator.process.pid, elapsed, async () => {
        const until = elapsed() + 10_000;
        for (; elapsed() < until; edits++) await apply(admin, 0, `edited-${edits}.example.com`);
      });
      const editedAt = elapsed();
      await waitFor('the last edit in status', async () => ((await isSettled(admin, 0)) ? true : undefined));
      const editSettledSeconds = round((elapsed() - editedAt) / 1000);
      const operatorMegabytes = megabytesOf(operator.process.pid);
      const etcdMegabytes = etcdMegabytesOf(kubernetes);
      const verdicts = await runVerdicts(kubernetes, operator.process.pid, elapsed, apis, verdictMinutes);
      return {
        apis,
        statusSeconds: round(statusSeconds),
        operatorCpuSeconds: round(operatorCpuSeconds),
        apiServerCpuSeconds: round(apiServerCpuSeconds),
        operatorMegabytes,
        etcdMegabytes,
        restOperatorCpu: rest.share,
        editsPerSecond: Math.round(edits / editing.seconds),
        editOperatorCpu: editing.share,
        editSettledSeconds,
        verdicts,
      };
    } finally {
      await operator.stop();
    }
  } finally {
    admin.close();
    await nats.stop();
    await kubernetes.stop();
  }
}

async function runVerdicts(
  kubernetes: Kubernetes,
  operatorPid: number,
  elapsed: () => number,
  apis: number,
  minutes: number,
): Promise<VerdictFigures> {
  const newPerMinute = 1_000;
  const counts = { status: 0, create: 0, delete: 0, read: 0 };
  const api = adminApi(kubernetes.kubeconfig);
  const counting: ApiServer = {
    ...api,
    request(method, path, options) {
      if (method === 'PATCH') counts[path.endsWith('/status') ? 'status' : 'create']++;
      else counts[method === 'DELETE' ? 'delete' : 'read']++;
      return api.request(method, path, options);
    },
  };
  const objects = openKubernetesStore({
    ...{ api: counting, resources: kindResources, namespaces: [], clock: systemClock, log: silentLogger },
    ...{ random: Math.random, reporter: { component: 'bench', instance: 'bench' } },
  });
  const bus = createMemoryBus();
  const publisher = createPublisher({ objects, bus, clock: systemClock, ledger: createLedger(), log: silentLogger });
  const flusher = setInterval(() => void publisher.flush(), 100);
  const pids = { operator: operatorPid, apiServer: kubernetes.apiServer.pid, etcd: kubernetes.etcd.pid };
  const before = {
    operator: cpuSecondsOf(pids.operator),
    apiServer: cpuSecondsOf(pids.apiServer),
    etcd: cpuSecondsOf(pids.etcd),
  };
  const ownBefore = process.cpuUsage();
  const startedAt = elapsed();
  let said = 0;
  let mostObjects = 0;
  let mostObjectsOfOneApi = 0;
  let largestVerdictBytes = 0;
  try {
    for (let second = 0; second < minutes * 60; second++) {
      for (; said < ((second + 1) * newPerMinute) / 60; said++) publisher.verdict(attackerOn(said, apis));
      // The last ones go on: each of them is said again, with another score.
      for (let i = Math.max(0, said - 300); i < said; i++) publisher.verdict(attackerOn(i, apis, second));
      if (second % 5 === 0) for (let i = 0; i < apis; i++) sayFigures(publisher, i, second);
      if (second % 15 === 14) {
        const { items } = await api.request<{ items: RiskVerdict[] }>('GET', '/apis/picket.dev/v1alpha1/riskverdicts', {
          query: { resourceVersion: 0 },
        });
        mostObjects = Math.max(mostObjects, items.length);
        for (const of of Map.groupBy(items, ({ spec }) => spec.apiRef.name).values())
          mostObjectsOfOneApi = Math.max(mostObjectsOfOneApi, of.length);
        for (const item of items) largestVerdictBytes = Math.max(largestVerdictBytes, JSON.stringify(item).length);
      }
      await sleep(Math.max(0, startedAt + (second + 1) * 1_000 - elapsed()));
    }
    const seconds = (elapsed() - startedAt) / 1000;
    const own = process.cpuUsage(ownBefore);
    const cores = (name: keyof typeof pids): number => round((cpuSecondsOf(pids[name]) - before[name]) / seconds);
    return {
      ...{ newPerMinute, minutes, mostObjects, mostObjectsOfOneApi },
      statusWritesPerSecond: round(counts.status / seconds),
      createsPerSecond: round(counts.create / seconds),
      deletesPerSecond: round(counts.delete / seconds),
      readsPerSecond: round(counts.read / seconds),
      waiting: publisher.stats().waiting,
      failures: publisher.stats().failures,
      publisherCpu: round((own.user + own.system) / 1e6 / seconds),
      ...{ operatorCpu: cores('operator'), apiServerCpu: cores('apiServer'), etcdCpu: cores('etcd') },
      etcdMegabytes: etcdMegabytesOf(kubernetes),
      largestVerdictBytes,
    };
  } finally {
    clearInterval(flusher);
    await publisher.flush();
    await objects.close();
    await bus.close();
  }
}

/** Half of all attack one API, the others all of them; every third is acted on. */
function attackerOn(n: number, apis: number, moment = 0): Verdict {
  const name = `api-${n % 2 === 0 ? 0 : n % apis}`;
  const now = Date.now();
  const decision = {
    ...{ id: `d-${n}`, action: Action.DENY, mode: Mode.ENFORCE, policy: `${namespace}/all`, policyRevision: 'r1' },
    ...{ decidedAt: now, expiresAt: now + 600_000, evidenceCompleteAt: now },
  };
  return sampleVerdict({
    api: `${namespace}/${name}`,
    name: `${name}-address-${n}`,
    score: 60 + ((n + moment) % 40),
    ...{ firstSeen: now, lastSeen: now, expiresAt: now + 600_000 },
    ...(n % 3 === 0 ? { decision } : {}),
  });
}

/** Traffic of which one API in ten changes by more than a tenth in a minute. */
function sayFigures(publisher: Publisher, i: number, second: number): void {
  const rps = i % 10 === 0 ? 100 + second * 2 : 100 + (second % 3);
  publisher.status('ProtectedAPI', `${namespace}/api-${i}`, {
    status: { risk: { score: 0, level: 'None', topPrincipals: [], topFindings: [] } },
    figures: {
      traffic: {
        ...{
          requestsPerSecond: rps,
          errorRatio: 0.01,
          p50Ms: 5,
          p95Ms: 20,
          p99Ms: 40,
          window: '5m',
          completeness: 0.9998,
        },
      },
    },
    conditions: [{ type: 'Observing', status: 'True', reason: 'RecordsArriving', message: 'requests arrived' }],
  });
}

async function apply(admin: ApiServer, i: number, host: string): Promise<void> {
  await admin.request('PATCH', `${path}/api-${i}`, {
    query: { fieldManager: 'bench', force: true },
    contentType: 'application/apply-patch+yaml',
    body: {
      apiVersion: 'picket.dev/v1alpha1',
      kind: 'ProtectedAPI',
      metadata: { name: `api-${i}`, namespace },
      spec: { hosts: [host] },
    },
  });
}

async function eachOf(count: number, atOnce: number, act: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

async function withoutStatus(admin: ApiServer): Promise<number> {
  const { items } = await admin.request<{ items: ProtectedAPI[] }>('GET', path, { query: { resourceVersion: 0 } });
  return items.filter(({ status }) => status?.observedGeneration === undefined).length;
}

async function isSettled(admin: ApiServer, i: number): Promise<boolean> {
  const { metadata, status } = await admin.request<ProtectedAPI>('GET', `${path}/api-${i}`);
  return status?.observedGeneration === metadata.generation;
}

async function cpuShareOf(
  pid: number,
  elapsed: () => number,
  act: () => Promise<unknown>,
): Promise<{ share: number; seconds: number }> {
  const [before, startedAt] = [cpuSecondsOf(pid), elapsed()];
  await act();
  const seconds = (elapsed() - startedAt) / 1000;
  return { share: round((cpuSecondsOf(pid) - before) / seconds), seconds };
}

/** User and system time of a process; a clock tick is 10 ms on Linux. */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function etcdMegabytesOf(kubernetes: Kubernetes): number {
  return Math.round(statSync(join(kubernetes.folder, 'etcd/member/snap/db')).size / 1e6);
}

function megabytesOf(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1000);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

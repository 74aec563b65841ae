/** What thousands of APIs cost the operator and the API server: from nothing to status, at rest, and while one is edited. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProtectedAPI } from '@picket/crds/gen/types.ts';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { startOperatorProcess } from '../support/deployment.ts';
import { adminApi, createNamespace, installDefinitions, startKubernetes } from '../support/kubernetes.ts';
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
}

const namespace = 'bench';
const path = `/apis/picket.dev/v1alpha1/namespaces/${namespace}/protectedapis`;

export async function runKubernetes(elapsed: () => number, apis: number): Promise<KubernetesFigures> {
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
      return {
        apis,
        statusSeconds: round(statusSeconds),
        operatorCpuSeconds: round(operatorCpuSeconds),
        apiServerCpuSeconds: round(apiServerCpuSeconds),
        operatorMegabytes: megabytesOf(operator.process.pid),
        etcdMegabytes: Math.round(statSync(join(kubernetes.folder, 'etcd/member/snap/db')).size / 1e6),
        restOperatorCpu: rest.share,
        editsPerSecond: Math.round(edits / editing.seconds),
        editOperatorCpu: editing.share,
        editSettledSeconds: round((elapsed() - editedAt) / 1000),
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

function megabytesOf(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1000);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

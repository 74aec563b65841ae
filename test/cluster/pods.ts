/** The pods of Picket on a node: how they are killed, and when all of them are there again. */
import { runToEnd } from '../support/commands.ts';
import type { ClusterNode } from '../support/node/node.ts';
import { waitFor } from '../support/processes.ts';
import { kubectlOn, picketNamespace } from './install.ts';

export const components = ['operator', 'analyzer', 'nats'] as const;
export type Component = (typeof components)[number];

interface Pod {
  metadata: { uid: string; deletionTimestamp?: string };
  status?: {
    conditions?: { type: string; status: string }[];
    containerStatuses?: { containerID?: string; ready: boolean }[];
  };
}

async function podsOf(node: ClusterNode, component: Component): Promise<Pod[]> {
  const selector = `app.kubernetes.io/component=${component}`;
  const text = await kubectlOn(node, '-n', picketNamespace, 'get', 'pods', '-l', selector, '-o', 'json');
  return (JSON.parse(text) as { items: Pod[] }).items;
}

/** Of all containers that run in the pods, with the engine's name in front. */
async function containersOf(node: ClusterNode, component: Component): Promise<string[]> {
  const pods = await podsOf(node, component);
  return pods.flatMap(({ status }) => status?.containerStatuses?.flatMap((c) => c.containerID ?? []) ?? []);
}

/** Containers that are to be gone, by component. */
export type Killed = Partial<Record<Component, readonly string[]>>;

/** Takes the pods away at once: their successors start while what runs in them is still ending. */
export async function deletePods(node: ClusterNode, component: Component): Promise<Killed> {
  const killed = { [component]: await containersOf(node, component) };
  const selector = `app.kubernetes.io/component=${component}`;
  const now = ['--grace-period=0', '--force', '--wait=false'];
  await kubectlOn(node, '-n', picketNamespace, 'delete', 'pod', '-l', selector, ...now);
  return killed;
}

/** Kills what runs in all pods without a word to anybody, as a lack of memory would; they stay and begin again. */
export async function crashAll(node: ClusterNode): Promise<Killed> {
  const killed: Killed = {};
  for (const component of components) killed[component] = await containersOf(node, component);
  const ids = Object.values(killed).flatMap((containers) => containers.map((id) => id.replace('containerd://', '')));
  await Promise.all(ids.map((id) => task(node, 'kill', '--signal', 'SIGKILL', id)));
  return killed;
}

async function task(node: ClusterNode, ...args: string[]): Promise<void> {
  const { code, out, err } = await runToEnd('ctr', [
    '--address',
    node.socket,
    '--namespace',
    'k8s.io',
    'task',
    ...args,
  ]);
  if (code !== 0) throw new Error(`ctr task ${args.join(' ')}: ${err || out}`);
}

/** As many as the chart asks for. */
const replicas = { operator: 2, analyzer: 1, nats: 1 } as const;

/** Waits until pods in place of those killed are ready. */
export async function replaced(node: ClusterNode, killed: Killed): Promise<void> {
  for (const component of components) {
    const gone = killed[component];
    if (gone === undefined) continue;
    await waitFor(
      `${component} ready again`,
      async () => {
        const pods = await podsOf(node, component).catch(() => []);
        const ready = pods.filter(
          ({ metadata, status }) =>
            metadata.deletionTimestamp === undefined &&
            status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') &&
            status.containerStatuses?.every(({ containerID = '' }) => !gone.includes(containerID)),
        );
        return ready.length === replicas[component] || undefined;
      },
      { timeoutMs: 300_000, everyMs: 500 },
    );
  }
}

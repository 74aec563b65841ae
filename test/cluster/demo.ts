/**
 * `make demo-kubernetes`: the end-to-end story in pods of a whole Kubernetes node, told in the terminal.
 *
 *   --keep        leave everything running at the end, until interrupted
 *
 * Exit code 0 when everything happened, 1 when something did not or the run was interrupted, 2 for a wrong call or when
 * something is missing.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createScreen } from '../demo/screen.ts';
import { repositoryRoot } from '../support/tools.ts';
import { type ShopCluster, shopClusterMissing, startShopCluster } from './cluster.ts';
import { chapters, createScene, playChapter } from './story.ts';

const screen = createScreen(process.stdout, () => performance.now());
const fail = (message: string, code: number): void => {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
};
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function readArguments(): { keep?: boolean | undefined } | undefined {
  try {
    return parseArgs({ options: { keep: { type: 'boolean' } } }).values;
  } catch (error) {
    fail(messageOf(error), 2);
    return undefined;
  }
}

const flags = readArguments();
const missing = shopClusterMissing();
if (missing !== undefined) fail(`no cluster can be started: ${missing}`, 2);
else if (flags) await tell(flags.keep ?? false);

async function tell(keep: boolean): Promise<void> {
  const interrupted = new AbortController();
  const { signal } = interrupted;
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupted.abort());
  const startedAt = performance.now();
  const seconds = (): string => ((performance.now() - startedAt) / 1000).toFixed(0);
  let cluster: ShopCluster | undefined;
  try {
    screen.line('Picket on Kubernetes, in pods of a node of its own', 'title');
    cluster = await startShopCluster((line) => screen.line(line), signal);
    screen.line(`Picket, the shop and two Envoys are up after ${seconds()} s. From here on people shop.\n`);
    const scene = createScene(cluster, screen);
    try {
      for (const chapter of chapters) {
        signal.throwIfAborted();
        await Promise.race([playChapter(scene, chapter), aborted(signal)]);
      }
    } finally {
      const { sent, bad } = await scene.people.stop();
      screen.line(`${sent} requests of people; ${bad.length} failed.`);
    }
    screen.line(`All of it happened, in ${seconds()} s.`, 'good');
  } catch (error) {
    fail(`not all of it happened: ${messageOf(error)}`, 1);
  }
  if (keep && cluster && !signal.aborted) {
    screen.line('\nEverything keeps running until you press Ctrl-C. In another terminal:');
    screen.line(`  export KUBECONFIG=${cluster.node.kubeconfig} PATH=${join(repositoryRoot, '.tools/bin')}:$PATH`);
    screen.line('  kubectl get papi,rv,bpol');
    screen.line('  kubectl get pods -A');
    screen.line(`  the shop behind Envoy  ${cluster.url}/v1/products`);
    screen.line(`  logs and data          ${cluster.node.folder}`);
    await once(signal, 'abort');
  }
  if (cluster) screen.line('stopping');
  await cluster?.node.stop();
}

async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new Error('interrupted');
}

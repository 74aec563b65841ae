/**
 * `make cluster`: a whole Kubernetes with one node for anybody's own trials, until interrupted. Picket's images, an Envoy
 * and the sample shop are on it; what to type is printed.
 *
 * Exit code 0 when it was stopped, 1 when it did not start, 2 when something is missing.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { nodeMissing, startNode } from '../support/node/node.ts';
import { repositoryRoot } from '../support/tools.ts';
import { clusterImages, valuesFile } from './images.ts';

const say = (line = ''): void => void process.stdout.write(`${line}\n`);
const missing = nodeMissing();
if (missing !== undefined) {
  process.stderr.write(`no cluster can be started: ${missing}\n`);
  process.exit(2);
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

try {
  const startedAt = performance.now();
  const node = await startNode({ onProgress: say, signal: interrupted.signal });
  try {
    say('building and loading the images of Picket; the first time takes minutes');
    const images = await clusterImages(interrupted.signal);
    await node.load(Object.values(images));
    const values = valuesFile(node.folder, images);
    say(`\nThe cluster is up after ${Math.round((performance.now() - startedAt) / 1000)} s. In another terminal:\n`);
    say(`  export KUBECONFIG=${node.kubeconfig} PATH=${join(repositoryRoot, '.tools/bin')}:$PATH`);
    say('  kubectl get nodes');
    say(
      `  helm install picket-crds ${join(repositoryRoot, 'charts/picket-crds')} -n picket-system --create-namespace --wait`,
    );
    say(`  helm install picket ${join(repositoryRoot, 'charts/picket')} -n picket-system -f ${values} --wait`);
    say('\nPods reach this machine and each other, and nothing else. An image of yours:\n');
    say(`  ctr --address ${node.socket} -n k8s.io images import image.tar     # then imagePullPolicy: Never`);
    say('\nCtrl-C ends it and removes everything, data included.');
    if (!interrupted.signal.aborted) await once(interrupted.signal, 'abort');
  } finally {
    say('\nstopping');
    await node.stop();
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = interrupted.signal.aborted ? 0 : 1;
}

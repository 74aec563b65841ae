/** Picket by its charts on a node, and in front of the sample shop two Envoys, all of them pods. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { createTokenSigner, issuer } from '../../examples/shop/tokens.ts';
import type { Door } from '../e2e/stage.ts';
import { chart, crdChart, runHelm } from '../support/helm.ts';
import { runKubectl } from '../support/kubectl.ts';
import type { ClusterNode } from '../support/node/node.ts';
import { runPicket } from '../support/picket.ts';
import { waitFor } from '../support/processes.ts';
import { repositoryRoot } from '../support/tools.ts';
import { type ClusterImages, valuesFile } from './images.ts';

export const picketNamespace = 'picket-system';
const shopManifests = join(repositoryRoot, 'examples/shop/manifests');

/** Output of kubectl. @throws Error with its complaint */
export async function kubectlOn(node: ClusterNode, ...args: string[]): Promise<string> {
  const { code, out, err } = await runKubectl(args, { KUBECONFIG: node.kubeconfig });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${err || out}`);
  return out;
}

/** @throws Error with what helm said */
export async function helmOn(node: ClusterNode, ...args: string[]): Promise<string> {
  const { code, out, err } = await runHelm([...args, '--namespace', picketNamespace], node.kubeconfig);
  if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${err || out}`);
  return out;
}

export interface InstallOptions {
  images: ClusterImages;
  /** Access log of ordinary days to learn from; at most 1 MB. */
  history: string;
}

const patience = ['--wait', '--timeout', '10m'];

/** Of an upgrade that replaces every pod of Picket and NATS. */
export const upgradeFlags: readonly string[] = [
  ...[chart, '--reuse-values', '--set', 'log.level=debug,nats.podAnnotations.upgraded=yes', ...patience],
];

/** Installs kinds, the objects of the shop, then operator, analyzer and NATS, and waits until all are ready. */
export async function installPicket(node: ClusterNode, { images, history }: InstallOptions): Promise<void> {
  await kubectlOn(node, 'create', 'namespace', picketNamespace);
  const level = 'pod-security.kubernetes.io/enforce=restricted';
  await kubectlOn(node, 'label', 'namespace', picketNamespace, level);
  await helmOn(node, 'install', 'picket-crds', crdChart, '--wait');
  // Before Picket: what it learns from belongs to an API.
  await kubectlOn(node, 'apply', '-f', shopManifests);
  const log = `--from-file=access.log=${history}`;
  await kubectlOn(node, '-n', picketNamespace, 'create', 'configmap', 'history', log);
  await helmOn(
    node,
    ...['install', 'picket', chart, '--values', valuesFile(node.folder, images), ...patience],
    ...['--set', 'analyzer.history.volume.configMap.name=history', '--set', 'analyzer.history.files={access.log}'],
  );
}

/** On a machine with other work an answer may be late; it fails nobody. */
const answerTimeoutMs = 120_000;

/** The shop and its Envoys; resolves to where callers reach it, when it answers. */
export async function openShop(node: ClusterNode, images: ClusterImages): Promise<Exclude<Door, number>> {
  const file = (name: string): string => join(node.folder, name);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(file('shop.pem'), key, { mode: 0o600 });
  writeFileSync(file('jwks.json'), createTokenSigner(key).jwks());
  await kubectlOn(node, 'create', 'secret', 'generic', 'shop-key', `--from-file=key.pem=${file('shop.pem')}`);
  const printed = await runPicket([
    ...['envoy', 'bootstrap', '--manifests', shopManifests, '--fleet', 'default'],
    ...['--upstream', 'shop.default.svc:8080', '--listen', '0.0.0.0:8000'],
    ...['--als', `picket-analyzer.${picketNamespace}.svc:18090`],
    ...['--xds', `picket-operator.${picketNamespace}.svc:18091`],
    ...['--tls-cert', '/etc/picket/tls.crt', '--tls-key', '/etc/picket/tls.key', '--tls-ca', '/etc/picket/ca.crt'],
    ...['--jwt-issuer', issuer, '--jwt-jwks', '/etc/envoy/jwks.json'],
  ]);
  if (printed.code !== 0) throw new Error(`picket envoy bootstrap: ${printed.err}`);
  writeFileSync(file('envoy.yaml'), printed.out);
  const files = ['envoy.yaml', 'jwks.json'].map((name) => `--from-file=${file(name)}`);
  await kubectlOn(node, 'create', 'configmap', 'envoy', ...files);
  await copyCertificate(node);
  for (const name of ['shop', 'envoy'] as const) {
    const path = file(`${name}-objects.yaml`);
    writeFileSync(
      path,
      withImage(readFileSync(join(repositoryRoot, `examples/shop/kubernetes/${name}.yaml`), 'utf8'), images[name]),
    );
    await kubectlOn(node, 'apply', '-f', path);
  }
  for (const name of ['shop', 'envoy'])
    await kubectlOn(node, 'rollout', 'status', `deployment/${name}`, '--timeout=5m');
  const port = await kubectlOn(node, 'get', 'service', 'envoy', '-o', 'jsonpath={.spec.ports[0].nodePort}');
  const door = { host: node.network.nodeAddress, port: Number(port), timeoutMs: answerTimeoutMs };
  // Ready pods are not yet the rules by which kube-proxy finds them.
  await waitFor('an answer of the shop', async () => {
    const answer = await fetch(`http://${door.host}:${door.port}/v1/products`).catch(() => undefined);
    return answer?.ok || undefined;
  });
  return door;
}

/** Envoys live in another namespace than Picket. */
async function copyCertificate(node: ClusterNode): Promise<void> {
  const text = await kubectlOn(node, '-n', picketNamespace, 'get', 'secret', 'picket-envoy-tls', '-o', 'json');
  const { data, type } = JSON.parse(text) as { data: object; type: string };
  const copy = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'picket-envoy-tls' }, type, data };
  const path = join(node.folder, 'envoy-tls.json');
  writeFileSync(path, JSON.stringify(copy), { mode: 0o600 });
  await kubectlOn(node, 'apply', '-f', path);
}

/** Manifests with the image that was built in place of the name that stands there. */
function withImage(text: string, image: string): string {
  return parseAllDocuments(text)
    .map((document) => {
      const object = document.toJS() as { spec: { template?: { spec: { containers: { image: string }[] } } } };
      for (const container of object.spec.template?.spec.containers ?? []) container.image = image;
      return stringify(object);
    })
    .join('---\n');
}

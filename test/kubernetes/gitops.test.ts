/** `examples/gitops`: what its overlays make, and how drift shows on a real API server. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatFieldError, kindNames, validateObject } from '@picket/crds/validate.ts';
import { type Manifest, parseManifests } from '../support/helm.ts';
import { missingKubectl, runKubectl } from '../support/kubectl.ts';
import { type Kubernetes, kubernetesMissing, startKubernetes } from '../support/kubernetes.ts';
import { repositoryRoot } from '../support/tools.ts';

const noKubectl = missingKubectl;
const overlay = (name: string): string => join(repositoryRoot, 'examples/gitops/overlays', name);

async function build(name: string): Promise<Manifest[]> {
  const { code, out, err } = await runKubectl(['kustomize', overlay(name)]);
  expect(code, err).toBe(0);
  return parseManifests(out);
}

const ofKind = (objects: Manifest[], kind: string): Manifest => {
  const found = objects.find((object) => object.kind === kind);
  if (!found) throw new Error(`no ${kind}`);
  return found;
};

describe.skipIf(noKubectl)(`policies from Git${noKubectl ? ` (${noKubectl})` : ''}`, () => {
  it.each([
    ['dev', 'shop-dev', 'Observe'],
    ['prod', 'shop', 'Enforce'],
  ])('%s is valid, in namespace %s, with mode %s', async (name, namespace, mode) => {
    const objects = await build(name);
    for (const object of objects) {
      expect(object.metadata.namespace).toBe(namespace);
      if (!kindNames.includes(object.kind)) continue;
      expect(validateObject(object.kind, object).errors.map(formatFieldError), object.kind).toEqual([]);
    }
    expect(ofKind(objects, 'BehaviorPolicy').spec).toMatchObject({ mode });
    // A changed contract has another name, so the API must follow it.
    expect(ofKind(objects, 'ProtectedAPI').spec).toMatchObject({
      contract: { configMapKeyRef: { name: ofKind(objects, 'ConfigMap').metadata.name } },
    });
  });

  it('promotes by the one line that says how much of a policy is real', async () => {
    const responses = async (name: string) => ofKind(await build(name), 'BehaviorPolicy').spec?.['responses'];
    expect(await responses('dev')).toEqual(await responses('prod'));
  });
});

const missing = noKubectl ?? kubernetesMissing();

describe.skipIf(missing)(`drift on an API server${missing ? ` (${missing})` : ''}`, () => {
  let kubernetes: Kubernetes;
  let folder: string;
  const kubectl = (...args: string[]) => runKubectl(args, { KUBECONFIG: kubernetes.kubeconfig });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'picket-gitops-'));
    kubernetes = await startKubernetes();
    expect(await kubectl('apply', '--server-side', '-f', join(repositoryRoot, 'crds/gen'))).toMatchObject({ code: 0 });
    await kubectl('wait', '--for=condition=Established', 'crd', '--all');
    await kubectl('create', 'namespace', 'shop');
  });
  afterAll(async () => {
    await kubernetes?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  it('is nothing after an apply, a mode after somebody enforced by hand, and gone after the next apply', async () => {
    expect(await kubectl('apply', '-k', overlay('prod'))).toMatchObject({ code: 0 });
    expect(await kubectl('diff', '-k', overlay('prod'))).toMatchObject({ code: 0, out: '' });
    await kubectl('patch', 'bpol', 'payments', '-n', 'shop', '--type=merge', '-p', '{"spec":{"mode":"Observe"}}');
    const drifted = await kubectl('diff', '-k', overlay('prod'));
    expect(drifted.code).toBe(1);
    expect(drifted.out).toContain('-  mode: Observe');
    expect(drifted.out).toContain('+  mode: Enforce');
    await kubectl('apply', '-k', overlay('prod'));
    expect(await kubectl('diff', '-k', overlay('prod'))).toMatchObject({ code: 0 });
  });

  it('refuses what the rules of the kinds refuse, before anything is changed', async () => {
    const broken = join(folder, 'broken.yaml');
    const [policy] = (await build('prod')).filter(({ kind }) => kind === 'BehaviorPolicy');
    writeFileSync(broken, JSON.stringify({ ...policy, spec: { ...policy?.spec, mode: 'Enforced' } }));
    const { code, err } = await kubectl('diff', '-f', broken);
    expect(code).toBeGreaterThan(1);
    expect(err).toContain('spec.mode: Unsupported value: "Enforced"');
  });
});

/** What a sensor gives to Envoy Gateway and Istio, as the goldens have it, against their own definitions. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { foreignDefinitions, missingGo } from '../support/definitions.ts';
import {
  adminApi,
  applyDefinitions,
  createNamespace,
  type Kubernetes,
  kubernetesMissing,
  startKubernetes,
} from '../support/kubernetes.ts';
import { repositoryRoot } from '../support/tools.ts';

const missing = kubernetesMissing() ?? missingGo;
const goldens = join(repositoryRoot, 'operator/envoy/providers/testdata');

interface Golden {
  apiVersion: string;
  kind: string;
  metadata: { namespace: string; name: string };
  spec: Record<string, unknown>;
}

describe.skipIf(missing)(`definitions of providers${missing ? ` (${missing})` : ''}`, () => {
  let kubernetes: Kubernetes;
  let api: ApiServer;
  const plurals = new Map<string, string>();

  beforeAll(async () => {
    kubernetes = await startKubernetes();
    api = adminApi(kubernetes.kubeconfig);
    for (const source of ['gatewayApi', 'envoyGateway', 'istio'] as const) {
      const definitions = await foreignDefinitions(source);
      expect(definitions.length).toBeGreaterThan(3);
      await applyDefinitions(api, definitions);
      for (const { spec } of definitions) plurals.set(`${spec.group}/${spec.names.kind}`, spec.names.plural);
    }
    await createNamespace(api, 'shop');
  }, 240_000);
  afterAll(async () => {
    api?.close();
    await kubernetes?.stop();
  });

  /** Server-side, as the operator applies it, with every unknown field an error. */
  const apply = (object: Golden): Promise<Golden> => {
    const [group] = object.apiVersion.split('/');
    const { namespace, name } = object.metadata;
    return api.request(
      'PATCH',
      `/apis/${object.apiVersion}/namespaces/${namespace}/${plurals.get(`${group}/${object.kind}`)}/${name}`,
      {
        query: { fieldManager: 'picket-operator', force: true, fieldValidation: 'Strict' },
        contentType: 'application/apply-patch+yaml',
        body: object,
      },
    );
  };

  test.each(readdirSync(goldens))('%s is taken, and nothing of it is dropped', async (file) => {
    const golden = parse(readFileSync(join(goldens, file), 'utf8')) as Golden;
    // What they fill in besides is theirs.
    expect((await apply(golden)).spec).toMatchObject(golden.spec);
  });

  test('a field that they do not have is refused', async () => {
    const golden = parse(readFileSync(join(goldens, 'istio-gateways.yaml'), 'utf8')) as Golden;
    const { configPatches } = golden.spec as { configPatches: object[] };
    golden.metadata.name = 'typo';
    golden.spec = { ...golden.spec, configPatches: [{ ...configPatches[0], aplyTo: 'CLUSTER' }] };
    await expect(apply(golden)).rejects.toThrow(/aplyTo/);
  });
});

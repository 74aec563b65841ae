/** Definitions of others' kinds, out of the Go modules that carry them. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { runToEnd } from './commands.ts';
import type { Definition } from './kubernetes.ts';
import { repositoryRoot } from './tools.ts';

const sources = {
  gatewayApi: {
    module: 'sigs.k8s.io/gateway-api',
    files: /^config\/crd\/experimental\/gateway.*\.yaml$/,
  },
  envoyGateway: {
    module: 'github.com/envoyproxy/gateway',
    files: /^charts\/gateway-crds-helm\/templates\/generated\/.*\.yaml$/,
  },
  istio: {
    module: 'istio.io/api',
    files: /^kubernetes\/customresourcedefinitions\.gen\.yaml$/,
  },
} as const;
/** Why they cannot be had here, or undefined. */
export const missingGo =
  spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0 ? undefined : 'go is not installed';

export type ForeignSource = keyof typeof sources;

/** Reads the definitions of the version that is pinned for the tests; downloads the module if need be. */
export async function foreignDefinitions(source: ForeignSource): Promise<Definition[]> {
  const { module, files } = sources[source];
  const { code, out, err } = await runToEnd('go', ['mod', 'download', '-json', module], {
    cwd: join(repositoryRoot, 'test/kubernetes/tools/providers'),
    env: { GOFLAGS: '-mod=readonly' },
  });
  if (code !== 0) throw new Error(`go mod download ${module}: ${err}`);
  const { Dir: folder } = JSON.parse(out) as { Dir: string };
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => files.test(name))
    .flatMap((name) =>
      // Charts put conditions of Helm around them.
      parseAllDocuments(readFileSync(join(folder, name), 'utf8').replaceAll(/^\{\{.*\}\}$/gm, '')),
    )
    .map((document) => document.toJS() as Definition | null)
    .filter((body) => body?.kind === 'CustomResourceDefinition')
    .filter((body) => body !== null);
}

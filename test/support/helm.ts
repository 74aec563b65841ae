/** Helm on the charts of this checkout, with folders of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type CommandResult, runToEnd } from './commands.ts';
import { repositoryRoot, requireTool } from './tools.ts';

export const chart = join(repositoryRoot, 'charts/picket');
export const crdChart = join(repositoryRoot, 'charts/picket-crds');

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: Record<string, unknown>;
  data?: Record<string, string>;
  [field: string]: unknown;
}

/** Runs `helm`; `kubeconfig` for what asks a cluster. */
export async function runHelm(args: readonly string[], kubeconfig?: string): Promise<CommandResult> {
  const home = mkdtempSync(join(tmpdir(), 'picket-helm-'));
  try {
    return await runToEnd(requireTool('helm'), args, {
      env: {
        HELM_CACHE_HOME: join(home, 'cache'),
        HELM_CONFIG_HOME: join(home, 'config'),
        HELM_DATA_HOME: join(home, 'data'),
        // A cluster of whoever runs the tests is none of their business.
        KUBECONFIG: kubeconfig ?? join(home, 'no-cluster'),
      },
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Objects in the output of `helm template` or `kubectl kustomize`. */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((object) => object !== null);
}

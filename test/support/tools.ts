/** Where the real components of a checkout are, or why a test that needs one is skipped. */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const goTools = [
  'etcd',
  'helm',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'kubelet',
] as const;

const providerTools = ['envoy-gateway'] as const;

export type ToolName = 'envoy' | 'nats-server' | (typeof goTools)[number] | (typeof providerTools)[number];

export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));

/** The Node that runs this program, for child processes. */
export const nodeBinary = process.execPath;

export type Found = { path: string; missing?: undefined } | { path?: undefined; missing: string };

/** Path of a tool, or a sentence that says what to do. */
export function findTool(name: ToolName): Found {
  const path = `${repositoryRoot}.tools/bin/${name}`;
  return existsSync(path) ? { path } : { missing: `${name} is not installed: run make ${targetOf(name)}` };
}

function targetOf(name: ToolName): string {
  if (providerTools.some((tool) => tool === name)) return 'tools-providers';
  return goTools.some((tool) => tool === name) ? 'tools-kubernetes' : 'tools';
}

/** Path of a tool; throws the same sentence. */
export function requireTool(name: ToolName): string {
  const found = findTool(name);
  if (found.path === undefined) throw new Error(found.missing);
  return found.path;
}

/** Path of a program that Debian has; throws how to install it. */
export function requireDebianTool(name: string, debianPackage: string): string {
  for (const folder of ['/usr/bin', '/usr/local/bin', '/bin']) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not here.
    }
  }
  throw new Error(`${name} is not installed: apt-get install ${debianPackage}`);
}

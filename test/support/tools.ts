/** Where the real components of a checkout are, or why a test that needs one is skipped. */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const goTools = [
  'cluster-dns',
  'etcd',
  'helm',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-proxy',
  'kube-scheduler',
  'kubectl',
  'kubelet',
  'pause',
] as const;

const providerTools = ['envoy-gateway', 'pilot-discovery'] as const;

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
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is not installed: apt-get install ${debianPackage}`);
  return path;
}

/** Path of a program of the machine; those of the administrator are in nobody's `PATH`. */
export function findProgram(name: string): string | undefined {
  const folders = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/bin', '/sbin'];
  for (const path of name.startsWith('/') ? [name] : folders.map((folder) => join(folder, name))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

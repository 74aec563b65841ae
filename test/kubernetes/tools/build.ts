/**
 * `make tools-kubernetes`: the programs of a Kubernetes, built from their Go modules because no registry here carries
 * their binaries; `make tools-providers`: the control planes of others that Picket wires Envoys through. Each is built
 * once per version into a folder that outlives the checkout, and linked into `.tools/bin`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { isMain } from '../../support/steps.ts';
import { repositoryRoot } from '../../support/tools.ts';

/** A Go module beside this file, and the programs that come from it; those of one stage are built by one `go build`. */
interface Stage {
  module: 'etcd' | 'kubernetes' | 'helm' | 'node' | 'providers';
  /** Go module whose version the programs have. */
  source: string;
  /** By name of the program; a path that starts with `./` is our own source. */
  packages: Record<string, string>;
}

/** What everything needs comes first; later stages find most of it compiled. */
const kubernetesStages: readonly Stage[] = [
  { module: 'etcd', source: 'go.etcd.io/etcd/server/v3', packages: { etcd: 'go.etcd.io/etcd/server/v3' } },
  kubernetes('kube-apiserver'),
  { module: 'helm', source: 'helm.sh/helm/v4', packages: { helm: 'helm.sh/helm/v4/cmd/helm' } },
  kubernetes('kube-controller-manager', 'kubectl', 'kube-scheduler', 'kubelet', 'kube-proxy'),
  {
    module: 'node',
    source: 'github.com/coredns/coredns',
    packages: { 'cluster-dns': './cluster-dns', pause: './pause' },
  },
];

const providerStages: readonly Stage[] = [
  {
    module: 'providers',
    source: 'github.com/envoyproxy/gateway',
    packages: { 'envoy-gateway': 'github.com/envoyproxy/gateway/cmd/envoy-gateway' },
  },
  {
    module: 'providers',
    source: 'istio.io/istio',
    packages: { 'pilot-discovery': 'istio.io/istio/pilot/cmd/pilot-discovery' },
  },
];

/** What is built together. */
const stagesOf = { kubernetes: kubernetesStages, providers: providerStages } as const;

function kubernetes(...names: string[]): Stage {
  const packages = Object.fromEntries(names.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`]));
  return { module: 'kubernetes', source: 'k8s.io/kubernetes', packages };
}

const here = dirname(new URL(import.meta.url).pathname);

/** Shared by all checkouts of a user. */
function cacheFolder(): string {
  // oxlint-disable-next-line no-restricted-properties -- where a user keeps caches is said by the environment alone
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'picket/tools');
}

/**
 * Builds what the cache lacks, one `go build` after the other at the lowest priority, and links everything.
 *
 * @param onProgress gets one line per build
 * @throws Error that says what to install or what the compiler said
 */
export async function buildTools(
  what: keyof typeof stagesOf,
  onProgress: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  mkdirSync(cacheFolder(), { recursive: true });
  for (const stage of stagesOf[what]) {
    const version = versionOf(stage);
    const cached = (name: string): string => join(cacheFolder(), `${name}-${version}`);
    const missing = Object.keys(stage.packages).filter((name) => !existsSync(cached(name)));
    if (missing.length > 0) {
      requireGo();
      const startedAt = performance.now();
      onProgress(`building ${missing.join(', ')} ${version}; the first time takes a while`);
      await build(stage, missing, version, cached, signal);
      onProgress(`built ${missing.join(', ')} in ${Math.round((performance.now() - startedAt) / 1000)} s`);
    }
    for (const name of Object.keys(stage.packages)) link(name, cached(name));
  }
}

/** Links what an earlier build left; what it did not is left out. */
export function linkBuiltTools(what: keyof typeof stagesOf): void {
  for (const stage of stagesOf[what]) {
    for (const name of Object.keys(stage.packages)) {
      const path = join(cacheFolder(), `${name}-${versionOf(stage)}`);
      if (existsSync(path)) link(name, path);
    }
  }
}

async function build(
  stage: Stage,
  names: readonly string[],
  version: string,
  cached: (name: string) => string,
  signal?: AbortSignal,
): Promise<void> {
  const scratch = join(cacheFolder(), `building-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  // Clients refuse a server of version 0.0.0.
  const [major, minor] = version.slice(1).split('.');
  const stamp = 'k8s.io/component-base/version';
  const flags = `-s -w -X ${stamp}.gitVersion=${version} -X ${stamp}.gitMajor=${major} -X ${stamp}.gitMinor=${minor}`;
  // A single program is written to a file, several go into a folder under the names of their packages.
  const target = names.length === 1 ? join(scratch, names[0] as string) : `${scratch}/`;
  const packages = names.map((name) => stage.packages[name] as string);
  try {
    const child = spawn(
      'nice',
      ['-n', '19', 'go', 'build', '-trimpath', '-ldflags', flags, '-o', target, ...packages],
      {
        cwd: join(here, stage.module),
        // oxlint-disable-next-line no-restricted-properties -- the toolchain's own settings, passed on
        env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false -mod=readonly' },
        stdio: ['ignore', 'ignore', 'pipe'],
        ...(signal ? { signal } : {}),
      },
    );
    const said: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    if (code !== 0) {
      const tail = Buffer.concat(said).toString('utf8').split('\n').slice(-20).join('\n');
      throw new Error(`go build of ${names.join(', ')} failed:\n${tail}`);
    }
    for (const name of names) renameSync(join(scratch, name), cached(name));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Go as new as the modules ask for; an older one is not upgraded behind anybody's back. */
function requireGo(): void {
  const found = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  const [, minor] = /^go1\.(\d+)/.exec(found.stdout ?? '') ?? [];
  if (minor === undefined) throw new Error('go was not found: install Go 1.26 or newer (https://go.dev/dl)');
  if (Number(minor) < 26) throw new Error(`${found.stdout.trim()} is too old: install Go 1.26 or newer`);
}

function versionOf({ module, source, packages }: Stage): string {
  const text = readFileSync(join(here, module, 'go.mod'), 'utf8');
  const version = new RegExp(`^(?:require)?\\s*${source.replaceAll('.', '\\.')} (v\\S+)`, 'm').exec(text)?.[1];
  if (version === undefined) throw new Error(`${module}/go.mod pins no version of ${source}`);
  const own = Object.values(packages).filter((path) => path.startsWith('./'));
  if (own.length === 0) return version;
  const digest = createHash('sha256');
  for (const path of own) digest.update(readFileSync(join(here, module, path, 'main.go')));
  return `${version}-${digest.digest('hex').slice(0, 8)}`;
}

function link(name: string, target: string): void {
  const path = join(repositoryRoot, '.tools/bin', name);
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

if (isMain(import.meta.url)) {
  try {
    const what = process.argv[2] === 'providers' ? 'providers' : 'kubernetes';
    await buildTools(what, (line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

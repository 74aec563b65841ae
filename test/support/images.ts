/**
 * Container images from the Dockerfile of this checkout, where no image registry is in reach: the base is a minimal
 * Debian by debootstrap, and npm comes from the machine. Needs root and the Debian packages buildah and debootstrap.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { type CommandResult, runToEnd } from './commands.ts';
import { findProgram, repositoryRoot, requireTool, type ToolName } from './tools.ts';

export const imageTargets = ['operator', 'analyzer', 'standalone'] as const;
export type ImageTarget = (typeof imageTargets)[number];

const suite = 'bookworm';
const mirror = 'http://deb.debian.org/debian';
const base = `localhost/picket-test/debian:${suite}`;
const buildBase = 'localhost/picket-test/node:24';

/** Shared by all checkouts of a user. */
const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'picket/images');
const authorities = '/etc/ssl/certs/ca-certificates.crt';

/** What is missing to build images, or undefined. */
export function imagesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'images are built as root only';
  const absent = ['buildah', 'debootstrap'].filter((name) => findProgram(name) === undefined);
  return absent.length === 0 ? undefined : `apt-get install ${absent.join(' ')} to build images`;
}

/** Runs buildah on a storage of its own; throws when it fails. */
export async function buildah(args: readonly string[], cwd?: string): Promise<string> {
  return must('buildah', [...storage(), ...args], cwd);
}

let driver: 'overlay' | 'vfs' | undefined;

/** Layers are mounted where the machine lets us, and else copied, which takes many times as long. */
function storageDriver(): 'overlay' | 'vfs' {
  driver ??= mountsOverlays() ? 'overlay' : 'vfs';
  return driver;
}

/** Flags of every call. */
function storage(): string[] {
  const root = join(cache, storageDriver());
  return ['--root', join(root, 'storage'), '--runroot', join(root, 'run'), '--storage-driver', storageDriver()];
}

function mountsOverlays(): boolean {
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'overlay-'));
  const script = 'mkdir a b c d && mount -t overlay overlay -o lowerdir=a,upperdir=b,workdir=c d';
  const { status } = spawnSync('unshare', ['--mount', 'sh', '-c', script], { cwd: folder });
  rmSync(folder, { recursive: true, force: true });
  return status === 0;
}

/**
 * Builds a target, unless these very sources were built before; resolves to its name, `localhost/picket-operator:<digest of
 * the sources>`. Takes minutes the first time.
 */
export async function buildImage(target: ImageTarget): Promise<string> {
  await ensureBase();
  const repository = `localhost/${target === 'standalone' ? 'picket' : `picket-${target}`}`;
  const name = `${repository}:${digestOf(sources)}`;
  if (await present(name)) return name;
  await ensureBuildBase();
  await buildah(
    [
      ...['build', '--isolation', 'chroot', '--pull-never', '--target', target, '--tag', name],
      // Packages are installed again when the lock file changes, not when a source does; copies of layers would cost more.
      ...(storageDriver() === 'overlay' ? ['--layers'] : []),
      ...['--build-arg', `BASE=${base}`, '--build-arg', `BUILD_BASE=${buildBase}`],
      ...['--ignorefile', join(repositoryRoot, '.dockerignore'), '--file', join(repositoryRoot, 'Dockerfile'), '.'],
    ],
    repositoryRoot,
  );
  await removeOld(repository);
  return name;
}

/** Programs of `.tools` as images, for what a cluster runs beside Picket. */
const programs = {
  pause: { tool: 'pause', from: 'scratch', entrypoint: ['/usr/local/bin/pause'] },
  nats: { tool: 'nats-server', from: base, entrypoint: ['nats-server'] },
  envoy: { tool: 'envoy', from: base, entrypoint: ['envoy'] },
} as const satisfies Record<string, { tool: ToolName; from: string; entrypoint: readonly string[] }>;

/** Resolves to its name, `localhost/picket-test/envoy:<size and time of the program>`. */
export async function programImage(name: keyof typeof programs): Promise<string> {
  const { tool, from, entrypoint } = programs[name];
  const path = realpathSync(requireTool(tool));
  const { size, mtimeMs } = statSync(path);
  const image = `localhost/picket-test/${name}:${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}`;
  if (await present(image)) return image;
  if (from === base) await ensureBase();
  await commit(from, image, async (container) => {
    await buildah(['copy', '--quiet', '--chmod', '755', container, path, `/usr/local/bin/${tool}`]);
    await buildah(['config', '--user', '65532:65532', '--entrypoint', JSON.stringify(entrypoint), container]);
  });
  return image;
}

/** The sample shop of `examples/shop`. */
export async function shopImage(): Promise<string> {
  const image = `localhost/picket-test/shop:${digestOf(['examples/shop'])}`;
  if (await present(image)) return image;
  await ensureBase();
  await commit(base, image, async (container) => {
    const node = join(repositoryRoot, 'node_modules/node/bin/node');
    await buildah(['copy', '--quiet', container, node, '/usr/local/bin/node']);
    await buildah(['copy', '--quiet', container, join(repositoryRoot, 'examples/shop'), '/shop']);
    const entrypoint = ['node', '/shop/main.ts'];
    await buildah(['config', '--user', '65532:65532', '--entrypoint', JSON.stringify(entrypoint), container]);
  });
  return image;
}

/** Writes an image with its name into an archive; this kind of archive is not compressed, which would take most of the time. */
export async function exportImage(image: string, archive: string): Promise<void> {
  await buildah(['push', '--quiet', image, `docker-archive:${archive}:${image}`]);
}

/** Runs a command in a container of the image, as its user, on the machine's network. */
export async function runInImage(image: string, command: readonly string[]): Promise<CommandResult> {
  const container = (await buildah(['from', '--pull-never', image])).trim();
  try {
    return await runToEnd('buildah', [...storage(), 'run', '--isolation', 'chroot', container, '--', ...command]);
  } finally {
    await buildah(['rm', container]);
  }
}

const sources = [
  ...['Dockerfile', '.dockerignore', '.npmrc', 'LICENSE', 'NOTICE', 'package.json', 'package-lock.json'],
  ...['proto', 'crds', 'runtime', 'operator', 'analyzer', 'kubectl-risk', 'standalone'],
  ...['charts/package.json', 'test/package.json'],
];

/** Of all files below these paths that an image may hold. */
function digestOf(paths: readonly string[]): string {
  const digest = createHash('sha256');
  const visit = (path: string): void => {
    if (/(^|\/)(node_modules|testdata|testing)$|\.test\.ts$/.test(path)) return;
    const full = join(repositoryRoot, path);
    if (statSync(full).isDirectory()) {
      for (const name of readdirSync(full).toSorted()) visit(join(path, name));
    } else {
      digest.update(`${path}\0`).update(readFileSync(full));
    }
  };
  for (const path of paths) visit(path);
  return digest.digest('hex').slice(0, 12);
}

/** So many of the newest images of a program stay: checkouts that take turns do not build again. */
const kept = 4;

async function removeOld(repository: string): Promise<void> {
  const images = JSON.parse(await buildah(['images', '--json'])) as { names: string[] | null; createdatraw: string }[];
  const own = images
    .flatMap(({ names, createdatraw }) => (names ?? []).map((name) => ({ name, createdatraw })))
    .filter(({ name }) => name.startsWith(`${repository}:`))
    .toSorted((a, b) => Date.parse(b.createdatraw) - Date.parse(a.createdatraw));
  for (const { name } of own.slice(kept)) await buildah(['rmi', name]);
}

async function ensureBase(): Promise<void> {
  if (await present(base)) return;
  const folder = join(cache, suite);
  if (!existsSync(folder)) {
    const building = `${folder}.${process.pid}`;
    mkdirSync(cache, { recursive: true });
    try {
      await must('debootstrap', ['--variant=minbase', suite, building, mirror]);
      renameSync(building, folder);
    } finally {
      rmSync(building, { recursive: true, force: true });
    }
  }
  await commit('scratch', base, async (container) => {
    await buildah(['copy', '--quiet', container, folder, '/']);
  });
}

/** Node and npm as the image `node:24` has them. */
async function ensureBuildBase(): Promise<void> {
  if (await present(buildBase)) return;
  const npm = dirname(dirname(realpathSync((await must('sh', ['-c', 'command -v npm'])).trim())));
  await commit(base, buildBase, async (container) => {
    await buildah([
      'copy',
      '--quiet',
      container,
      join(repositoryRoot, 'node_modules/node/bin/node'),
      '/usr/local/bin/node',
    ]);
    await buildah(['copy', '--quiet', container, npm, '/usr/local/lib/node_modules/npm']);
    await buildah([
      ...['run', '--isolation', 'chroot', container, '--'],
      ...['ln', '-s', '../lib/node_modules/npm/bin/npm-cli.js', '/usr/local/bin/npm'],
    ]);
    // A machine behind a proxy of its own trusts more authorities than Debian does.
    if (existsSync(authorities)) {
      await buildah(['copy', '--quiet', container, authorities, authorities]);
      await buildah(['config', '--env', `NODE_EXTRA_CA_CERTS=${authorities}`, container]);
      await buildah(['config', '--env', `npm_config_cafile=${authorities}`, container]);
    }
  });
}

async function commit(from: string, name: string, fill: (container: string) => Promise<void>): Promise<void> {
  const container = (await buildah(['from', '--pull-never', from])).trim();
  try {
    await fill(container);
    await buildah(['commit', '--quiet', container, name]);
  } finally {
    await buildah(['rm', container]);
  }
}

async function present(name: string): Promise<boolean> {
  return (await buildah(['images', '--json'])).includes(`"${name}"`);
}

async function must(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const { code, out, err } = await runToEnd(command, args, { cwd });
  if (code !== 0)
    throw new Error(`${command} ${args.join(' ')} failed:\n${(err || out).split('\n').slice(-20).join('\n')}`);
  return out;
}

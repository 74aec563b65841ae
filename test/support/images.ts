/**
 * Container images from the Dockerfile of this checkout, where no image registry is in reach: the base is a minimal
 * Debian by debootstrap, and npm comes from the machine. Needs root and the Debian packages buildah and debootstrap.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { type CommandResult, runToEnd } from './commands.ts';
import { repositoryRoot } from './tools.ts';

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
  const absent = ['buildah', 'debootstrap'].filter((name) => !inPath(name));
  return absent.length === 0 ? undefined : `apt-get install ${absent.join(' ')} to build images`;
}

/** Runs buildah on a storage of its own; throws when it fails. */
export async function buildah(args: readonly string[], cwd?: string): Promise<string> {
  const storage = ['--root', join(cache, 'storage'), '--runroot', join(cache, 'run'), '--storage-driver', 'vfs'];
  return must('buildah', [...storage, ...args], cwd);
}

/** Builds a target; resolves to its name, `localhost/picket-operator:test`. Takes minutes the first time. */
export async function buildImage(target: ImageTarget): Promise<string> {
  await ensureBase();
  await ensureBuildBase();
  const name = `localhost/${target === 'standalone' ? 'picket' : `picket-${target}`}:test`;
  await buildah(
    [
      ...['build', '--isolation', 'chroot', '--pull-never', '--target', target, '--tag', name],
      ...['--build-arg', `BASE=${base}`, '--build-arg', `BUILD_BASE=${buildBase}`],
      ...['--ignorefile', join(repositoryRoot, '.dockerignore'), '--file', join(repositoryRoot, 'Dockerfile'), '.'],
    ],
    repositoryRoot,
  );
  return name;
}

/** Runs a command in a container of the image, as its user, on the machine's network. */
export async function runInImage(image: string, command: readonly string[]): Promise<CommandResult> {
  const container = (await buildah(['from', '--pull-never', image])).trim();
  try {
    const storage = ['--root', join(cache, 'storage'), '--runroot', join(cache, 'run'), '--storage-driver', 'vfs'];
    return await runToEnd('buildah', [...storage, 'run', '--isolation', 'chroot', container, '--', ...command]);
  } finally {
    await buildah(['rm', container]);
  }
}

export async function removeImage(image: string): Promise<void> {
  await buildah(['rmi', image]);
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

function inPath(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

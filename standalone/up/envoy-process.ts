/** The Envoy that `picket up --envoy run` supervises: started with a bootstrap of ours, restarted when it dies. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { type BootstrapOptions, renderBootstrap, renderRoutesFile } from '@picket/operator/envoy/render/bootstrap.ts';
import { writeFileAtomic } from '@picket/runtime/atomic-file.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { Logger } from '@picket/runtime/log.ts';
import { checkPortFree } from './endpoint.ts';
import { findOrphan } from './envoy-orphan.ts';

export interface SupervisedEnvoy {
  pid(): number | undefined;
  restarts(): number;
  /** Flow routes follow the policies; Envoy takes the file over when it is replaced. */
  setPolicies(policies: readonly CompiledPolicy[]): Promise<void>;
  stop(): Promise<void>;
}

const maxBackoffMs = 10_000;
const maxLogBytes = 16 * 1024 * 1024;
const saidBytes = 2_000;
const logCheckMs = 10_000;
/** An Envoy that has not opened its port by then goes on trying, and Picket goes on without it. */
const readyMs = 15_000;
const stopGraceMs = 5_000;

/**
 * Resolves when Envoy takes traffic. One that an earlier run left behind goes on serving until then.
 *
 * @throws PicketError AddressInUse when somebody else has the listener's port
 */
export async function startEnvoy(options: {
  binary: string;
  folder: string;
  policies: readonly CompiledPolicy[];
  bootstrap: BootstrapOptions;
  log: Logger;
}): Promise<SupervisedEnvoy> {
  const { folder, log } = options;
  await mkdir(join(folder, 'routes'), { recursive: true, mode: 0o700 });
  const routesFile = join(folder, 'routes', 'routes.json');
  const configFile = resolve(folder, 'bootstrap.json');
  const orphan = await findOrphan(configFile);
  // Envoys share a port among themselves, so only a stranger is in the way.
  if (!orphan) await checkPortFree(options.bootstrap.listener.address, '--listen');
  let routes = '';
  const setPolicies = async (policies: readonly CompiledPolicy[]): Promise<void> => {
    const next = JSON.stringify(renderRoutesFile(policies));
    if (next === routes) return;
    routes = next;
    await writeFileAtomic(routesFile, next);
  };
  await setPolicies(options.policies);
  const bootstrap = { ...options.bootstrap, listener: { ...options.bootstrap.listener, routesFile } };
  await writeFile(configFile, JSON.stringify(renderBootstrap(options.policies, bootstrap), null, 2), { mode: 0o600 });

  // A file and no pipe, because Envoy outlives a Picket that is killed.
  const logFile = join(folder, 'envoy.log');
  const output = await open(logFile, 'a', 0o600);
  const bound = setInterval(() => {
    void output
      .stat()
      .then(({ size }) => (size > maxLogBytes ? output.truncate() : undefined))
      .catch((error: unknown) => log.warn('the log of Envoy cannot be kept short', { error }));
  }, logCheckMs);

  let child: ChildProcess | undefined;
  let stopping = false;
  let restarts = 0;
  let backoffMs = 250;
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    const startedAt = performance.now();
    // With hot restart Envoy asks the kernel to end it when its parent dies, and callers would get no answer.
    child = spawn(options.binary, ['-c', configFile, '--disable-hot-restart', '--log-level', 'warning'], {
      stdio: ['ignore', 'ignore', output.fd],
    });
    child.on('error', (error) => log.error('Envoy did not start', { error }));
    child.on('exit', (code, signal) => {
      child = undefined;
      if (stopping) return;
      restarts++;
      if (performance.now() - startedAt > 30_000) backoffMs = 250;
      const inMs = backoffMs;
      void lastLines(logFile).then((said) =>
        log.error('Envoy ended and is started again', { code, signal, inMs, log: logFile, said }),
      );
      timer = setTimeout(start, backoffMs);
      backoffMs = Math.min(maxBackoffMs, backoffMs * 2);
    });
  };
  start();
  const { host, port } = options.bootstrap.admin;
  const live = await untilLive(`http://${host}:${port}/ready`, () => restarts > 0);
  if (!live) log.error('Envoy is not ready and is tried further', { config: configFile });
  let replacing: Promise<void> = Promise.resolve();
  if (orphan) {
    log.warn('an Envoy of an earlier run was still serving and is replaced', { admin: orphan.admin });
    replacing = orphan
      .retire()
      .catch((error: unknown) => log.warn('the Envoy of the earlier run does not end', { error }));
  }
  return {
    pid: () => child?.pid,
    restarts: () => restarts,
    setPolicies,
    async stop() {
      stopping = true;
      clearTimeout(timer);
      clearInterval(bound);
      await replacing;
      await endChild();
      await output.close();
    },
  };

  async function endChild(): Promise<void> {
    const running = child;
    if (!running) return;
    const gone = new Promise<void>((done) => running.once('exit', () => done()));
    running.kill('SIGTERM');
    const force = setTimeout(() => running.kill('SIGKILL'), stopGraceMs);
    await gone;
    clearTimeout(force);
  }
}

/** What Envoy said last: most often why it ended. */
export async function lastLines(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.slice(-saidBytes).trimEnd().split('\n').slice(-5).join('\n');
}

async function untilLive(url: string, failed: () => boolean): Promise<boolean> {
  const until = performance.now() + readyMs;
  while (performance.now() < until && !failed()) {
    const ready = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) return true;
    await sleep(50);
  }
  return false;
}

/** The flag's binary, else that of the checkout, else the one in PATH. @throws PicketError NotFound */
export async function findEnvoy(flag: string | undefined, checkout: string, path: string): Promise<string> {
  const candidates = flag
    ? [flag]
    : [join(checkout, '.tools/bin/envoy'), ...path.split(delimiter).map((dir) => join(dir, 'envoy'))];
  for (const candidate of candidates)
    if (
      await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  throw new PicketError(
    'NotFound',
    flag
      ? `--envoy-binary: ${flag} is no executable`
      : 'no Envoy found: run "make tools", install envoy, or name one with --envoy-binary',
  );
}

/** Keeps one engine process alive: starts it, restarts it with growing pauses, stops it by its handle. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { StoreEndpoint } from '../clickhouse-store.ts';
import { StoreError } from '../store.ts';
import type { StoreLog } from '../store-log.ts';
import type { FromEngine, ToEngine } from './process-messages.ts';

export interface EngineSupervisorOptions {
  dataDir: string;
  log: StoreLog;
  /** Default 1.5 GiB: the engine refuses queries beyond it instead of growing. */
  maxMemoryBytes?: number;
  /** Runs before the endpoint of a started process is handed out; `unclean` tells how the one before it ended. */
  prepare(endpoint: StoreEndpoint, unclean: boolean): Promise<void>;
  /** Told the endpoint of each process that begins to serve; a restart has a new port and a new password. */
  onServing?(endpoint: StoreEndpoint): void;
  /** Resolve after this long though no process serves yet, and go on trying; without it a failed start is told at once. */
  waitMs?: number;
  /** Pause before the first restart, doubled up to `maxRestartDelayMs`. Defaults 200 ms and 10 s. */
  restartDelayMs?: number;
  maxRestartDelayMs?: number;
}

export interface EngineSupervisor {
  /** Undefined while no process serves. A new object after each start. */
  endpoint(): StoreEndpoint | undefined;
  /** Process id of the running engine, for tests and status. */
  pid(): number | undefined;
  /** Times the process was started again. */
  restarts(): number;
  stop(): Promise<void>;
}

const entry = fileURLToPath(new URL('./main.ts', import.meta.url));
const startTimeoutMs = 60_000;
const stopTimeoutMs = 10_000;

/**
 * Resolves when the first process serves, or after `waitMs`.
 * @throws StoreError `unreadable` when another process holds the folder, `unavailable` when the engine cannot start.
 */
export async function startEngine(options: EngineSupervisorOptions): Promise<EngineSupervisor> {
  const { log } = options;
  const firstDelayMs = options.restartDelayMs ?? 200;
  let delayMs = firstDelayMs;
  let child: ChildProcess | undefined;
  let current: StoreEndpoint | undefined;
  let restarts = 0;
  let stopping = false;
  let restartTimer: NodeJS.Timeout | undefined;

  const launch = async (): Promise<void> => {
    const password = randomBytes(24).toString('base64url');
    const started = fork(entry, [], { execArgv: [], env: {}, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    child = started;
    started.on('error', (error) => log.error({ err: error }, 'store engine process failed'));
    if (started.stderr) {
      createInterface({ input: started.stderr }).on('line', (line) => log.warn({ line }, 'store engine said'));
    }
    const exited = new Promise<void>((resolve) => {
      started.once('exit', (code, signal) => {
        if (child === started) {
          child = undefined;
          current = undefined;
        }
        if (!stopping) log.warn({ code, signal }, 'store engine ended');
        resolve();
      });
    });
    try {
      const ready = await readyOf(started, {
        type: 'start',
        dataDir: options.dataDir,
        maxMemoryBytes: options.maxMemoryBytes ?? 1536 * 1024 * 1024,
        maxAnswerBytes: 64 * 1024 * 1024,
        maxBodyBytes: 64 * 1024 * 1024,
        maxWaiting: 64,
        user: 'picket',
        password,
      });
      const endpoint = { url: `http://127.0.0.1:${ready.port}`, username: 'picket', password };
      await options.prepare(endpoint, ready.unclean);
      if (child !== started) throw new StoreError('unavailable', 'the store engine ended while it was prepared', true);
      current = endpoint;
      delayMs = firstDelayMs;
      options.onServing?.(endpoint);
      log.info({ pid: started.pid, unclean: ready.unclean }, 'store engine ready');
    } catch (error) {
      started.kill('SIGKILL');
      await exited;
      throw error;
    }
    void exited.then(scheduleRestart);
  };

  const scheduleRestart = (): void => {
    if (stopping) return;
    restartTimer = setTimeout(() => {
      restarts++;
      launch().catch((error: unknown) => {
        log.error({ err: error, retryInMs: delayMs }, 'store engine did not start');
        scheduleRestart();
      });
    }, delayMs);
    delayMs = Math.min(delayMs * 2, options.maxRestartDelayMs ?? 10_000);
  };

  const first = launch();
  if (options.waitMs === undefined) await first;
  else {
    // What can pass is tried again. The rest is told, as long as somebody waits to hear it.
    let waiting = true;
    const tried = first.catch((error: unknown) => {
      if (waiting && !(error instanceof StoreError && error.retriable)) throw error;
      log.error({ err: error, retryInMs: delayMs }, 'store engine did not start');
      scheduleRestart();
    });
    await Promise.race([tried, delay(options.waitMs, undefined, { ref: false })]);
    waiting = false;
  }
  return {
    endpoint: () => current,
    pid: () => child?.pid,
    restarts: () => restarts,
    async stop() {
      stopping = true;
      clearTimeout(restartTimer);
      const running = child;
      current = undefined;
      if (!running) return;
      const exited = new Promise<void>((resolve) => running.once('exit', () => resolve()));
      if (running.connected) running.send({ type: 'stop' } satisfies ToEngine);
      else running.kill('SIGKILL');
      const force = setTimeout(() => running.kill('SIGKILL'), stopTimeoutMs);
      await exited;
      clearTimeout(force);
    },
  };
}

async function readyOf(
  child: ChildProcess,
  start: Extract<ToEngine, { type: 'start' }>,
): Promise<Extract<FromEngine, { type: 'ready' }>> {
  const { promise, resolve, reject } = Promise.withResolvers<Extract<FromEngine, { type: 'ready' }>>();
  const fail = (message: string): void => reject(new StoreError('unavailable', message, true));
  const timer = setTimeout(() => fail(`the store engine was not ready after ${startTimeoutMs} ms`), startTimeoutMs);
  const onExit = (code: number | null, signal: string | null): void =>
    fail(`the store engine ended at start with ${signal ?? `code ${code}`}`);
  child.once('exit', onExit);
  child.on('message', (message: FromEngine) => {
    if (message.type === 'ready') resolve(message);
    // Held, it is by the engine of a Picket that was killed, as a rule, which ends as soon as it notices.
    else reject(new StoreError(message.held ? 'unreadable' : 'unavailable', message.message, true));
  });
  child.send(start);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    child.off('exit', onExit);
  }
}

/**
 * Entry of the engine process: takes its settings from the parent over IPC (the password never stands in arguments or
 * environment), serves until told to stop, and dies with the parent.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { openEngine } from './engine.ts';
import { createHttpFront } from './http-front.ts';
import type { FromEngine, ToEngine } from './process-messages.ts';

const tell = (message: FromEngine): void => {
  process.send?.(message);
};

function start(message: Extract<ToEngine, { type: 'start' }>): void {
  const { dataDir } = message;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  // Present while the folder is in use; found at start it tells of an end without a close.
  const marker = path.join(dataDir, 'in-use');
  const unclean = existsSync(marker);
  let engine: ReturnType<typeof openEngine>;
  try {
    engine = openEngine(message);
  } catch (error) {
    const holder = holderOf(dataDir);
    const text = error instanceof Error ? error.message : String(error);
    tell({
      type: 'failed',
      held: holder !== undefined,
      message: holder === undefined ? text : `${dataDir} is in use by process ${holder}`,
    });
    process.disconnect();
    return;
  }
  writeFileSync(marker, `${process.pid}\n`);
  const server = createHttpFront(engine, message);
  const stop = async (): Promise<void> => {
    server.close();
    server.closeIdleConnections();
    await engine.close();
    rmSync(marker, { force: true });
    process.exit(0);
  };
  process.on('message', (next: ToEngine) => {
    if (next.type === 'stop') void stop();
  });
  // The parent is gone: what it had acknowledged is on disk, so nothing is worth staying for.
  process.on('disconnect', () => process.exit(1));
  server.listen(0, '127.0.0.1', () => {
    tell({ type: 'ready', port: (server.address() as AddressInfo).port, unclean });
  });
}

/** The live process that the folder's lock file names (the engine itself says it, as code 76, on stderr only). */
function holderOf(dataDir: string): number | undefined {
  const status = path.join(dataDir, 'status');
  const pid = existsSync(status) ? Number(/PID: (\d+)/.exec(readFileSync(status, 'utf8'))?.[1]) : Number.NaN;
  if (!Number.isInteger(pid) || pid === process.pid) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? pid : undefined;
  }
}

// Signals of a terminal reach the whole group; when to stop is the parent's to say.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.once('message', (message: ToEngine) => {
  if (message.type === 'start') start(message);
});

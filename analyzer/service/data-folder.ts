/** The folder of an analyzer: one process at a time, and the keys without which no later run knows anybody. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '@picket/runtime/clock.ts';
import { PicketError, toPicketError } from '@picket/runtime/errors.ts';
import type { Logger } from '@picket/runtime/log.ts';
import { makeFolder } from '@picket/runtime/make-folder.ts';
import { type KeyRing, KeyRingError, loadOrCreateKeyRing } from '../identify/key-ring.ts';
import { type LockWait, lockDataFolder } from './data-lock.ts';
import { createKeyGuard } from './key-guard.ts';

const keyCheckMs = 1_000;

export interface DataFolder {
  path: string;
  /** As they were at the start. */
  keys: KeyRing;
  /** Told of each ring that comes after it. */
  onKeys(listener: (ring: KeyRing) => void): void;
  close(): Promise<void>;
}

/**
 * Makes the folder if absent and takes it.
 *
 * @param wait for a Picket that holds it to end; without it that is an error
 * @throws PicketError that names `--data`
 */
export async function openDataFolder(path: string, clock: Clock, log: Logger, wait?: LockWait): Promise<DataFolder> {
  await makeFolder(path, 0o700).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST' || error.code === 'ENOTDIR')
      throw new PicketError('InvalidConfig', `--data: ${path} is not a folder`, { cause: error });
    throw toPicketError(error, `--data ${path}`);
  });
  const unlock = await lockDataFolder(path, wait);
  try {
    const file = join(path, 'keys.json');
    const keys = loadOrCreateKeyRing(file, (count) => randomBytes(count), clock.now());
    const guard = createKeyGuard(file, keys, clock, log);
    const guarding = setInterval(() => guard.check(), keyCheckMs);
    return {
      path,
      keys,
      onKeys: (listener) => guard.onChange(listener),
      async close() {
        clearInterval(guarding);
        unlock();
      },
    };
  } catch (error) {
    unlock();
    if (error instanceof KeyRingError) throw new PicketError('InvalidConfig', error.message, { cause: error });
    throw error;
  }
}

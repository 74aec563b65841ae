/** One Picket per data folder: checkpoints and the embedded store have a single writer. */
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PicketError, toPicketError } from '@picket/runtime/errors.ts';

interface Holder {
  pid: number;
  /** When the process began, in ticks since boot; '' where the system does not tell. A reused pid has another. */
  began: string;
}

/**
 * Takes the folder; the returned function gives it back. The lock of a process that is gone is taken over.
 *
 * @param pid of this process
 * @throws PicketError Conflict that names the process that holds it
 */
export async function lockDataFolder(folder: string, pid: number): Promise<() => Promise<void>> {
  const path = join(folder, 'picket.lock');
  const draft = `${path}.${pid}`;
  const mine: Holder = { pid, began: await beganOf(pid) };
  try {
    await writeFile(draft, JSON.stringify(mine), { mode: 0o600 });
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        // Unlike a rename, a link fails where something is, and unlike an open it never shows an empty file.
        await link(draft, path);
        return () => rm(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        const holder = await holderOf(path);
        if (holder && holder.pid !== pid && (await isAlive(holder)))
          throw new PicketError(
            'Conflict',
            `--data: ${folder} is in use by the Picket with process id ${holder.pid}; stop it or name another folder`,
            { reason: 'DataFolderLocked' },
          );
        await rm(path, { force: true });
      }
    }
    throw new PicketError('Conflict', `--data: ${folder} was taken by another Picket just now`, {
      reason: 'DataFolderLocked',
    });
  } catch (error) {
    throw toPicketError(error, `--data ${folder}`);
  } finally {
    await rm(draft, { force: true });
  }
}

async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    const { pid, began } = JSON.parse(await readFile(path, 'utf8')) as Partial<Holder>;
    return typeof pid === 'number' && typeof began === 'string' ? { pid, began } : undefined;
  } catch {
    return undefined;
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // Another user's process is alive, too.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const began = await beganOf(holder.pid);
  return began === '' || holder.began === '' || began === holder.began;
}

async function beganOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; the start time is the 22nd field, the 20th after it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

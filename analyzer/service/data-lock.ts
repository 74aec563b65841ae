/**
 * One Picket per data folder: checkpoints and the embedded store have a single writer.
 *
 * The lock is the kernel's, on a file of SQLite, which is what Node has for that: it ends with its process however that
 * ends, and it holds across containers of a machine and, where the volume's file system has locks, across machines. A
 * process id in a file would say nothing there: in a container every Picket is process 1.
 */
import { chmod } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, PicketError, toPicketError } from '@picket/runtime/errors.ts';

/** What to do about a folder that another Picket holds. */
export interface LockWait {
  /** Told once, who holds it. */
  onHeld(holder: string): void;
  signal: AbortSignal;
}

const retryMs = 200;
/** Of SQLite's result codes. */
const busy = 5;
const classified: Record<number, ErrorCode> = { 8: 'PermissionDenied', 13: 'Capacity', 14: 'PermissionDenied' };

/**
 * Takes the folder; the returned function gives it back.
 *
 * @param wait until the holder is gone; without it a folder that is held is an error
 * @throws PicketError Conflict that names the process that holds it; PermissionDenied, Capacity
 */
export async function lockDataFolder(folder: string, wait?: LockWait): Promise<() => void> {
  try {
    const file = join(folder, 'lock.db');
    const database = new DatabaseSync(file, { timeout: 0 });
    try {
      await chmod(file, 0o600);
      let told = false;
      while (!take(database)) {
        const holder = holderIn(database);
        if (!wait || wait.signal.aborted)
          throw new PicketError(
            'Conflict',
            `--data: ${folder} is in use by ${holder}; stop it or name another folder`,
            {
              reason: 'DataFolderLocked',
            },
          );
        if (!told) wait.onHeld(holder);
        told = true;
        await sleep(retryMs, undefined, { signal: wait.signal }).catch(() => undefined);
      }
      return () => database.close();
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    const { errcode = 0, message } = error as { errcode?: number; message: string };
    const code = classified[errcode & 0xff];
    if (code) throw new PicketError(code, `--data ${folder}: ${message}`, { cause: error });
    throw toPicketError(error, `--data ${folder}`);
  }
}

/** Whoever has the open transaction at the end has the folder; others may still read who that is. */
function take(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS holder (pid INTEGER, host TEXT); DELETE FROM holder');
    database.prepare('INSERT INTO holder VALUES (?, ?)').run(process.pid, hostname());
    database.exec('COMMIT; BEGIN IMMEDIATE');
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== busy) throw error;
    if (database.isTransaction) database.exec('ROLLBACK');
    return false;
  }
}

function holderIn(database: DatabaseSync): string {
  try {
    const row = database.prepare('SELECT pid, host FROM holder').get();
    if (row) return `the Picket with process id ${row['pid']} on ${row['host']}`;
  } catch {
    // It is being written just now.
  }
  return 'another Picket';
}

/**
 * The keys of the data folder while Picket runs: a ring that `picket keys rotate` wrote is taken into use, a previous key
 * whose overlap is over is erased, and a file that is gone is written again, for without it no later run knows anybody.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Logger } from '@picket/runtime/log.ts';
import { type KeyRing, readKeyRing, retireKey, saveKeyRing } from '../identify/key-ring.ts';

export interface KeyGuard {
  /** Called with each ring that comes after the first, at once if one has come already. */
  onChange(listener: (ring: KeyRing) => void): void;
  /** Looks at the file once. */
  check(): void;
}

export function createKeyGuard(path: string, first: KeyRing, clock: Pick<Clock, 'now'>, log: Logger): KeyGuard {
  const listeners: ((ring: KeyRing) => void)[] = [];
  let ring = first;
  let readAt = existsSync(path) ? statSync(path).mtimeMs : 0;
  /** A failure is told once, not each second of it. */
  let told = '';
  const use = (next: KeyRing): void => {
    ring = next;
    for (const listener of listeners) listener(next);
  };
  const mend = (): void => {
    const folder = dirname(path);
    log.error(
      'the data folder was emptied while Picket runs: keys are written again, checkpoints follow, rows are lost',
      { folder },
    );
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    saveKeyRing(path, ring);
  };
  const read = (): void => {
    const { mtimeMs } = statSync(path);
    if (mtimeMs === readAt) return;
    readAt = mtimeMs;
    const found = readKeyRing(path);
    if (!found || found.active.id === ring.active.id) return;
    if (found.previous?.id !== ring.active.id) {
      log.error('the file of the keys was replaced by one that does not follow from those in use; it is ignored', {
        path,
      });
      return;
    }
    const overlapUntil = new Date(found.overlapUntilMs).toISOString();
    log.info('pseudonym key rotated', { key: found.active.id, overlapUntil });
    use(found);
  };
  const erase = (): void => {
    const { previous } = ring;
    if (!previous || clock.now() < ring.overlapUntilMs) return;
    const retired = retireKey(ring);
    saveKeyRing(path, retired);
    use(retired);
    log.info('previous pseudonym key erased', { key: previous.id });
  };
  return {
    onChange(listener) {
      listeners.push(listener);
      if (ring !== first) listener(ring);
    },
    check() {
      try {
        if (existsSync(path)) read();
        else mend();
        erase();
        told = '';
      } catch (error) {
        const { message } = error as Error;
        if (message !== told) log.error('the keys cannot be read or written', { error, path });
        told = message;
      }
    },
  };
}

/** The keys of the data folder while Picket runs: without them no later run knows anybody, so their loss is mended. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type KeyRing, saveKeyRing } from '../identify/key-ring.ts';
import type { Logger } from '@picket/runtime/log.ts';

const checkMs = 30_000;

/** Looks every half minute until the returned function is called. */
export function guardKeys(path: string, keys: KeyRing, log: Logger): () => void {
  const timer = setInterval(() => mendKeys(path, keys, log), checkMs);
  return () => clearInterval(timer);
}

/** Writes the keys again when their file is gone, and says so. */
export function mendKeys(path: string, keys: KeyRing, log: Logger): void {
  if (existsSync(path)) return;
  const folder = dirname(path);
  log.error(
    'the data folder was emptied while Picket runs: keys are written again, checkpoints follow, rows are lost',
    {
      folder,
    },
  );
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    saveKeyRing(path, keys);
  } catch (error) {
    log.error('keys cannot be written again', { error, path });
  }
}

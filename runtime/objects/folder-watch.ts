import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';

const MAX_WATCHED_FOLDERS = 500;
const MAX_DEPTH = 8;

/**
 * Calls `onChange` some time after anything below `root` may have changed. The file system's events come first; where
 * it has none (network folders, no more watches) the regular call every `pollMs` finds the change.
 *
 * Each folder is watched by itself: on Linux the recursive watch of Node 24 follows files instead, and loses a file
 * once an editor has replaced it.
 */
export function watchFolder(options: {
  root: string;
  /** Quiet time after the last event, so that an editor that replaces a file is seen once. */
  debounceMs: number;
  pollMs: number;
  onChange: () => void;
  signal: AbortSignal;
}): void {
  const { root, debounceMs, pollMs, onChange, signal } = options;
  const watchers = new Map<string, FSWatcher>();
  let pending: NodeJS.Timeout | undefined;

  function soon(): void {
    clearTimeout(pending);
    pending = setTimeout(look, debounceMs);
  }

  function look(): void {
    follow();
    onChange();
  }

  /** Watches every folder that is there now. */
  function follow(): void {
    const folders = new Set<string>();
    collectFolders(root, 0, folders);
    for (const folder of watchers.keys()) if (!folders.has(folder)) forget(folder);
    for (const folder of folders) if (!watchers.has(folder)) listen(folder);
  }

  function listen(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (event, name) => {
        // The folder itself was moved or removed: what comes in its place needs a new watch.
        if (event === 'rename' && folder.endsWith(`/${name}`)) forget(folder);
        soon();
      });
      watcher.on('error', () => forget(folder));
      watchers.set(folder, watcher);
    } catch {
      // No watch to be had: the regular look finds the change.
    }
  }

  function forget(folder: string): void {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  }

  follow();
  const poll = setInterval(look, pollMs);
  poll.unref();
  signal.addEventListener(
    'abort',
    () => {
      clearInterval(poll);
      clearTimeout(pending);
      for (const folder of [...watchers.keys()]) forget(folder);
    },
    { once: true },
  );
}

/** Folders at and below `folder`, links followed, names with a dot in front left out as in `listFolder`. */
function collectFolders(folder: string, depth: number, into: Set<string>): void {
  if (depth > MAX_DEPTH || into.size >= MAX_WATCHED_FOLDERS) return;
  try {
    if (!statSync(folder).isDirectory()) return;
    into.add(folder);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || !(entry.isDirectory() || entry.isSymbolicLink())) continue;
      collectFolders(join(folder, entry.name), depth + 1, into);
    }
  } catch {
    // Gone meanwhile; the scan says so where it matters.
  }
}

import { type FSWatcher, watch } from 'node:fs';

/**
 * Calls `onChange` some time after anything below `root` may have changed. The file system's events come first; where
 * it has none (network folders, links to elsewhere, no more watches) the regular look of `pollMs` finds the change.
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
  let pending: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;

  function soon(): void {
    clearTimeout(pending);
    pending = setTimeout(onChange, debounceMs);
  }

  function listen(): void {
    try {
      watcher = watch(root, { recursive: true, persistent: false }, soon);
      watcher.on('error', stopListening);
    } catch {
      stopListening();
    }
  }

  function stopListening(): void {
    watcher?.close();
    watcher = undefined;
  }

  listen();
  const poll = setInterval(() => {
    // The folder may have been replaced, and the events of the old one end then.
    if (watcher === undefined) listen();
    onChange();
  }, pollMs);
  poll.unref();
  signal.addEventListener(
    'abort',
    () => {
      clearInterval(poll);
      clearTimeout(pending);
      stopListening();
    },
    { once: true },
  );
}

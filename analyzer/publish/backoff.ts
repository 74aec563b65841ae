/** What failed is tried again later and later, each thing by itself. */
export interface Backoff {
  isDue(key: string): boolean;
  /** Milliseconds until it is due again. */
  failed(key: string): number;
  /** It succeeded, or nobody wants it any more. */
  over(key: string): void;
  /** Things whose last attempt failed. */
  size(): number;
}

const firstMs = 1_000;
const maxMs = 60_000;

/** @param elapsed milliseconds that never go back */
export function createBackoff(elapsed: () => number): Backoff {
  const failures = new Map<string, { count: number; dueAt: number }>();
  return {
    isDue: (key) => (failures.get(key)?.dueAt ?? 0) <= elapsed(),
    failed(key) {
      const count = (failures.get(key)?.count ?? 0) + 1;
      const delayMs = Math.min(maxMs, firstMs * 2 ** Math.min(count - 1, 20));
      failures.set(key, { count, dueAt: elapsed() + delayMs });
      return delayMs;
    },
    over: (key) => void failures.delete(key),
    size: () => failures.size,
  };
}

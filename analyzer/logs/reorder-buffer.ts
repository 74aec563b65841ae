/** Puts slightly unordered entries of one file in order, within a window of time and a number of entries. */

export interface Timed {
  /** Unix ms. */
  at: number;
}

export interface ReorderBuffer<T extends Timed> {
  push(entry: T): void;
  /** The earliest entry, when it is settled (or any, once `end` was called). */
  peek(): T | undefined;
  take(): T | undefined;
  end(): void;
  readonly size: number;
  /** Entries that arrived behind a later one, and those among them that came too late to be put in order. */
  readonly reordered: number;
  readonly late: number;
}

/** `windowMs`: how far behind the latest entry an entry may come; at most `maxEntries` wait. */
export function createReorderBuffer<T extends Timed>(windowMs: number, maxEntries: number): ReorderBuffer<T> {
  let items: (T | undefined)[] = [];
  let head = 0;
  let ended = false;
  let emittedAt = Number.NEGATIVE_INFINITY;
  let reordered = 0;
  let late = 0;

  function peek(): T | undefined {
    const first = items[head];
    if (first === undefined) return undefined;
    if (ended || items.length - head > maxEntries) return first;
    return (items.at(-1)?.at ?? first.at) - first.at > windowMs ? first : undefined;
  }

  return {
    push(entry) {
      const last = items.at(-1);
      if (head === items.length || last === undefined || entry.at >= last.at) {
        items.push(entry);
      } else {
        let i = items.length - 1;
        while (i > head && (items[i - 1]?.at ?? 0) > entry.at) i--;
        items.splice(i, 0, entry);
        reordered++;
      }
      if (entry.at < emittedAt) late++;
    },
    peek,
    take() {
      const first = peek();
      if (first === undefined) return undefined;
      items[head] = undefined;
      head++;
      if (head >= 4096 && head * 2 > items.length) {
        items = items.slice(head);
        head = 0;
      }
      if (first.at > emittedAt) emittedAt = first.at;
      return first;
    },
    end() {
      ended = true;
    },
    get size() {
      return items.length - head;
    },
    get reordered() {
      return reordered;
    },
    get late() {
      return late;
    },
  };
}

/** Puts slightly unordered entries of one file in order, within a window of time and a number of entries. */

export interface Timed {
  /** Unix ms. */
  at: number;
}

/**
 * What comes out depends on the order of the pushes alone, not on when entries are taken. An entry behind what has
 * settled already is late: it comes out as soon as it can.
 */
export interface ReorderBuffer<T extends Timed> {
  push(entry: T): void;
  /** The next settled entry. */
  peek(): T | undefined;
  take(): T | undefined;
  /** Settles everything. */
  end(): void;
  /** Entries that came behind a later one and were put in order, and those that came too late for that. */
  readonly reordered: number;
  readonly late: number;
}

/** `windowMs`: how far behind another an entry may come; at most `maxEntries` wait. */
export function createReorderBuffer<T extends Timed>(windowMs: number, maxEntries: number): ReorderBuffer<T> {
  const waiting = createQueue<T>();
  const settled = createQueue<T>();
  let settledAt = Number.NEGATIVE_INFINITY;
  let reordered = 0;
  let late = 0;

  function settle(): void {
    const entry = waiting.shift();
    if (entry === undefined) return;
    settledAt = entry.at;
    settled.push(entry);
  }

  return {
    push(entry) {
      if (entry.at < settledAt) {
        late++;
        settled.push(entry);
        return;
      }
      if (waiting.insert(entry)) reordered++;
      // Measured from this entry, not from the latest: one absurd time in the future must not undo the window.
      const limit = entry.at - windowMs;
      while (waiting.size > maxEntries || (waiting.first()?.at ?? limit) < limit) settle();
    },
    peek: () => settled.first(),
    take: () => settled.shift(),
    end() {
      while (waiting.size > 0) settle();
    },
    get reordered() {
      return reordered;
    },
    get late() {
      return late;
    },
  };
}

/** An array with a moving head: taking from the front costs nothing until half of it is empty. */
function createQueue<T extends Timed>() {
  let items: (T | undefined)[] = [];
  let head = 0;
  return {
    get size() {
      return items.length - head;
    },
    first: () => items[head],
    push: (entry: T) => void items.push(entry),
    /** Puts the entry behind all that are not later; true when that was not the end. */
    insert(entry: T): boolean {
      let i = items.length;
      while (i > head && (items[i - 1]?.at ?? 0) > entry.at) i--;
      if (i === items.length) items.push(entry);
      else items.splice(i, 0, entry);
      return i !== items.length - 1;
    },
    shift(): T | undefined {
      const entry = items[head];
      if (entry === undefined) return undefined;
      items[head] = undefined;
      head++;
      if (head >= 1024 && head * 2 > items.length) {
        items = items.slice(head);
        head = 0;
      }
      return entry;
    },
  };
}

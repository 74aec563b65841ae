/**
 * Which slots of a window table have a window that opened when, so that a sweep looks at those that may have ended and
 * at no others: a sweep over all slots of a day of 50,000 callers costs more than all else together. It follows from
 * the slots, so it is no part of their state.
 */

import { KeyIndex } from './key-index.ts';

/** Sweeps come once a minute of event time: finer would be of no use. */
const widthMs = 60_000;
const none = new Int32Array(0);
/** What was found last: there are hundreds of calendars, and each is asked once a minute. */
let found = new Int32Array(256);
let foundCount = 0;

/** Slots are linked by the minute in which their window opened. Links hold slot + 1; 0 = none. */
export class WindowCalendar {
  readonly #minutes = new KeyIndex();
  /** By place of the minute: the minute itself, and its first slot. */
  #minuteAt = new Float64Array(8);
  #head = new Int32Array(8);
  #next = new Int32Array(64);
  #before = new Int32Array(64);
  /** No minute before this one has slots. */
  #earliest = Number.POSITIVE_INFINITY;

  /** A window of `slot` opened at `at`, Unix ms; the slot had none. */
  add(slot: number, at: number): void {
    const link = slot + 1;
    if (link >= this.#next.length) this.#grow(link);
    const minute = Math.floor(at / widthMs);
    let place = this.#find(minute);
    if (place < 0) place = this.#enter(minute);
    const head = this.#head[place] as number;
    this.#next[link] = head;
    this.#before[link] = 0;
    if (head !== 0) this.#before[head] = link;
    this.#head[place] = link;
    if (minute < this.#earliest) this.#earliest = minute;
  }

  /** The window of `slot` that opened at `at` is closed. */
  remove(slot: number, at: number): void {
    const link = slot + 1;
    const next = this.#next[link] as number;
    const before = this.#before[link] as number;
    if (next !== 0) this.#before[next] = before;
    if (before !== 0) this.#next[before] = next;
    else {
      const place = this.#find(Math.floor(at / widthMs));
      if (next !== 0) this.#head[place] = next;
      else this.#leave(place);
    }
  }

  /** Slots whose window opened before the end of the minute that `at` is in, ascending. Overwritten by the next call. */
  openedBy(at: number): Int32Array {
    const last = Math.floor(at / widthMs);
    if (last < this.#earliest) return none;
    foundCount = 0;
    // After a gap in time, or from the beginning of it, the minutes that have slots are fewer than those that have none.
    if (last - this.#earliest > this.#minutes.size) {
      for (let place = 0; place < this.#minutes.size; place++)
        if ((this.#minuteAt[place] as number) <= last) this.#collect(this.#head[place] as number);
    } else {
      for (let minute = this.#earliest; minute <= last; minute++) {
        const place = this.#find(minute);
        if (place >= 0) this.#collect(this.#head[place] as number);
      }
    }
    this.#earliest = last;
    // In slot order, so that sums come out the same whatever the links have been through.
    return foundCount === 0 ? none : sorted(found.subarray(0, foundCount));
  }

  clear(): void {
    this.#minutes.clear();
    this.#earliest = Number.POSITIVE_INFINITY;
  }

  get bytes(): number {
    return this.#next.byteLength + this.#before.byteLength;
  }

  /** What `bytes` grows to with so many slots. */
  bytesFor(slots: number): number {
    return 8 * lengthFor(this.#next.length, slots);
  }

  #find(minute: number): number {
    return this.#minutes.find(minute >>> 0, highOf(minute));
  }

  #enter(minute: number): number {
    const place = this.#minutes.add(minute >>> 0, highOf(minute));
    if (place === this.#head.length) {
      this.#head = enlarged(this.#head, place * 2);
      const minuteAt = new Float64Array(place * 2);
      minuteAt.set(this.#minuteAt);
      this.#minuteAt = minuteAt;
    }
    this.#minuteAt[place] = minute;
    this.#head[place] = 0;
    return place;
  }

  #leave(place: number): void {
    this.#minutes.remove(place);
    this.#minuteAt[place] = this.#minuteAt[this.#minutes.size] as number;
    this.#head[place] = this.#head[this.#minutes.size] as number;
  }

  #collect(head: number): void {
    for (let link = head; link !== 0; link = this.#next[link] as number) {
      if (foundCount === found.length) found = enlarged(found, foundCount * 2);
      found[foundCount++] = link - 1;
    }
  }

  #grow(link: number): void {
    const length = lengthFor(this.#next.length, link);
    this.#next = enlarged(this.#next, length);
    this.#before = enlarged(this.#before, length);
  }
}

/** Few at a time, mostly: a call of the library's sort would cost more than the sorting. */
function sorted(slots: Int32Array): Int32Array {
  if (slots.length > 24) return slots.sort();
  for (let i = 1; i < slots.length; i++) {
    const slot = slots[i] as number;
    let to = i;
    for (; to > 0 && (slots[to - 1] as number) > slot; to--) slots[to] = slots[to - 1] as number;
    slots[to] = slot;
  }
  return slots;
}

function highOf(minute: number): number {
  return Math.floor(minute / 2 ** 32) >>> 0;
}

function enlarged(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const next = new Int32Array(length);
  next.set(array);
  return next;
}

function lengthFor(length: number, link: number): number {
  let enough = length;
  while (enough <= link) enough *= 2;
  return enough;
}

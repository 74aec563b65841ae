/** Headers by lower-case name, as policies ask for them: a `Map`, or what an entry holds of one. */
import type { WireReader } from './wire-reader.ts';

export interface HeaderFields {
  readonly size: number;
  has(name: string): boolean;
  get(name: string): string | undefined;
  set(name: string, value: string): unknown;
  clear(): void;
  keys(): IterableIterator<string>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}

/**
 * Headers of the entry being read: of a value only where it stands is kept, until somebody asks for it. Policies ask for
 * one or two of the dozen that are logged, and a `Map` is made of new tables each time it is emptied.
 */
export class WireHeaders implements HeaderFields {
  readonly #reader: WireReader;
  /** Beyond `size` stands what earlier entries left: lists that shrink and grow again are made anew each time. */
  readonly #names: string[] = [];
  readonly #texts: (string | undefined)[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  size = 0;

  constructor(reader: WireReader) {
    this.#reader = reader;
  }

  has(name: string): boolean {
    return this.#find(name) >= 0;
  }

  get(name: string): string | undefined {
    const i = this.#find(name);
    return i < 0 ? undefined : (this.#texts[i] ??= this.#reader.bytes.toString('utf8', this.#starts[i], this.#ends[i]));
  }

  set(name: string, value: string): void {
    this.#texts[this.#put(name, 0, 0)] = value;
  }

  /** The value stands from `start` to `end` in the reader's bytes; of two with one name the later counts. */
  add(name: string, start: number, end: number): void {
    this.#texts[this.#put(name, start, end)] = undefined;
  }

  clear(): void {
    this.size = 0;
  }

  *keys(): IterableIterator<string> {
    for (let i = 0; i < this.size; i++) yield this.#names[i] as string;
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (const name of this.keys()) yield [name, this.get(name) ?? ''];
  }

  #find(name: string): number {
    for (let i = 0; i < this.size; i++) if (this.#names[i] === name) return i;
    return -1;
  }

  #put(name: string, start: number, end: number): number {
    let i = this.#find(name);
    if (i < 0) {
      i = this.size++;
      this.#names[i] = name;
    }
    this.#starts[i] = start;
    this.#ends[i] = end;
    return i;
  }
}

/**
 * Inputs for parsers, each made from a seed and its number alone: corpus entries that were good once, cut, doubled,
 * flipped, spliced with each other and with pieces that mean something to the format; and now and then plain noise.
 */
import { random32 } from '../support/observations.ts';

export interface Corpus {
  seeds: readonly Buffer[];
  /** Pieces that mean something to the format: keys, brackets, tags. */
  dictionary: readonly string[];
}

/** Longer inputs are cut: what grows with the length shows below that. */
const maxBytes = 64 * 1024;
const words = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** The input with this number; the same for the same arguments, on every machine. */
export function mutatedInput(corpus: Corpus, seed: number, index: number): Buffer {
  const next = random32(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35));
  const pick = <T>(of: readonly T[]): T => of[next() % of.length] as T;
  if (next() % 64 === 0) return noise(next, next() % 512);
  let bytes = pick(corpus.seeds);
  for (let edits = 1 + (next() % 6); edits > 0; edits--) bytes = edit(bytes, corpus, next, pick);
  return bytes.length > maxBytes ? bytes.subarray(0, maxBytes) : bytes;
}

function edit(bytes: Buffer, corpus: Corpus, next: () => number, pick: <T>(of: readonly T[]) => T): Buffer {
  const at = next() % (bytes.length + 1);
  const length = next() % (next() % 4 === 0 ? bytes.length + 1 : 16);
  const before = bytes.subarray(0, at);
  const after = bytes.subarray(at);
  const rest = bytes.subarray(Math.min(bytes.length, at + length));
  switch (next() % 10) {
    case 0:
      return changed(bytes, at, (old) => old ^ (1 << (next() % 8)));
    case 1:
      return changed(bytes, at, () => next() % 256);
    case 2:
      return Buffer.concat([before, rest]);
    case 3:
      return before;
    case 4:
      return Buffer.concat([before, noise(next, length), after]);
    case 5:
      return Buffer.concat([before, Buffer.from(pick(corpus.dictionary)), next() % 2 === 0 ? after : rest]);
    case 6: {
      const other = pick(corpus.seeds);
      const from = next() % (other.length + 1);
      return Buffer.concat([before, other.subarray(from, from + 1 + (next() % 256)), rest]);
    }
    case 7: {
      const piece = bytes.subarray(at, at + Math.max(1, length));
      return Buffer.concat([before, ...Array.from({ length: 1 + (next() % 24) }, () => piece), after]);
    }
    case 8: {
      const word = Buffer.alloc(4);
      word.writeUInt32LE(pick(words));
      return Buffer.concat([before, word.subarray(0, 1 + (next() % 4)), rest]);
    }
    default: {
      const piece = Buffer.from(pick(corpus.dictionary));
      return Buffer.concat([before, ...Array.from({ length: 1 + (next() % 200) }, () => piece), after]);
    }
  }
}

function changed(bytes: Buffer, at: number, to: (old: number) => number): Buffer {
  if (bytes.length === 0) return bytes;
  const copy = Buffer.from(bytes);
  const index = at % bytes.length;
  copy[index] = to(copy[index] as number);
  return copy;
}

function noise(next: () => number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = next() % 256;
  return bytes;
}

/** Byte chunks → units, bounded, with the line each one starts at. */
import { decodeText } from './decode-text.ts';
import type { Framing, RejectReason } from './log-format.ts';

export interface Framer {
  push(chunk: Buffer): void;
  /** The end of the input; a unit left open is rejected. */
  end(): void;
}

export interface UnitSink {
  unit(text: string, line: number): void;
  message(bytes: Buffer, ordinal: number): void;
  reject(reason: RejectReason, line: number): void;
}

/** Text lines beyond this are no access records of anybody. */
const maxLineBytes = 1 << 20;
/** JSON documents and export batches are larger. */
const maxDocumentBytes = 32 << 20;

export function createFramer(framing: Framing, sink: UnitSink): Framer {
  switch (framing) {
    case 'lines':
      return createLineFramer(sink);
    case 'json-objects':
      return createObjectFramer(sink, false);
    case 'har-entries':
      return createObjectFramer(sink, true);
    case 'delimited':
      return createDelimitedFramer(sink);
  }
}

function createLineFramer(sink: UnitSink): Framer {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let skipping = false;
  let line = 0;

  function emit(bytes: Buffer, start: number, end: number): void {
    line++;
    let to = end;
    if (to > start && bytes[to - 1] === 13) to--;
    let from = start;
    // Byte order marks stand at the start of files, also of concatenated ones.
    if (bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf) from += 3;
    while (from < to && ((bytes[from] ?? 0) === 32 || bytes[from] === 9)) from++;
    if (from >= to) return;
    if (to - from > limitFor(bytes[from])) sink.reject('too_long', line);
    else sink.unit(decodeText(bytes, from, to), line);
  }

  function emitWithRest(chunk: Buffer, end: number): void {
    if (skipping) {
      line++;
      sink.reject('too_long', line);
      skipping = false;
    } else if (restBytes > 0) {
      rest.push(chunk.subarray(0, end));
      const whole = Buffer.concat(rest);
      emit(whole, 0, whole.length);
    } else emit(chunk, 0, end);
    rest = [];
    restBytes = 0;
  }

  return {
    push(chunk) {
      let newline = chunk.indexOf(10);
      if (newline < 0) return keep(chunk, 0);
      emitWithRest(chunk, newline);
      let start = newline + 1;
      for (newline = chunk.indexOf(10, start); newline >= 0; newline = chunk.indexOf(10, start)) {
        emit(chunk, start, newline);
        start = newline + 1;
      }
      if (start < chunk.length) keep(chunk, start);
    },
    end() {
      if (restBytes > 0 || skipping) emitWithRest(Buffer.alloc(0), 0);
    },
  };

  function keep(chunk: Buffer, start: number): void {
    if (skipping) return;
    restBytes += chunk.length - start;
    if (restBytes > maxDocumentBytes) {
      skipping = true;
      rest = [];
      restBytes = 0;
    } else rest.push(Buffer.from(chunk.subarray(start)));
  }
}

/** A line that begins with `{` may be an export batch. */
function limitFor(first: number | undefined): number {
  return first === 123 ? maxDocumentBytes : maxLineBytes;
}

/**
 * Objects wherever they stand: in an array, one after the other, over several lines; of an HTTP archive only the
 * members of `log.entries`. What is outside of objects is skipped.
 */
function createObjectFramer(sink: UnitSink, archive: boolean): Framer {
  let depth = 0;
  let inString = false;
  let escaped = false;
  let line = 1;
  let parts: Buffer[] = [];
  let bytes = 0;
  let startLine = 0;
  let open = false;
  let tooLong = false;
  /** The key that was read last at depth 2, to find `entries`. */
  let key = '';
  let keyAt = -1;
  let inEntries = false;
  const base = archive ? 3 : 0;

  function finish(chunk: Buffer, from: number, to: number): void {
    open = false;
    if (tooLong) sink.reject('too_long', startLine);
    else if (parts.length === 0) sink.unit(decodeText(chunk, from, to), startLine);
    else {
      parts.push(chunk.subarray(from, to));
      const whole = Buffer.concat(parts);
      sink.unit(decodeText(whole, 0, whole.length), startLine);
    }
    parts = [];
    bytes = 0;
    tooLong = false;
  }

  return {
    push(chunk) {
      let from = 0;
      for (let i = 0; i < chunk.length; i++) {
        const c = chunk[i] ?? 0;
        if (c === 10) line++;
        if (inString) {
          if (escaped) escaped = false;
          else if (c === 92) escaped = true;
          else if (c === 34) inString = false;
          else if (keyAt >= 0 && key.length < 16) key += String.fromCharCode(c);
          continue;
        }
        if (c === 34) {
          inString = open || archive;
          keyAt = archive && depth === 2 && !inEntries ? i : -1;
          if (keyAt >= 0) key = '';
        } else if (c === 123) {
          if (!open && depth === base && (!archive || inEntries)) {
            open = true;
            from = i;
            startLine = line;
          }
          depth++;
        } else if (c === 91 && (open || archive)) {
          if (archive && depth === 2 && key === 'entries') inEntries = true;
          depth++;
        } else if ((c === 125 || (c === 93 && (open || archive))) && depth > 0) {
          depth--;
          if (open && depth === base) finish(chunk, from, i + 1);
          else if (inEntries && depth === 2) inEntries = false;
        }
      }
      if (!open) return;
      bytes += chunk.length - from;
      if (bytes > maxDocumentBytes) {
        tooLong = true;
        parts = [];
      } else if (!tooLong) parts.push(Buffer.from(chunk.subarray(from)));
    },
    end() {
      if (open) sink.reject('truncated', startLine);
    },
  };
}

/** Varint length, then that many bytes: how protobuf streams are stored. */
function createDelimitedFramer(sink: UnitSink): Framer {
  let rest: Buffer = Buffer.alloc(0);
  let ordinal = 0;
  let broken = false;
  return {
    push(chunk) {
      if (broken) return;
      let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (;;) {
        const head = varintAt(bytes);
        if (head === undefined) break;
        if (head.value > maxDocumentBytes || head.value < 0) {
          // A wrong length has no end to look for: the rest of the file is unreadable.
          broken = true;
          sink.reject('too_long', ordinal + 1);
          bytes = Buffer.alloc(0);
          break;
        }
        if (bytes.length < head.end + head.value) break;
        ordinal++;
        sink.message(bytes.subarray(head.end, head.end + head.value), ordinal);
        bytes = bytes.subarray(head.end + head.value);
      }
      rest = Buffer.from(bytes);
    },
    end() {
      if (rest.length > 0) sink.reject('truncated', ordinal + 1);
    },
  };
}

/** -1 for a length of more than five bytes; undefined when more bytes are needed. */
function varintAt(bytes: Buffer): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const b = bytes[i];
    if (b === undefined) return undefined;
    value += (b & 127) * 2 ** (7 * i);
    if (b < 128) return { value, end: i + 1 };
  }
  return { value: -1, end: 5 };
}

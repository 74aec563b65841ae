/**
 * The last lines by sequence number, for findings that name some of them. Their text is kept as bytes in one ring: as
 * strings they outlived the young generation, every line of the log, and cost more to collect than to read.
 */
import type { SeenRequest } from './collector.ts';
import type { EvidenceLine } from './principal-evidence.ts';

export interface RecentLines {
  /** @param text what is kept of the line */
  add(r: SeenRequest, text: string): void;
  /** Those that are still there. */
  find(seqs: readonly number[]): EvidenceLine[];
}

/** Bytes of a character of a JavaScript string in UTF-8, at most. */
const maxBytesPerCharacter = 3;

/** At most `capacity` lines and `bytes` of text. */
export function createRecentLines(capacity: number, bytes: number): RecentLines {
  const seq = new Float64Array(capacity);
  const atMs = new Float64Array(capacity);
  const line = new Float64Array(capacity);
  const status = new Uint32Array(capacity);
  const methods: string[] = Array.from({ length: capacity }, () => '');
  const templates = methods.slice();
  const files = methods.slice();
  const ring = Buffer.allocUnsafe(bytes);
  /** Bytes ever written; where a text began in them, and how long it is. */
  let written = 0;
  const from = new Float64Array(capacity);
  const length = new Uint32Array(capacity);

  function lineAt(slot: number): EvidenceLine | undefined {
    const start = from[slot] as number;
    if (start < written - bytes) return undefined;
    const at = start % bytes;
    return {
      file: files[slot] as string,
      line: line[slot] as number,
      atMs: atMs[slot] as number,
      method: methods[slot] as string,
      template: templates[slot] as string,
      status: status[slot] as number,
      text: ring.toString('utf8', at, at + (length[slot] as number)),
    };
  }

  return {
    add(r, text) {
      const slot = r.seq % capacity;
      seq[slot] = r.seq;
      atMs[slot] = r.eventAtMs;
      line[slot] = r.line;
      status[slot] = r.status;
      methods[slot] = r.method;
      templates[slot] = r.template;
      files[slot] = r.file;
      // A text lies in one piece: what is left at the end of the ring stays empty.
      const left = bytes - (written % bytes);
      if (text.length * maxBytesPerCharacter > left) written += left;
      from[slot] = written;
      length[slot] = ring.write(text, written % bytes);
      written += length[slot];
    },
    find: (seqs) =>
      seqs.flatMap((wanted) => (seq[wanted % capacity] === wanted ? (lineAt(wanted % capacity) ?? []) : [])),
  };
}

/**
 * Captures: `StreamAccessLogsMessage`s one after another, each behind its length as a varint, the layout that
 * protobuf's own delimited readers use. For `picket up --history`, `picket analyze` and tests.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { PicketError, toPicketError } from '@picket/runtime/errors.ts';

/** One message of a capture may be this long; Envoy's are bounded by `buffer_size_bytes`, usually 1 MiB or less. */
export const MAX_CAPTURED_BYTES = 16 << 20;

/**
 * Cuts a capture into messages while it is read; holds one message and one chunk at most. A message is valid until the
 * next is asked for.
 *
 * @throws PicketError Corrupt, naming the byte: a length that cannot be, or an end in the middle of a message. All
 *   messages before have been delivered by then.
 */
export async function* readAlsCapture(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let rest: Uint8Array = new Uint8Array(0);
  let offset = 0;
  /** Chunks are joined only once enough has come, or a long message would be copied for each of them. */
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let needed = 1;
  for await (const chunk of chunks) {
    pending.push(chunk);
    pendingBytes += chunk.byteLength;
    if (rest.byteLength + pendingBytes < needed) continue;
    rest = Buffer.concat([rest, ...pending]);
    pending = [];
    pendingBytes = 0;
    for (;;) {
      const header = readLength(rest, offset);
      if (!header) {
        needed = rest.byteLength + 1;
        break;
      }
      needed = header.headerBytes + header.length;
      if (rest.byteLength < needed) break;
      yield rest.subarray(header.headerBytes, needed);
      rest = rest.subarray(needed);
      offset += needed;
    }
  }
  const left = rest.byteLength + pendingBytes;
  if (left > 0) {
    throw new PicketError('Corrupt', `the capture ends ${left} bytes into the message that begins at byte ${offset}`);
  }
}

/** @throws PicketError NotFound, PermissionDenied, Corrupt */
export async function* readAlsCaptureFile(path: string): AsyncGenerator<Uint8Array, void> {
  try {
    yield* readAlsCapture(createReadStream(path, { highWaterMark: 256 * 1024 }));
  } catch (error) {
    throw toPicketError(error, `read the capture ${path}`);
  }
}

/** Appends messages to a file. */
export interface AlsCaptureWriter {
  /** Resolves when the file takes more; await it before the next call, or memory grows. */
  write(message: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Overwrites `path`; created readable by its owner only, for captures hold what clients sent. */
export function createAlsCaptureFile(path: string): AlsCaptureWriter {
  const file = createWriteStream(path, { mode: 0o600 });
  let failure: Error | undefined;
  file.on('error', (error) => {
    failure = error;
  });
  return {
    async write(message) {
      if (failure) throw failure;
      if (message.byteLength > MAX_CAPTURED_BYTES) {
        throw new PicketError('Capacity', `a message of ${message.byteLength} bytes is more than a capture may hold`);
      }
      file.write(encodeLength(message.byteLength));
      // Copied: senders reuse their buffers.
      if (!file.write(Buffer.from(message))) await once(file, 'drain');
    },
    async close() {
      file.end();
      await finished(file);
    },
  };
}

function encodeLength(length: number): Uint8Array {
  const bytes: number[] = [];
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}

/** Undefined when more bytes are needed. */
function readLength(bytes: Uint8Array, offset: number): { length: number; headerBytes: number } | undefined {
  let length = 0;
  for (let i = 0; i < bytes.byteLength; i++) {
    const byte = bytes[i] as number;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (length > MAX_CAPTURED_BYTES || i > 4) {
      throw new PicketError(
        'Corrupt',
        `at byte ${offset} a message of over ${MAX_CAPTURED_BYTES} bytes begins: not a capture, or damaged`,
      );
    }
    if (byte < 0x80) return { length, headerBytes: i + 1 };
  }
  return undefined;
}

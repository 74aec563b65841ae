import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createAlsCaptureFile, readAlsCapture, readAlsCaptureFile } from './als-capture.ts';

const folder = mkdtempSync(join(tmpdir(), 'picket-capture-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function collect(messages: AsyncIterable<Uint8Array>): Promise<number[][]> {
  const all: number[][] = [];
  for await (const message of messages) all.push([...message]);
  return all;
}

async function* chunked(bytes: Uint8Array, size: number) {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

describe('als capture', () => {
  it('gives back the messages that were written, private to the owner', async () => {
    const path = join(folder, 'capture.bin');
    const messages = [new Uint8Array(0), Uint8Array.from([1, 2, 3]), new Uint8Array(300_000).fill(7)];
    const writer = createAlsCaptureFile(path);
    for (const message of messages) await writer.write(message);
    await writer.close();
    expect(await collect(readAlsCaptureFile(path))).toEqual(messages.map((message) => [...message]));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('reads the same whatever chunks the bytes come in', async () => {
    const message = fc.uint8Array({ maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 6 }), fc.integer({ min: 1, max: 50 }), async (messages, size) => {
        const bytes = Buffer.concat(
          messages.flatMap((m) => [
            Uint8Array.from(m.length > 127 ? [(m.length & 0x7f) | 0x80, m.length >> 7] : [m.length]),
            m,
          ]),
        );
        expect(await collect(readAlsCapture(chunked(bytes, size)))).toEqual(messages.map((m) => [...m]));
      }),
    );
  });

  it('says where a damaged capture breaks, after the messages before it', async () => {
    const seen: number[][] = [];
    const read = async (bytes: number[]) => {
      seen.length = 0;
      for await (const message of readAlsCapture(chunked(Uint8Array.from(bytes), 2))) seen.push([...message]);
    };
    await expect(read([1, 9, 4, 1, 2])).rejects.toThrow(
      'the capture ends 3 bytes into the message that begins at byte 2',
    );
    expect(seen).toEqual([[9]]);
    await expect(read([1, 9, 0xff, 0xff, 0xff, 0xff, 0x7f])).rejects.toThrow('at byte 2');
    await expect(collect(readAlsCaptureFile(join(folder, 'none')))).rejects.toMatchObject({ code: 'NotFound' });
  });
});

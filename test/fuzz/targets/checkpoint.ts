/** Checkpoint files: one that is damaged is refused with a reason, one that is whole is read. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAnalysis } from '@picket/analyzer/analysis.ts';
import { createCheckpoints, decodeCheckpoint } from '@picket/analyzer/replay/checkpoint.ts';
import { type FuzzTarget, must } from '../fuzz.ts';

const nodeMajor = '24';

export async function checkpointTarget(): Promise<FuzzTarget> {
  const whole = await savedCheckpoint();
  const end = whole.indexOf(10);
  const header = JSON.parse(whole.toString('utf8', 0, end)) as { sha256: string };
  // Of the body its beginning and its end are enough to damage; whole ones would be megabytes per input.
  const body = whole.subarray(end + 1);
  const sealed = (bytes: Buffer): Buffer => {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return Buffer.concat([Buffer.from(`${JSON.stringify({ ...header, sha256 })}\n`), bytes]);
  };
  return {
    seeds: [
      whole.subarray(0, end + 1),
      sealed(body.subarray(0, 900)),
      sealed(Buffer.alloc(0)),
      sealed(Buffer.from('{}')),
    ],
    dictionary: [
      '\n',
      '{',
      '}',
      '"version":8',
      '"format":"picket-checkpoint"',
      'null',
      '\xff\x0f',
      'o',
      '"',
      '\0',
      header.sha256,
    ],
    check(input) {
      // Every other one gets a digest that fits, so that what lies behind it is reached.
      const bytes = input.length % 2 === 0 ? input : sealed(input.subarray(input.indexOf(10) + 1));
      try {
        decodeCheckpoint(bytes, nodeMajor);
      } catch (error) {
        must(error instanceof Error && error.message.length > 0, 'no reason is given');
        return;
      }
      must(
        createHash('sha256')
          .update(bytes.subarray(bytes.indexOf(10) + 1))
          .digest('hex') === digestIn(bytes),
        'read without its digest',
      );
    },
  };
}

function digestIn(bytes: Buffer): string {
  return (JSON.parse(bytes.toString('utf8', 0, bytes.indexOf(10))) as { sha256: string }).sha256;
}

async function savedCheckpoint(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-fuzz-'));
  const analysis = createAnalysis({
    workers: 0,
    valuesOf: () =>
      ({
        keyOf: () => ({ ok: false, reason: 'NotSeen' }),
        traitOf: () => undefined,
        matchInForce: () => undefined,
      }) as never,
  });
  try {
    const checkpoints = createCheckpoints(folder, nodeMajor);
    const info = await checkpoints.save({
      analysis: await analysis.save(),
      operations: { version: 1, apis: [] } as never,
      identifier: { version: 1, learners: [], steps: [] },
      learnedUpTo: 0,
      counts: [],
      reviewed: [],
    });
    return readFileSync(join(folder, info.file));
  } finally {
    await analysis.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

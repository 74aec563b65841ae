/**
 * Decisions in force outlive a restart of a standalone Picket: the bucket's content in one 0600 file under authenticated
 * encryption, for it holds match values in clear. What has expired is not written again.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Bucket } from '@picket/proto/subjects.ts';
import { writeFileAtomic } from '@picket/runtime/atomic-file.ts';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Logger } from '@picket/runtime/log.ts';

export interface DecisionVault {
  /** Writes what changed, at once. */
  close(): Promise<void>;
}

const cipher = 'aes-256-gcm';
const saveDelayMs = 50;

/** Puts the file's decisions into the bucket, then keeps the file in step with it. */
export async function openDecisionVault(options: {
  path: string;
  secret: Uint8Array;
  bus: Bus;
  clock: Clock;
  log: Logger;
}): Promise<DecisionVault> {
  const { path, bus, clock, log } = options;
  const key = Buffer.from(hkdfSync('sha256', options.secret, new Uint8Array(0), 'picket/decision-vault/v1', 32));
  const bucket = await bus.bucket(Bucket.decisions);
  const held = new Map<string, Uint8Array>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const expiresAt = (value: Uint8Array): number => Number(fromBinary(DecisionSchema, value).expiresAtMs);

  for (const [name, value] of await read(path, key, log)) {
    const ttlMs = expiresAt(value) - clock.now();
    if (ttlMs > 0) await bucket.put(name, value, { ttlMs });
  }

  const save = async (): Promise<void> => {
    for (const [name, value] of held) if (expiresAt(value) <= clock.now()) held.delete(name);
    const plain = JSON.stringify([...held].map(([name, value]) => [name, Buffer.from(value).toString('base64')]));
    const iv = randomBytes(12);
    const seal = createCipheriv(cipher, key, iv);
    const body = Buffer.concat([seal.update(plain, 'utf8'), seal.final()]);
    await writeFileAtomic(path, Buffer.concat([iv, seal.getAuthTag(), body]));
  };
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      writing = writing.then(save).catch((error: unknown) => log.error('decisions not saved', { error }));
    }, saveDelayMs);
  };
  const subscription = await bucket.watch({
    onEntry(name, value) {
      if (value) held.set(name, value);
      else held.delete(name);
      soon();
    },
    onSynced() {},
  });
  return {
    async close() {
      await subscription.stop();
      clearTimeout(timer);
      await writing;
      await save();
    },
  };
}

async function read(path: string, key: Buffer, log: Logger): Promise<[string, Uint8Array][]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    const open = createDecipheriv(cipher, key, bytes.subarray(0, 12));
    open.setAuthTag(bytes.subarray(12, 28));
    const plain = Buffer.concat([open.update(bytes.subarray(28)), open.final()]).toString('utf8');
    return (JSON.parse(plain) as [string, string][]).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
  } catch (error) {
    // A changed key or a torn file: what it held fades in Envoy by itself.
    const movedTo = `${path}.unreadable`;
    await rename(path, movedTo);
    log.error('decisions of the last run set aside', { reason: (error as Error).message, movedTo });
    return [];
  }
}

/**
 * Checkpoints: all state from which a restart or a replay goes on, in one file. Written whole or not at all; one that
 * cannot be read is set aside with a reason, never used in part.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { writeFileAtomic } from '@picket/runtime/atomic-file.ts';
import type { AnalysisState, Disposition } from '../analysis.ts';
import { DETECTOR_VERSION } from '../detect/catalogue.ts';
import { partitionLayout } from '../engine/partition.ts';
import type { IdentifierState } from '../identify/identifier.ts';
import type { RegistryState } from '../operations/registry.ts';
import { fromPieces, toPieces } from './pieces.ts';

/** Changes with the layout of any state in it. */
const FORMAT_VERSION = 16;
/** Hashed before others get their turn. */
const bytesPerTurn = 4 << 20;
/** The newest ones, and the very first, from which everything stored can be replayed. */
const keepNewest = 3;

export interface Checkpoint {
  analysis: AnalysisState;
  operations: RegistryState;
  identifier: IdentifierState;
  /** Event time up to which history was learned, 0 = none was: it is not to be learned twice. */
  learnedUpTo: number;
  /** Observations by API, by the low word of its id. */
  counts: [number, number][];
  /** Last disposition by verdict: a review that is still on its object is not a new one. */
  reviewed: [string, Disposition][];
}

export interface CheckpointInfo {
  file: string;
  lastSeq: number;
  tick: number;
  at: number;
}

export interface Checkpoints {
  /**
   * Takes the state at once and writes when `stored` has settled: a checkpoint ahead of the stored rows would make a gap of
   * them if the process died in between. The tables in it are empty afterwards.
   */
  save(checkpoint: Checkpoint, stored?: Promise<unknown>): Promise<CheckpointInfo>;
  /**
   * The newest one that can be read and that `use` takes; `setAside` names those that were not.
   *
   * @param use throws when the state does not fit; may be called again with an older one
   */
  latest(use: (checkpoint: Checkpoint) => Promise<void>): Promise<{
    checkpoint: Checkpoint | undefined;
    setAside: { file: string; reason: string }[];
  }>;
  /** Readable or not, oldest first. */
  list(): Promise<CheckpointInfo[]>;
  read(file: string): Promise<Checkpoint>;
}

interface Header {
  format: 'picket-checkpoint';
  version: number;
  detectors: string;
  /** Of the tables of a partition. */
  layout: string;
  /** Serialised by V8: another major version of Node may not read it. */
  node: string;
  lastSeq: number;
  tick: number;
  at: number;
  sha256: string;
}

export function createCheckpoints(dir: string, nodeMajor: string): Checkpoints {
  const list = async (): Promise<CheckpointInfo[]> => {
    const names = await readdir(dir).catch(() => [] as string[]);
    return names
      .map((file) => ({ file, match: /^checkpoint-(\d{16})-(\d{12})-(\d{15})\.bin$/.exec(file) }))
      .flatMap(({ file, match }) =>
        match ? [{ file, lastSeq: Number(match[1]), tick: Number(match[2]), at: Number(match[3]) }] : [],
      )
      .sort((a, b) => a.tick - b.tick);
  };
  const read = async (file: string): Promise<Checkpoint> =>
    decodeCheckpoint(await readFile(join(dir, file)), nodeMajor);
  const write = async (checkpoint: Checkpoint, stored?: Promise<unknown>): Promise<CheckpointInfo> => {
    const { lastSeq, tick, at } = checkpoint.analysis.engine;
    const pieces = toPieces(checkpoint);
    await stored?.catch(() => undefined);
    const header: Header = {
      format: 'picket-checkpoint',
      version: FORMAT_VERSION,
      detectors: DETECTOR_VERSION,
      layout: partitionLayout(),
      node: nodeMajor,
      lastSeq,
      tick,
      at,
      sha256: await digestOf(pieces),
    };
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const pad = (value: number, digits: number): string => String(Math.round(value)).padStart(digits, '0');
    const file = `checkpoint-${pad(lastSeq, 16)}-${pad(tick, 12)}-${pad(at, 15)}.bin`;
    await writeFileAtomic(join(dir, file), [Buffer.from(`${JSON.stringify(header)}\n`), ...pieces]);
    const all = await list();
    for (const old of all.slice(1, -keepNewest)) await rm(join(dir, old.file), { force: true });
    return { file, lastSeq, tick, at };
  };
  return {
    list,
    read,
    async save(checkpoint, stored) {
      try {
        return await write(checkpoint, stored);
      } finally {
        releaseTables(checkpoint);
      }
    },
    async latest(use) {
      const setAside: { file: string; reason: string }[] = [];
      for (const { file } of (await list()).reverse()) {
        try {
          const checkpoint = await read(file);
          await use(checkpoint);
          return { checkpoint, setAside };
        } catch (error) {
          setAside.push({ file, reason: error instanceof Error ? error.message : String(error) });
          await rename(join(dir, file), join(dir, `${file}.unreadable`));
        }
      }
      return { checkpoint: undefined, setAside };
    },
  };
}

/**
 * Gives the copies of tables back at once. They lie outside of the heap, whose collection nobody hurries: 1.5 GB of them
 * stayed for half an hour.
 */
function releaseTables({ analysis }: Checkpoint): void {
  for (const [, { principals, tables }] of analysis.engine.partitions)
    for (const { slots } of [principals, ...tables]) if (slots.buffer instanceof ArrayBuffer) slots.buffer.transfer(0);
}

/** In turns of a few milliseconds: hundreds of megabytes must not hold up traffic. */
async function digestOf(pieces: readonly Uint8Array[]): Promise<string> {
  const hash = createHash('sha256');
  let hashed = 0;
  for (const piece of pieces) {
    hash.update(piece);
    hashed += piece.length;
    if (hashed < bytesPerTurn) continue;
    hashed = 0;
    await turn();
  }
  return hash.digest('hex');
}

/** @throws Error that says why these bytes are no checkpoint of this build */
export function decodeCheckpoint(bytes: Buffer, nodeMajor: string): Checkpoint {
  const end = bytes.indexOf(10);
  if (end < 0) throw new Error('has no header');
  const header = JSON.parse(bytes.subarray(0, end).toString('utf8')) as Header;
  if (header.format !== 'picket-checkpoint' || header.version !== FORMAT_VERSION)
    throw new Error(`is of version ${header.version}, this build reads ${FORMAT_VERSION}`);
  if (header.detectors !== DETECTOR_VERSION)
    throw new Error(`was written by detectors ${header.detectors}, these are ${DETECTOR_VERSION}`);
  if (header.layout !== partitionLayout())
    throw new Error('was written by a build whose tables are laid out otherwise');
  if (header.node !== nodeMajor) throw new Error(`was written under Node ${header.node}, this is ${nodeMajor}`);
  const body = bytes.subarray(end + 1);
  if (createHash('sha256').update(body).digest('hex') !== header.sha256) throw new Error('does not match its digest');
  return fromPieces(body) as Checkpoint;
}

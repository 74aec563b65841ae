/**
 * A set of partitions on one thread. The main thread has one with all 64, or each worker thread has its share; what a
 * job returns is the same in both cases.
 */
import type { DerivedUpdate } from '../detect/detector.ts';
import type { Partial, Snapshot } from '../detect/population.ts';
import type { Standing } from '../profile/standing-count.ts';
import type { UpdateList } from './fan-out.ts';
import { Partition, type PartitionOutput, type PartitionState, type Usage } from './partition.ts';

/** What one partition has to do in a tick: most ticks concern few of the 64. */
export interface PartitionWork {
  partition: number;
  list: UpdateList | undefined;
  received: readonly DerivedUpdate[] | undefined;
}

/** One tick's work. */
export interface Job {
  u32: Uint32Array;
  f64: Float64Array;
  /** By partition, ascending. */
  work: readonly PartitionWork[];
  snapshot: Snapshot;
  /** Event time of the tick. */
  at: number;
  /** The population is merged after this tick; `sweep` also closes windows. */
  drain: boolean;
  sweep: boolean;
  /** After how long, in ms, a principal of an API counts as standing. */
  ages: ReadonlyMap<number, number>;
}

export interface JobResult {
  /** By partition, ascending. */
  outputs: ({ partition: number } & PartitionOutput)[];
  drained: { partition: number; partials: Map<number, Partial>; standing: ReadonlyMap<number, Standing> | undefined }[];
}

export class PartitionHost {
  readonly #own: readonly Partition[];
  /** By index, those of other threads left out. */
  readonly #partitions: Partition[] = [];

  constructor(indices: readonly number[], tableBytes: number) {
    this.#own = indices.map((index) => new Partition(index, tableBytes));
    for (const partition of this.#own) this.#partitions[partition.index] = partition;
  }

  run(job: Job): JobResult {
    const result: JobResult = { outputs: [], drained: [] };
    // By index here and wherever each tick passes: iterators were a third of the garbage of a log that spans a day.
    for (let i = 0; i < job.work.length; i++) {
      const { partition: index, list, received } = job.work[i] as PartitionWork;
      const partition = this.#partitions[index] as Partition;
      const output = partition.process(job.u32, job.f64, list ?? emptyList, received ?? noUpdates, job.snapshot);
      if (output) result.outputs.push({ partition: index, ...output });
    }
    if (job.drain)
      for (let i = 0; i < this.#own.length; i++) {
        const partition = this.#own[i] as Partition;
        // Between sweeps most partitions have nothing to tell, and in an old log there are many merges in between.
        if (!job.sweep && !partition.learned) continue;
        const drained = partition.drain(job.at, job.sweep, job.snapshot, job.ages);
        if (drained.partials.size > 0 || drained.standing)
          result.drained.push({ partition: partition.index, ...drained });
      }
    return result;
  }

  usage(): Usage {
    const total = { bytes: 0, maxBytes: 0, profiles: 0, evicted: 0, refused: 0 };
    for (const partition of this.#own) {
      const usage = partition.usage();
      total.bytes += usage.bytes;
      total.maxBytes += usage.maxBytes;
      total.profiles += usage.profiles;
      total.evicted += usage.evicted;
      total.refused += usage.refused;
    }
    return total;
  }

  save(): [number, PartitionState][] {
    return this.#own.map((partition) => [partition.index, partition.save()]);
  }

  load(states: readonly (readonly [number, PartitionState])[]): void {
    for (const [index, state] of states) this.#partitions[index]?.load(state);
  }
}

const noUpdates: readonly DerivedUpdate[] = [];
const emptyList: UpdateList = { words: new Uint32Array(0), length: 0, push: () => {} };

/**
 * The keyed and population stages. Observations get a sequence number and go into the open tick; closing the tick makes
 * a job; running jobs in order changes the state. Given the same observations, tick marks and inputs the outcome is the
 * same to the bit, on any number of threads.
 */
import type { DerivedUpdate } from '../detect/detector.ts';
import {
  addSurprise,
  cellOf,
  createPartial,
  type Partial,
  Population,
  type PopulationState,
  type Snapshot,
} from '../detect/population.ts';
import { F, ObservationBatch, STRIDE } from '../observation.ts';
import { mixed, mixKey } from '../profile/hash.ts';
import type { Standing } from '../profile/standing-count.ts';
import { fanOut, PARTITIONS, partitionOf, UpdateList } from './fan-out.ts';
import type { Job, JobResult, PartitionWork } from './host.ts';
import { createHosts } from './hosts.ts';
import type { PartitionState, SharedAddress, Usage } from './partition.ts';
import type { Sighting } from './sighting.ts';

/** Fast tick of event time. Shorter than the design's 1 s, because findings leave at ticks: see ADR 0003. */
export const TICK_MS = 250;
/** Population models are merged, and windows are swept, at these ticks. */
const populationMs = 10_000;
const sweepMs = 60_000;

/** A closed tick, not yet run. */
export interface ClosedTick {
  tick: number;
  at: number;
  lastSeq: number;
  batch: ObservationBatch;
  lists: UpdateList[];
}

export interface TickOutcome {
  tick: number;
  at: number;
  lastSeq: number;
  /** In (partition, sequence) order. */
  sightings: Sighting[];
  /** Addresses that another number of principals is served through now. */
  shared: SharedAddress[];
  snapshot: Snapshot;
  /** Present after a sweep: principals in good standing by API and kind. */
  standing: Map<number, Standing> | undefined;
  /** The population was merged. */
  merged: boolean;
}

export interface EngineState {
  tick: number;
  at: number;
  lastSeq: number;
  population: PopulationState;
  partitions: [number, PartitionState][];
  pending: [number, DerivedUpdate[]][];
  lessons: Lesson[];
}

interface Lesson {
  api: number;
  cell: number;
  surprise: number;
  weight: number;
}

export interface Engine {
  /** The open tick's batch: append a record to it, then call `accept` with its base. */
  readonly batch: ObservationBatch;
  /** The next record gets `seq + 1`: rows before it were lost. */
  resumeAfter(seq: number): void;
  /** The next closed tick gets `tick + 1`: ticks before it were lost. */
  resumeAfterTick(tick: number): void;
  /** Numbers the record and sends it to the keys it concerns. Returns its sequence number. */
  accept(base: number): number;
  /** Nothing would happen if a tick ended at `at`: it need not exist. */
  idle(at: number): boolean;
  /** Ends the open tick at event time `at`. */
  closeTick(at: number): ClosedTick;
  /** Runs closed ticks, one call at a time, in order; at once where no worker thread takes part. */
  run(closed: ClosedTick): TickOutcome | Promise<TickOutcome>;
  /** A person said that this surprise was normal: it joins the population at the next merge. A negative weight takes it back. */
  teach(api: number, detector: number, kind: number, surprise: number, weight: number): void;
  /** Principals of the API count as standing once they have been known so long. Belongs to the policy, not to the state. */
  standsAfter(api: number, ageMs: number): void;
  readonly lastSeq: number;
  readonly tick: number;
  snapshot(): Snapshot;
  usage(): Promise<Usage>;
  /** State after the last `run`; not while one is under way. */
  save(): Promise<EngineState>;
  load(state: EngineState): Promise<void>;
  close(): Promise<void>;
}

export interface EngineOptions {
  workers: number;
  /** What the tables may grow to, whatever arrives; the number of their slots alone bounds them unless told. */
  tableBytes?: number | undefined;
}

export function createEngine(options: EngineOptions): Engine {
  const hosts = createHosts(options.workers, options.tableBytes ?? Number.POSITIVE_INFINITY);
  const shared = options.workers > 0;
  const population = new Population();
  const spare: ObservationBatch[] = [];
  const spareLists: UpdateList[][] = [];
  const ages = new Map<number, number>();
  let lessons: Lesson[] = [];
  let batch = new ObservationBatch(512, shared);
  let lists = freshLists();
  let pending: DerivedUpdate[][] = [];
  const work = new Work();
  let lastSeq = 0;
  let tick = 0;
  let ranTick = 0;
  let ranAt = 0;
  let ranSeq = 0;
  let closedAt = 0;

  const take = (result: JobResult): Sighting[] => {
    const sightings: Sighting[] = [];
    pending = [];
    for (let i = 0; i < result.outputs.length; i++) {
      const output = result.outputs[i] as JobResult['outputs'][number];
      // Item by item: a call does not take as many arguments as a flood makes sightings.
      for (const sighting of output.sightings) sightings.push(sighting);
      for (const update of output.derived) {
        mixKey(update.valueLo, update.valueHi, update.api, update.code);
        const to = partitionOf(mixed.lo);
        (pending[to] ??= []).push(update);
      }
    }
    return sightings;
  };

  const conclude = (closed: ClosedTick, { drain, sweep }: Job, result: JobResult): TickOutcome => {
    const sightings = take(result);
    let standing: Map<number, Standing> | undefined;
    if (drain) {
      population.merge([...result.drained.map((d) => d.partials), taught(lessons)], closed.at);
      lessons = [];
      if (sweep) standing = sumStanding(result.drained.map((d) => d.standing));
    }
    ranTick = closed.tick;
    ranAt = closed.at;
    ranSeq = closed.lastSeq;
    if (spare.length < 4) {
      spare.push(closed.batch);
      for (let i = 0; i < PARTITIONS; i++) (closed.lists[i] as UpdateList).length = 0;
      spareLists.push(closed.lists);
    }
    return {
      tick: closed.tick,
      at: closed.at,
      lastSeq: closed.lastSeq,
      sightings,
      shared: result.outputs.flatMap((o) => o.shared),
      snapshot: population.snapshot,
      standing,
      merged: drain,
    };
  };

  return {
    get batch() {
      return batch;
    },
    get lastSeq() {
      return lastSeq;
    },
    get tick() {
      return tick;
    },
    resumeAfter(seq) {
      lastSeq = seq;
    },
    resumeAfterTick(after) {
      tick = after;
    },
    accept(base) {
      lastSeq++;
      batch.f64[(base + F.seq) >> 1] = lastSeq;
      fanOut(batch.u32, base, base / STRIDE, lists);
      return lastSeq;
    },
    idle: (at) => batch.length === 0 && pending.length === 0 && !(lastSeq > 0 && crosses(populationMs, closedAt, at)),
    closeTick(at) {
      closedAt = at;
      tick++;
      const closed: ClosedTick = { tick, at, lastSeq, batch, lists };
      batch = spare.pop() ?? new ObservationBatch(512, shared);
      batch.clear();
      lists = spareLists.pop() ?? freshLists();
      return closed;
    },
    run(closed) {
      const job: Job = {
        u32: closed.batch.u32,
        f64: closed.batch.f64,
        work: work.of(closed.lists, pending),
        snapshot: population.snapshot,
        at: closed.at,
        drain: crosses(populationMs, ranAt, closed.at),
        sweep: crosses(sweepMs, ranAt, closed.at),
        ages,
      };
      const result = hosts.run(job);
      return result instanceof Promise
        ? result.then((late) => conclude(closed, job, late))
        : conclude(closed, job, result);
    },
    teach(api, detector, kind, surprise, weight) {
      lessons.push({ api, cell: cellOf(detector, kind), surprise, weight });
    },
    standsAfter: (api, ageMs) => void ages.set(api, ageMs),
    snapshot: () => population.snapshot,
    usage: () => hosts.usage(),
    async save() {
      return {
        tick: ranTick,
        at: ranAt,
        lastSeq: ranSeq,
        population: population.save(),
        lessons: [...lessons],
        partitions: await hosts.save(),
        pending: pending
          .map((updates, i) => [i, updates] as [number, DerivedUpdate[]])
          .filter(([, u]) => u !== undefined),
      };
    },
    async load(state) {
      tick = ranTick = state.tick;
      ranAt = closedAt = state.at;
      lastSeq = ranSeq = state.lastSeq;
      population.load(state.population);
      lessons = [...state.lessons];
      pending = [];
      for (const [i, updates] of state.pending) pending[i] = updates;
      await hosts.load(state.partitions);
    },
    close: () => hosts.close(),
  };
}

function taught(lessons: readonly Lesson[]): Map<number, Partial> {
  const partials = new Map<number, Partial>();
  for (const { api, cell, surprise, weight } of lessons) {
    let partial = partials.get(api);
    if (!partial) partials.set(api, (partial = createPartial()));
    addSurprise(partial, cell, surprise, weight);
  }
  return partials;
}

/** What the partitions have to do in a tick: the same objects each time, because ticks are many and mostly small. */
class Work {
  readonly #each: PartitionWork[] = Array.from({ length: PARTITIONS }, (_, partition) => ({
    partition,
    list: undefined,
    received: undefined,
  }));
  readonly #work: PartitionWork[] = [];

  of(lists: readonly UpdateList[], received: readonly (readonly DerivedUpdate[] | undefined)[]): PartitionWork[] {
    this.#work.length = 0;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const list = lists[partition] as UpdateList;
      const updates = received.length > 0 ? received[partition] : undefined;
      if (list.length === 0 && !updates) continue;
      const work = this.#each[partition] as PartitionWork;
      work.list = list.length > 0 ? list : undefined;
      work.received = updates;
      this.#work.push(work);
    }
    return this.#work;
  }
}

function crosses(period: number, from: number, to: number): boolean {
  return Math.floor(from / period) !== Math.floor(to / period);
}

function freshLists(): UpdateList[] {
  return Array.from({ length: PARTITIONS }, () => new UpdateList());
}

function sumStanding(parts: readonly (ReadonlyMap<number, Standing> | undefined)[]): Map<number, Standing> {
  const total = new Map<number, Standing>();
  for (const part of parts)
    for (const [api, standing] of part ?? []) {
      const into = total.get(api);
      if (!into) {
        total.set(api, { principals: standing.principals.slice(), requests: standing.requests.slice() });
        continue;
      }
      for (let i = 0; i < 16; i++) {
        into.principals[i] = (into.principals[i] as number) + (standing.principals[i] as number);
        into.requests[i] = (into.requests[i] as number) + (standing.requests[i] as number);
      }
    }
  return total;
}

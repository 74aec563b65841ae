/** Where the partitions run: on this thread, or on worker threads that share the observation bytes. */
import { Worker } from 'node:worker_threads';
import type { Snapshot } from '../detect/population.ts';
import { PARTITIONS } from './fan-out.ts';
import { type Job, type JobResult, PartitionHost } from './host.ts';
import type { PartitionState, Usage } from './partition.ts';
import type { WorkerRequest } from './worker.ts';

export interface Hosts {
  run(job: Job): JobResult | Promise<JobResult>;
  save(): Promise<[number, PartitionState][]>;
  load(states: readonly (readonly [number, PartitionState])[]): Promise<void>;
  usage(): Promise<Usage>;
  close(): Promise<void>;
}

/** `workers` 0 runs everything on the calling thread: the default on two cores, where threads only add copies. */
export function createHosts(workers: number, tableBytes: number): Hosts {
  return workers === 0 ? localHost(tableBytes) : workerHosts(workers, tableBytes);
}

function localHost(tableBytes: number): Hosts {
  const host = new PartitionHost(
    Array.from({ length: PARTITIONS }, (_, i) => i),
    tableBytes,
  );
  return {
    run: (job) => host.run(job),
    save: async () => host.save(),
    load: async (states) => host.load(states),
    usage: async () => host.usage(),
    close: async () => {},
  };
}

function workerHosts(count: number, tableBytes: number): Hosts {
  const threads = Array.from({ length: count }, (_, i) =>
    startThread(
      Array.from({ length: PARTITIONS }, (_, p) => p).filter((p) => p % count === i),
      tableBytes,
    ),
  );
  const all = async <T>(request: (thread: Thread, i: number) => Promise<unknown>): Promise<T[]> =>
    (await Promise.all(threads.map(request))) as T[];
  let told: Snapshot | undefined;
  return {
    async run(job) {
      const { snapshot, ...rest } = job;
      const news = snapshot === told ? undefined : snapshot;
      told = snapshot;
      const results = await all<JobResult>((thread) =>
        thread.ask({ type: 'run', job: partOf(rest, thread), snapshot: news }),
      );
      const byPartition = (a: { partition: number }, b: { partition: number }): number => a.partition - b.partition;
      return {
        outputs: results.flatMap((r) => r.outputs).sort(byPartition),
        drained: results.flatMap((r) => r.drained).sort(byPartition),
      };
    },
    async save() {
      const states = await all<[number, PartitionState][]>((thread) => thread.ask({ type: 'save' }));
      return states.flat().sort((a, b) => a[0] - b[0]);
    },
    async load(states) {
      await all((thread) =>
        thread.ask({ type: 'load', states: states.filter(([i]) => thread.owns.has(i)).map(([i, s]) => [i, s]) }),
      );
    },
    async usage() {
      const usages = await all<Usage>((thread) => thread.ask({ type: 'usage' }));
      return usages.reduce((a, b) => ({
        bytes: a.bytes + b.bytes,
        maxBytes: a.maxBytes + b.maxBytes,
        profiles: a.profiles + b.profiles,
        evicted: a.evicted + b.evicted,
        refused: a.refused + b.refused,
      }));
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.stop()));
    },
  };
}

/** A worker gets only the lists of its own partitions; the observations themselves are shared, not copied. */
function partOf(job: Omit<Job, 'snapshot'>, thread: Thread): Omit<Job, 'snapshot'> {
  return { ...job, work: job.work.filter(({ partition }) => thread.owns.has(partition)) };
}

type Ask = WorkerRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

interface Thread {
  owns: ReadonlySet<number>;
  ask(request: Ask): Promise<unknown>;
  stop(): Promise<void>;
}

function startThread(indices: number[], tableBytes: number): Thread {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { indices, tableBytes } });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let next = 0;
  let dead: Error | undefined;
  const fail = (error: Error): void => {
    dead ??= error;
    for (const { reject } of waiting.values()) reject(dead);
    waiting.clear();
  };
  worker.on('message', ({ id, result }: { id: number; result: unknown }) => {
    waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  worker.on('error', fail);
  worker.on('exit', () => fail(new Error('worker thread ended')));
  return {
    owns: new Set(indices),
    ask(request) {
      // A message to a thread that has ended is never answered.
      if (dead) return Promise.reject(dead);
      const id = next++;
      const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
      worker.postMessage({ ...request, id });
      return answer;
    },
    async stop() {
      await worker.terminate();
    },
  };
}

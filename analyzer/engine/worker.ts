/** Entry of a worker thread: runs the jobs of the partitions it was given, one at a time, in order. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Snapshot } from '../detect/population.ts';
import { PartitionHost, type Job } from './host.ts';
import type { PartitionState } from './partition.ts';

let snapshot: Snapshot = new Map();
const { indices, tableBytes } = workerData as { indices: number[]; tableBytes: number };
const host = new PartitionHost(indices, tableBytes);

export type WorkerRequest =
  | {
      type: 'run';
      id: number;
      job: Omit<Job, 'snapshot'>;
      /** Absent while it is the one of the job before: most ticks merge nothing. */
      snapshot: Snapshot | undefined;
    }
  | { type: 'save'; id: number }
  | { type: 'usage'; id: number }
  | { type: 'load'; id: number; states: [number, PartitionState][] };

parentPort?.on('message', (request: WorkerRequest) => {
  switch (request.type) {
    case 'run':
      snapshot = request.snapshot ?? snapshot;
      parentPort?.postMessage({ id: request.id, result: host.run({ ...request.job, snapshot }) });
      return;
    case 'save':
      parentPort?.postMessage({ id: request.id, result: host.save() });
      return;
    case 'usage':
      parentPort?.postMessage({ id: request.id, result: host.usage() });
      return;
    case 'load':
      host.load(request.states);
      parentPort?.postMessage({ id: request.id, result: undefined });
  }
});

/** Entry of a worker thread: runs the jobs of the partitions it was given, one at a time, in order. */
import { parentPort, workerData } from 'node:worker_threads';
import { PartitionHost, type Job } from './host.ts';
import type { PartitionState } from './partition.ts';

const host = new PartitionHost((workerData as { indices: number[] }).indices);

export type WorkerRequest =
  | { type: 'run'; id: number; job: Job }
  | { type: 'save'; id: number }
  | { type: 'usage'; id: number }
  | { type: 'load'; id: number; states: [number, PartitionState][] };

parentPort?.on('message', (request: WorkerRequest) => {
  switch (request.type) {
    case 'run':
      parentPort?.postMessage({ id: request.id, result: host.run(request.job) });
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

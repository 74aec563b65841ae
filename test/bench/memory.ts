/** Memory per active principal with every detector's state in place, and under ever new principals. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ChurnFigures, PrincipalFigures } from './memory-child.ts';

export interface MemoryFigures {
  principals: PrincipalFigures[];
  churn: ChurnFigures;
}

/** How long the churn goes on in the long mode, minutes: `PICKET_BENCH_MINUTES=60`. */
const minutes = Number(process.env['PICKET_BENCH_MINUTES'] ?? 0);

export async function runMemory(quick: boolean): Promise<MemoryFigures> {
  const principals: PrincipalFigures[] = [];
  for (const count of quick ? [20_000] : [100_000, 1_000_000])
    principals.push(await inChild<PrincipalFigures>('principals', count));
  return { principals, churn: await inChild<ChurnFigures>('churn', minutes) };
}

/** Each in a process of its own: what another left behind must not be measured. */
async function inChild<T>(what: string, argument: number): Promise<T> {
  const path = fileURLToPath(new URL('./memory-child.ts', import.meta.url));
  const child = fork(path, [what, String(argument)], {
    execArgv: ['--expose-gc'],
    // As `picket` and the images do.
    env: { ...process.env, MALLOC_MMAP_THRESHOLD_: '131072' },
  });
  return new Promise((resolve, reject) => {
    child.once('message', (figures) => resolve(figures as T));
    child.once('exit', (code) => reject(new Error(`measuring ${what} ended with ${code}`)));
  });
}

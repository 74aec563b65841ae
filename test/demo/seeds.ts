/**
 * The demo with many seeds, one after the other: `make demo-seeds`, `ARGS="--seeds 5 --from 100"`.
 *
 *   --seeds N     how many, 20 unless told
 *   --from N      the first of them
 *   --json FILE   write what became of each as JSON
 */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { createScreen } from './screen.ts';
import { tellStory } from './story.ts';

interface Run {
  seed: string;
  problems: string[];
  seconds: number;
  /** Processes that wanted a core in the minute before the end. */
  load: number;
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
const screen = createScreen(process.stdout, () => performance.now());
const now = () => performance.timeOrigin + performance.now();
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
const count = Number(values.seeds);
const runs: Run[] = [];
for (let i = 0; i < count && !interrupted.signal.aborted; i++) {
  const seed = String(Number(values.from) + i);
  const startedAt = now();
  const problems = await tellStory({ seed, screen, now, signal: interrupted.signal }).then(
    (result) => result.problems,
    (error: unknown) => [`broke off: ${error instanceof Error ? error.message : String(error)}`],
  );
  runs.push({ seed, problems, seconds: Math.round((now() - startedAt) / 1000), load: loadavg()[0] ?? 0 });
}
for (const { seed, problems, seconds, load } of runs) {
  const words = `seed ${seed}: ${seconds} s at load ${load.toFixed(1)}`;
  if (problems.length === 0) screen.line(words);
  else screen.line(`${words}: ${problems.join('; ')}`, 'bad');
}
const told = runs.filter(({ problems }) => problems.length === 0).length;
screen.line(`${told} of ${count} seeds told the whole story`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(runs, null, 2)}\n`);
process.exitCode = told === count ? 0 : 1;

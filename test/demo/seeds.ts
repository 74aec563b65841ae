/** The demo with many seeds, one after the other: `make demo-seeds`, `ARGS="--seeds 5 --from 100"`. */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { toolCommand, wholeNumber } from '../support/tool-command.ts';
import { createScreen } from './screen.ts';
import { tellStory } from './story.ts';

interface Run {
  seed: string;
  problems: string[];
  seconds: number;
  /** Processes that wanted a core in the minute before the end. */
  load: number;
}

const {
  seeds: count,
  from,
  json,
} = toolCommand('make demo-seeds', 'The demo with many seeds, one after the other. Options go into ARGS="…".')
  .option('--seeds <n>', 'how many', wholeNumber, 20)
  .option('--from <n>', 'the first of them', wholeNumber, 1)
  .option('--json <file>', 'write what became of each as JSON')
  .parse()
  .opts<{ seeds: number; from: number; json?: string }>();
const screen = createScreen(process.stdout, () => performance.now());
const now = () => performance.timeOrigin + performance.now();
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());
const runs: Run[] = [];
for (let i = 0; i < count && !interrupted.signal.aborted; i++) {
  const seed = String(from + i);
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
if (json !== undefined) writeFileSync(json, `${JSON.stringify(runs, null, 2)}\n`);
process.exitCode = told === count ? 0 : 1;

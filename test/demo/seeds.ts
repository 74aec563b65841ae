/** The demo with many seeds, one after the other: `make demo-seeds`, `ARGS="--seeds 5 --from 100"`. */
import { parseArgs } from 'node:util';
import { createScreen } from './screen.ts';
import { tellStory } from './story.ts';

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '20' }, from: { type: 'string', default: '1' } },
});
const screen = createScreen(process.stdout, () => performance.now());
const now = () => performance.timeOrigin + performance.now();
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());
const failed: string[] = [];
const count = Number(values.seeds);
for (let i = 0; i < count && !interrupted.signal.aborted; i++) {
  const seed = String(Number(values.from) + i);
  try {
    const { ok, problems } = await tellStory({ seed, screen, now, signal: interrupted.signal });
    if (!ok) failed.push(`seed ${seed}: ${problems.join('; ')}`);
  } catch (error) {
    failed.push(`seed ${seed} broke off: ${error instanceof Error ? error.message : String(error)}`);
  }
}
for (const line of failed) screen.line(line, 'bad');
screen.line(`${count - failed.length} of ${count} seeds told the whole story`);
process.exitCode = failed.length === 0 ? 0 : 1;

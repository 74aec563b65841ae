/** `npm run accuracy`: what Picket finds and what it says of the innocent, on labelled traffic at event time. */
import { existsSync } from 'node:fs';
import { compileManifests } from '@picket/standalone/up/compile-manifests.ts';
import { runAttack } from './attack.ts';
import { benignDay, warmUp, type Warmth } from './benign.ts';
import { writeDocs } from './docs.ts';
import { cells } from './families.ts';
import { type AccuracyOptions, parseOptions } from './options.ts';
import { createProgress } from './progress.ts';
import { renderTables, summarise } from './report.ts';
import { noRuns, readRuns, type Runs, stateFile, writeRuns } from './runs.ts';
import { releaseTrap, runTrap, trapList, warmRelease } from './traps.ts';
import { buildStage, manifests } from './world.ts';

const options = parseOptions();
const runs = options.from.length > 0 ? await readRuns(options.from) : await run(options);
const summary = summarise(runs);
process.stdout.write(`${renderTables(summary)}\n`);
if (options.out !== undefined) await writeRuns(options.out, summary, runs);
if (options.docs) await writeDocs(summary);

/** Step after step; with `--out` what is done is kept, so that an interrupted run goes on where it was. */
async function run({ seeds, parts, family, people, days, out }: AccuracyOptions): Promise<Runs> {
  const { policies, problems } = await compileManifests(manifests, 'accuracy');
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  const progress = createProgress(process.stderr);
  const all = out !== undefined && existsSync(out) ? await readRuns([out]) : noRuns();
  const chosen = cells.filter((c) => family === undefined || c.family === family);
  const step = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    if (all.done.includes(name)) return;
    progress.show(name);
    await work();
    all.done.push(name);
    if (out !== undefined) await writeRuns(out, summarise(all), all);
  };
  for (const seed of seeds) {
    const small = once(async () => {
      const stage = buildStage(seed, { people: 620, customers: 5000 });
      const warmth = await warmUp(stage, policies);
      await step(`${seed}: warm-up`, async () => all.cold.push(warmth.cold));
      return { stage, warmth };
    });
    if (parts.has('attacks'))
      for (const cell of chosen)
        await step(`${seed}: attack ${cell.family}, ${cell.name}`, async () => {
          const { stage, warmth } = await small();
          all.attacks.push(await runAttack(stage, policies, warmth, cell));
        });
    if (parts.has('traps')) {
      for (const trap of trapList)
        await step(`${seed}: trap ${trap.name}`, async () => {
          const { stage, warmth } = await small();
          all.traps.push(await runTrap(stage, policies, warmth, trap));
        });
      await step(`${seed}: trap ${releaseTrap.name}`, async () => {
        const { stage, warmth } = await warmRelease(seed, policies);
        all.traps.push(await runTrap(stage, policies, warmth, releaseTrap));
      });
    }
    if (!parts.has('benign')) continue;
    const stage = buildStage(`${seed}/large`, { people, customers: people + 600 });
    const kept = stateFile(out, seed);
    let state = await kept.read();
    await step(`${seed}: warm-up of ${people} people`, async () => {
      const warmth: Warmth = await warmUp(stage, policies);
      all.cold.push(warmth.cold);
      await kept.write((state = { ...warmth, day: 0 }));
    });
    for (let day = 0; day < days; day++)
      await step(`${seed}: ordinary day ${day + 1} of ${people} people`, async () => {
        if (state?.day !== day)
          throw new Error(`the state before day ${day + 1} of ${seed} is gone: begin with another --out`);
        const played = await benignDay(stage, policies, state);
        all.benign.push(played.run);
        await kept.write((state = played.state));
      });
    await kept.remove();
  }
  progress.end();
  return all;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

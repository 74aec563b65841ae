/** `npm run accuracy`: what Picket finds and what it says of the innocent, on labelled traffic at event time. */
import { compileManifests } from '@picket/standalone/up/compile-manifests.ts';
import { runAttack } from './attack.ts';
import { benignDays, warmUp } from './benign.ts';
import { writeDocs } from './docs.ts';
import { cells } from './families.ts';
import { type AccuracyOptions, parseOptions } from './options.ts';
import { createProgress } from './progress.ts';
import { renderTables, summarise } from './report.ts';
import { noRuns, readRuns, type Runs, writeRuns } from './runs.ts';
import { runTraps } from './traps.ts';
import { buildStage, manifests } from './world.ts';

const options = parseOptions(process.argv.slice(2));
const runs = options.from.length > 0 ? await readRuns(options.from) : await run(options);
const summary = summarise(runs);
process.stdout.write(`${renderTables(summary)}\n`);
if (options.out !== undefined) await writeRuns(options.out, summary, runs);
if (options.docs) await writeDocs(summary);

async function run({ seeds, parts, family, people, days }: AccuracyOptions): Promise<Runs> {
  const { policies, problems } = await compileManifests(manifests, 'accuracy');
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  const progress = createProgress(process.stderr);
  const all = noRuns();
  const chosen = cells.filter((c) => family === undefined || c.family === family);
  for (const [i, seed] of seeds.entries()) {
    const name = `seed ${i + 1} of ${seeds.length}`;
    all.seeds.push(seed);
    if (parts.has('attacks') || parts.has('traps')) {
      progress.show(`${name}: warming up`);
      const stage = buildStage(seed, { people: 620, customers: 5000 });
      const warmth = await warmUp(stage, policies);
      all.cold.push(warmth.cold);
      if (parts.has('attacks'))
        for (const [c, cell] of chosen.entries()) {
          progress.show(`${name}: attack ${c + 1} of ${chosen.length}, ${cell.family}, ${cell.name}`);
          all.attacks.push(await runAttack(stage, policies, warmth, cell));
        }
      if (parts.has('traps'))
        all.traps.push(
          ...(await runTraps(seed, stage, policies, warmth, (trap) => progress.show(`${name}: trap ${trap}`))),
        );
    }
    if (parts.has('benign')) {
      progress.show(`${name}: warming up the larger shop`);
      const stage = buildStage(`${seed}/large`, { people, customers: people + 600 });
      const warmth = await warmUp(stage, policies);
      all.cold.push(warmth.cold);
      all.benign.push(
        await benignDays(stage, policies, warmth, days, (sessions) =>
          progress.show(`${name}: ordinary days, ${sessions} sessions`),
        ),
      );
    }
  }
  progress.end();
  return all;
}

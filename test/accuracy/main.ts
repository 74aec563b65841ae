/** `npm run accuracy`: what Picket finds and what it says of the innocent, on labelled traffic at event time. */
import { writeFile } from 'node:fs/promises';
import { compileManifests } from '@picket/standalone/up/compile-manifests.ts';
import { type AttackRun, runAttack } from './attack.ts';
import { benignDays, type BenignRun, warmUp } from './benign.ts';
import { cells } from './families.ts';
import { parseOptions } from './options.ts';
import { createProgress } from './progress.ts';
import { renderTables, summarise } from './report.ts';
import { runTraps, type TrapRun } from './traps.ts';
import { buildStage, manifests } from './world.ts';
import { writeDocs } from './docs.ts';

const options = parseOptions(process.argv.slice(2));
const { policies, problems } = await compileManifests(manifests, 'accuracy');
for (const problem of problems) process.stderr.write(`${problem}\n`);
const progress = createProgress(process.stderr);
const attacks: AttackRun[] = [];
const benign: BenignRun[] = [];
const traps: TrapRun[] = [];
const cold: BenignRun['figures'][] = [];
const chosen = cells.filter((c) => options.family === undefined || c.family === options.family);
for (const [i, seed] of options.seeds.entries()) {
  const name = `seed ${i + 1} of ${options.seeds.length}`;
  if (options.parts.has('attacks') || options.parts.has('traps')) {
    progress.show(`${name}: warming up`);
    const stage = buildStage(seed, { people: 620, customers: 5000 });
    const warmth = await warmUp(stage, policies);
    cold.push(warmth.cold);
    if (options.parts.has('attacks'))
      for (const [c, cell] of chosen.entries()) {
        progress.show(`${name}: attack ${c + 1} of ${chosen.length}, ${cell.family}, ${cell.name}`);
        attacks.push(await runAttack(stage, policies, warmth, cell));
      }
    if (options.parts.has('traps'))
      traps.push(...(await runTraps(seed, stage, policies, warmth, (trap) => progress.show(`${name}: trap ${trap}`))));
  }
  if (options.parts.has('benign')) {
    progress.show(`${name}: warming up the larger shop`);
    const stage = buildStage(`${seed}/large`, { people: options.people, customers: options.people + 600 });
    const warmth = await warmUp(stage, policies);
    cold.push(warmth.cold);
    benign.push(
      await benignDays(stage, policies, warmth, options.days, (sessions) =>
        progress.show(`${name}: ordinary days, ${sessions} sessions`),
      ),
    );
  }
}
progress.end();
const summary = summarise({ seeds: options.seeds, attacks, benign, traps, cold });
process.stdout.write(`${renderTables(summary)}\n`);
if (options.out !== undefined) await writeFile(options.out, `${JSON.stringify(summary, null, 1)}\n`);
if (options.docs) await writeDocs(summary);

/**
 * `node test/accuracy/sites.ts [seed…]`: what `picket analyze` says of modelled sites and of who attacks them, as the tables
 * of docs/accuracy-recorded.md. Half an hour per seed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AnalyzeResult, levelRank, type VerdictSummary } from '@picket/standalone/analyze/result.ts';
import { runAnalyze } from '@picket/standalone/analyze/run.ts';
import { attackers } from '../scenarios/sites/attackers.ts';
import { burstySites } from '../scenarios/sites/bursty-sites.ts';
import { everydaySites } from '../scenarios/sites/everyday-sites.ts';
import { heldBackSites } from '../scenarios/sites/held-back-sites.ts';
import { programSites } from '../scenarios/sites/program-sites.ts';
import type { SiteAttack } from '../scenarios/sites/site-attacks.ts';
import { silentHost } from '../support/silent-host.ts';

const seeds = process.argv.slice(2);
if (seeds.length === 0) seeds.push('report-1');
const folder = mkdtempSync(join(tmpdir(), 'accuracy-sites-'));
const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function analyze(text: string): Promise<AnalyzeResult> {
  const file = join(folder, 'access.log');
  writeFileSync(file, text);
  return runAnalyze(
    { files: [file], top: 10, pseudonymise: false, progress: false, workers: 0 },
    new AbortController().signal,
    silentHost(folder),
  );
}

const accused = (result: AnalyzeResult): VerdictSummary[] => result.verdicts.filter((v) => levelRank(v.level) >= 2);
const isGuilty = (v: VerdictSummary, attack: SiteAttack): boolean =>
  attack.addresses.includes(v.principal.value ?? '') ||
  (attack.addresses.length > 1 && v.principal.kind === 'Campaign');

print('| ordinary site | seeds | requests | accused |\n|---|---|---|---|');
for (const [name, make] of Object.entries({ ...everydaySites, ...burstySites, ...programSites, ...heldBackSites })) {
  let requests = 0;
  let bad = 0;
  for (const seed of seeds) {
    const result = await analyze(make(seed).log.combined());
    requests += result.requests;
    bad += accused(result).length;
  }
  print(`| ${name} | ${seeds.length} | ${requests} | ${bad} |`);
}

const hosts = [everydaySites.tinyBlog, everydaySites.brokenLinks, everydaySites.intranetNat, everydaySites.halfMinute];
print('\n| attacker | seeds | Elevated or more | High or more | others accused |\n|---|---|---|---|---|');
for (const [i, attacker] of attackers.entries()) {
  let found = 0;
  let high = 0;
  let others = 0;
  for (const [s, seed] of seeds.entries()) {
    const site = (hosts[(i + s) % hosts.length] as (typeof hosts)[number])(seed);
    const attack = attacker.attack(site, site.from + (site.until - site.from) * site.random.between(0.2, 0.7));
    const result = await analyze(site.log.combined());
    const best = Math.max(0, ...result.verdicts.filter((v) => isGuilty(v, attack)).map((v) => levelRank(v.level)));
    if (best >= 2) found++;
    if (best >= 3) high++;
    others += accused(result).filter((v) => !isGuilty(v, attack)).length;
  }
  print(`| ${attacker.name} | ${seeds.length} | ${found} | ${high} | ${others} |`);
}
rmSync(folder, { recursive: true });

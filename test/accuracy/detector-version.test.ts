/**
 * Verdicts carry `DETECTOR_VERSION`, so that whoever compares two of them knows whether the same rows could have led to
 * both. What all detectors find in one recorded quarter of an hour is kept by version: findings that differ from those of
 * their own version fail here until the version is raised; then `UPDATE_GOLDEN=1` writes the new record, never an old one.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DETECTOR_VERSION } from '@picket/analyzer/detect/catalogue.ts';
import { detectorIds, type Finding } from '@picket/analyzer/verdict.ts';
import { compileManifests } from '@picket/standalone/up/compile-manifests.ts';
import { expect, test } from 'vitest';
import { ordinaryDay } from '../scenarios/day.ts';
import { mergeEvents } from '../scenarios/merge.ts';
import { cells } from './families.ts';
import { createPipeline } from './pipeline.ts';
import { buildStage, epoch, hourMs, manifests } from './world.ts';

const folder = new URL('./testdata/', import.meta.url);
const name = `findings-v${DETECTOR_VERSION}.txt`;

/** One attack of each kind, as long as it takes to be found. */
const attacks: readonly [family: string, cell: string, seconds: number][] = [
  ['credentialStuffing', '1 address, 1/s, disguised', 90],
  ['distributedStuffing', '30 % of logins, commonest user agent', 90],
  ['bruteForce', '1 address, 0.5/s', 90],
  ['objectEnumeration', 'one id per 800 ms', 60],
  ['scraping', 'one page per 1 s', 800],
  ['tokenAbuse', '16 thieves, 2/s', 60],
  ['probing', '1/s', 60],
  ['excess', '20/s', 50],
];

async function findings(): Promise<Finding[]> {
  const stage = buildStage('detector-version', { people: 60, customers: 700 });
  const { policies } = await compileManifests(manifests, 'accuracy');
  const until = epoch + hourMs;
  const from = until - 900_000;
  const streams = attacks.map(([family, name, seconds], i) => {
    const cell = cells.find((c) => c.family === family && c.name === name);
    if (!cell) throw new Error(`no cell ${family}, ${name}`);
    const start = from + i * 3000;
    return cell.attack(stage, stage.world.random.fork(family), { from: start, until: start + seconds * 1000 });
  });
  const pipeline = await createPipeline(stage, policies);
  const found: Finding[] = [];
  await pipeline.play(
    mergeEvents([ordinaryDay(stage.world, { from: epoch, until }), ...streams]),
    stage.openShop('detector-version'),
    { onOutcome: (outcome) => found.push(...outcome.findings) },
  );
  await pipeline.close();
  return found;
}

function record(found: readonly Finding[]): string {
  const lines = detectorIds.map((id) => {
    const own = found.filter((f) => f.detector === id);
    const words = own.map(
      (f) =>
        `${f.until - epoch} ${f.kind} ${f.observed} ${f.expected.toPrecision(6)} ${f.pValue.toPrecision(4)} ${f.unit}`,
    );
    const digest = createHash('sha256').update(words.join('\n')).digest('hex').slice(0, 16);
    return `${id} ${own.length} ${digest}\n${[words[0], words.at(-1)].map((line) => `  ${line}\n`).join('')}`;
  });
  return lines.join('');
}

test('findings do not change without the version of the detectors', async () => {
  const found = await findings();
  expect(new Set(found.map((f) => f.detector))).toEqual(new Set(detectorIds));
  const now = record(found);
  if (!existsSync(new URL(name, folder)) && process.env.UPDATE_GOLDEN === '1') {
    for (const old of readdirSync(folder)) if (old.startsWith('findings-v')) rmSync(new URL(old, folder));
    writeFileSync(new URL(name, folder), now);
  }
  expect(existsSync(new URL(name, folder)), `there is no ${name}: run this test with UPDATE_GOLDEN=1`).toBe(true);
  expect(
    now,
    `what detectors find has changed: raise DETECTOR_VERSION in analyzer/detect/catalogue.ts above ${DETECTOR_VERSION} and run this test with UPDATE_GOLDEN=1`,
  ).toBe(readFileSync(new URL(name, folder), 'utf8'));
}, 120_000);

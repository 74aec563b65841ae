import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inferFromLogs } from '@picket/analyzer/logs/infer.ts';
import { openLogs } from '@picket/analyzer/logs/open.ts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeManifests } from './outputs.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'analyze-outputs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('does not write over a manifest that somebody corrected', async () => {
  const line = 'shop.example 203.0.113.9 - - [31/Jan/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "UA"\n';
  writeFileSync(join(folder, 'x.log'), line.repeat(30));
  const inference = await inferFromLogs(await openLogs({ cwd: folder, paths: ['x.log'] }));
  const manifests = join(folder, 'manifests');
  expect(await writeManifests(manifests, inference)).toEqual([]);
  expect(await writeManifests(manifests, inference)).toEqual([]);
  const file = join(manifests, 'shop-example.yaml');
  const corrected = `${readFileSync(file, 'utf8')}# by hand\n`;
  writeFileSync(file, corrected);
  expect(await writeManifests(manifests, inference)).toEqual([expect.stringContaining(`${file} was left as it is`)]);
  expect(readFileSync(file, 'utf8')).toBe(corrected);
});

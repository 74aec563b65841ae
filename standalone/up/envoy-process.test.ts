import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { lastLines } from './envoy-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'picket-envoy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('tells the last lines of a long log, and nothing of one that is not there', async () => {
  const path = join(folder, 'envoy.log');
  const lines = Array.from({ length: 500 }, (_, i) => `[warning] line ${i}`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  expect(await lastLines(path)).toBe(lines.slice(-5).join('\n'));
  expect(await lastLines(join(folder, 'absent'))).toBe('');
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { loadOrCreateKeyRing } from '../identify/key-ring.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { mendKeys } from './key-guard.ts';

const folder = mkdtempSync(join(tmpdir(), 'picket-keys-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('writes the same keys again when their folder is gone, and says so once', () => {
  const path = join(folder, 'data', 'keys.json');
  const errors: string[] = [];
  const log = { ...silentLogger, error: (message: string) => void errors.push(message) };
  let made = 0;
  const random = (count: number) => new Uint8Array(count).fill(++made);
  mendKeys(path, loadOrCreateKeyRing(join(folder, 'keys.json'), random, 1), log);
  mendKeys(path, loadOrCreateKeyRing(join(folder, 'keys.json'), random, 1), log);
  expect(errors).toHaveLength(1);
  expect(loadOrCreateKeyRing(path, random, 2)).toEqual(loadOrCreateKeyRing(join(folder, 'keys.json'), random, 2));
});

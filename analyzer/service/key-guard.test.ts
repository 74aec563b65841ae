import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '@picket/runtime/log.ts';
import { type KeyRing, loadOrCreateKeyRing, readKeyRing, rotateKeyRing, saveKeyRing } from '../identify/key-ring.ts';
import { createKeyGuard } from './key-guard.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function setUp() {
  const path = join(folder, 'keys.json');
  let made = 0;
  const random = (count: number): Uint8Array => new Uint8Array(count).fill(++made);
  const first = loadOrCreateKeyRing(path, random, 1);
  const errors: string[] = [];
  let at = 10;
  const log = { ...silentLogger, error: (message: string) => void errors.push(message) };
  const guard = createKeyGuard(path, first, { now: () => at }, log);
  const taken: KeyRing[] = [];
  guard.onChange((ring) => taken.push(ring));
  let written = 0;
  return {
    ...{ path, first, errors, taken, random },
    checkAt(time: number): void {
      at = time;
      guard.check();
    },
    write(ring: KeyRing): void {
      saveKeyRing(path, ring);
      // Two writes within what a file system tells apart.
      utimesSync(path, 1, ++written);
    },
  };
}

it('writes the same keys again when their folder is gone, and says so once', () => {
  const { path, first, errors, checkAt } = setUp();
  rmSync(folder, { recursive: true });
  checkAt(1);
  checkAt(2);
  expect(errors).toHaveLength(1);
  expect(readKeyRing(path)).toEqual(first);
});

it('takes a rotated ring into use, and erases the previous key when the overlap is over', () => {
  const { path, first, random, taken, checkAt, write } = setUp();
  const rotated = rotateKeyRing(first, random, 10, 100);
  write(rotated);
  checkAt(20);
  expect(taken).toEqual([rotated]);
  checkAt(109);
  expect(taken).toHaveLength(1);
  checkAt(110);
  expect(taken[1]?.previous).toBeUndefined();
  expect(taken[1]?.active).toEqual(rotated.active);
  expect(readKeyRing(path)).toEqual(taken[1]);
  checkAt(120);
  expect(taken).toHaveLength(2);
});

it('ignores a ring that has nothing to do with the one in use', () => {
  const { first, random, errors, taken, checkAt, write } = setUp();
  write(rotateKeyRing(rotateKeyRing(first, random, 1, 1), random, 1, 1));
  checkAt(20);
  expect(taken).toEqual([]);
  expect(errors).toHaveLength(1);
});

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createKeyRing, KeyRingError, loadOrCreateKeyRing, rotateKeyRing, saveKeyRing } from './key-ring.ts';

let folder = '';
let seed = 1;
const random = (n: number): Uint8Array => new Uint8Array(n).map(() => (seed = (seed * 75 + 74) % 65537) & 255);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'key-ring-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('key ring file', () => {
  test('is made when missing, for its owner only, and read back the same', () => {
    const path = join(folder, 'keys.json');
    const made = loadOrCreateKeyRing(path, random, 5);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(loadOrCreateKeyRing(path, random, 9)).toEqual(made);
  });

  test('a rotation keeps the previous key for the overlap and the content key for ever', () => {
    const path = join(folder, 'keys.json');
    const made = loadOrCreateKeyRing(path, random, 5);
    saveKeyRing(path, rotateKeyRing(made, random, 100, 50));
    const rotated = loadOrCreateKeyRing(path, random, 101);
    expect(rotated.previous).toEqual(made.active);
    expect(rotated.active.id).not.toBe(made.active.id);
    expect(rotated.overlapUntilMs).toBe(150);
    expect(rotated.contentSecret).toEqual(made.contentSecret);
  });

  test.each([
    ['', 'corrupt'],
    ['{"version":2}', 'corrupt'],
    ['null', 'corrupt'],
    ['{"version":1,"overlapUntilMs":0,"active":{"id":"a","createdAtMs":1,"secret":"c2hvcnQ="}}', 'corrupt'],
  ])('%s is refused and left alone', (text, code) => {
    const path = join(folder, 'keys.json');
    writeFileSync(path, text, { mode: 0o600 });
    expect(() => loadOrCreateKeyRing(path, random, 0)).toThrow(expect.objectContaining({ code }));
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('a file that others may read is refused', () => {
    const path = join(folder, 'keys.json');
    saveKeyRing(path, createKeyRing(random, 0));
    chmodSync(path, 0o640);
    expect(() => loadOrCreateKeyRing(path, random, 0)).toThrow(KeyRingError);
  });

  test('an unusable place is an error', () => {
    expect(() => loadOrCreateKeyRing(join(folder, 'no', 'keys.json'), random, 0)).toThrow(
      expect.objectContaining({ code: 'io' }),
    );
  });
});

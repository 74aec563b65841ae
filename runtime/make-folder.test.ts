import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { makeFolder } from './make-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'picket-folder-'));
afterAll(() => rmSync(root, { recursive: true }));

it('makes what is missing on the way, for its owner alone when told, and leaves what is there', async () => {
  const path = join(root, 'a/b/c');
  await makeFolder(path, 0o700);
  await makeFolder(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

it('refuses a name that a file has, on the way too', async () => {
  writeFileSync(join(root, 'file'), '');
  await expect(makeFolder(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makeFolder(join(root, 'file/a/b'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

it.skipIf(process.platform !== 'linux')('ends where no folder can be made (Linux: /proc)', async () => {
  await expect(makeFolder('/proc/picket/a')).rejects.toMatchObject({ code: 'ENOENT' });
});

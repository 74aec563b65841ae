import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeFileAtomic } from './atomic-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'picket-atomic-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('replaces the content and leaves nothing else behind', async () => {
  const path = join(folder, 'state.json');
  await writeFileAtomic(path, 'one');
  await writeFileAtomic(path, new TextEncoder().encode('two'));
  expect(await readFile(path, 'utf8')).toBe('two');
  expect(await readdir(folder)).toEqual(['state.json']);
});

it('gives a new file to its owner alone', async () => {
  const path = join(folder, 'state.json');
  await writeFileAtomic(path, 'x');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it('does not follow a link that lies where the new content is written', async () => {
  const victim = join(folder, 'victim');
  await writeFile(victim, 'untouched');
  await symlink(victim, join(folder, '.state.json.new'));
  await writeFileAtomic(join(folder, 'state.json'), 'x');
  expect(await readFile(victim, 'utf8')).toBe('untouched');
});

it('keeps the old content when the new one cannot be written', async () => {
  await expect(writeFileAtomic(join(folder, 'missing', 'state.json'), 'x')).rejects.toMatchObject({ code: 'ENOENT' });
  const path = join(folder, 'busy');
  await writeFileAtomic(join(folder, 'other'), 'x');
  await symlink('loop', path);
  await writeFileAtomic(path, 'new');
  expect(await readFile(path, 'utf8')).toBe('new');
});

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createStateFile } from './state-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'picket-state-'));
});
afterEach(() => rm(folder, { recursive: true }));

function counterFile(version = 1) {
  return createStateFile({
    path: join(folder, 'counter.json'),
    format: 'picket-counter',
    version,
    clock: { now: () => 1_700_000_000_000, elapsed: () => 0 },
    decode(state) {
      if (typeof state !== 'number') throw new Error('the counter is not a number');
      return state;
    },
  });
}

it('gives back what was written', async () => {
  expect(await counterFile().read()).toEqual({ outcome: 'Absent' });
  await counterFile().write(7);
  expect(await counterFile().read()).toEqual({ outcome: 'Read', state: 7 });
});

it.each([
  ['half a file', '{"format":"picket-counter","ver', /JSON/],
  [
    'another format',
    '{"format":"picket-objects","version":1,"state":1}',
    /^format picket-objects, expected picket-counter$/,
  ],
  ['a newer version', '{"format":"picket-counter","version":2,"state":1}', /^version 2, expected 1$/],
  ['a wrong shape', '{"format":"picket-counter","version":1,"state":"x"}', /^the counter is not a number$/],
  ['no envelope', '[]', /^no format and version in it$/],
])('sets %s aside with the reason', async (_, text, reason) => {
  await writeFile(join(folder, 'counter.json'), text);
  const movedTo = join(folder, 'counter.json.unreadable-1700000000000');
  expect(await counterFile().read()).toEqual({ outcome: 'SetAside', reason: expect.stringMatching(reason), movedTo });
  expect(await readFile(movedTo, 'utf8')).toBe(text);
  expect(await readdir(folder)).toEqual(['counter.json.unreadable-1700000000000']);
});

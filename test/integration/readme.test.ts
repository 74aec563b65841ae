/** What README and guides tell people to type or to write does what they say, and leads somewhere. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { validateObject } from '@picket/crds/validate.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { guessingLog } from '../support/guessing-log.ts';
import { type Picket, removePicket, runPicket, startPicket } from '../support/picket.ts';
import { repositoryRoot } from '../support/tools.ts';

const read = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');
const readme = read('README.md');
const pages = ['README.md', 'examples/shop/README.md', 'CHANGELOG.md', ...markdownUnder('docs')];

function markdownUnder(folder: string): string[] {
  return readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
}

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , body = '']) => body);
}

/** Arguments of every `npx picket …` that the README shows, without what a shell would do with them. */
function picketCommands(): string[][] {
  const lines = [...readme.matchAll(/npx picket ([^\n`;|]+)/g)].map(([, args = '']) => args.trim());
  return [...new Set(lines)].map((line) => line.split(/\s+/));
}

it('is short enough to be read', () => {
  expect(readme.trimEnd().split('\n').length).toBeLessThan(150);
});

it('names make targets that exist', () => {
  const targets = new Set([...read('Makefile').matchAll(/^([a-z-]+):/gm)].map(([, name]) => name));
  const named = pages.flatMap((page) => {
    const text = read(page);
    const typed = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, body = '']) => body).join('');
    return [...text.matchAll(/`make ([a-z-]+)/g), ...typed.matchAll(/^make ([a-z-]+)/gm)].map(([, name]) => name);
  });
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((name) => !targets.has(name))).toEqual([]);
});

it.each(pages)('links only to what is there: %s', (page) => {
  const targets = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
  expect(targets.filter((target) => !existsSync(join(repositoryRoot, dirname(page), target)))).toEqual([]);
});

describe('manifests', () => {
  const shown = pages
    .filter((page) => !page.startsWith('docs/reference/'))
    .flatMap((page) => blocks(read(page), 'yaml').map((text, index) => [`${page} (${index + 1})`, text] as const));
  const files = readdirSync(join(repositoryRoot, 'examples'), { recursive: true, encoding: 'utf8' })
    // What is in an overlay is a patch: `test/kubernetes/gitops.test.ts` looks at what becomes of it.
    .filter((name) => name.endsWith('.yaml') && !name.includes('overlays/'))
    .map((name) => [`examples/${name}`, read(join('examples', name))] as const)
    .filter(([, text]) => text.includes('apiVersion: picket.dev/'));

  it.each([...shown, ...files])('are valid: %s', (_, text) => {
    const objects = parseAllDocuments(text).map((document) => document.toJS() as { kind: string });
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects) expect(validateObject(object.kind, object).errors).toEqual([]);
  });
});

describe('commands of the README', () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-readme-'));
  let picket: Picket | undefined;

  beforeAll(async () => {
    writeFileSync(join(folder, 'access.log'), guessingLog(Date.now() - 10_000));
    const manifests = join(folder, 'manifests');
    mkdirSync(manifests);
    writeFileSync(join(manifests, 'shop.yaml'), blocks(readme, 'yaml')[0] ?? '');
    picket = await startPicket({ manifests });
  });

  afterAll(async () => {
    await picket?.stop();
    removePicket(picket);
    rmSync(folder, { recursive: true, force: true });
  });

  it('are found', () => {
    expect(picketCommands().length).toBeGreaterThan(4);
  });

  it.each(picketCommands().map((args) => [args.join(' '), args] as const))('runs: npx picket %s', async (_, args) => {
    const [command, verb] = args;
    const live = command === 'risk' && !args.includes('--help');
    const result = await runPicket(live ? [...args, '--admin', picket?.adminUrl ?? ''] : args, { cwd: folder });
    // Nobody has attacked this one, so there is no verdict to explain.
    const expected = verb === 'explain' ? (args.length > 2 ? 6 : 2) : 0;
    expect({ code: result.code, err: expected === 0 ? result.err : '' }).toEqual({ code: expected, err: '' });
  });

  it('accepts the API and the policy as the README shows them', async () => {
    expect(await picket?.read('/api/v1/problems')).toEqual([]);
    expect((await picket?.api('shop'))?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Accepted', status: 'True' }),
    );
    expect((await picket?.policy('shop'))?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Accepted', status: 'True' }),
    );
  });

  it('shows who guessed passwords', async () => {
    const { out } = await runPicket(['analyze', 'access.log', '--no-progress'], { cwd: folder });
    expect(out).toContain('198.51.100.7');
  });
});

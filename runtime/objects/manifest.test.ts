import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseManifests } from './manifest.ts';

const parse = (text: string) => parseManifests('a.yaml', new TextEncoder().encode(text));

describe('positions', () => {
  const text = `kind: A
spec:
  hosts:
  - one
  - two
  flows: [{ name: login,
    match: { path: /login } }]
---
kind: B
`;

  it.each([
    ['spec.hosts[1]', 5, 5],
    ['spec.flows[0].match.path', 7, 14],
    ['spec.flows[0].success', 6, 11],
    ['spec.missing.deeper', 2, 1],
    ['', 1, 1],
  ])('of %j', (field, line, column) => {
    expect(parse(text).manifests[0]?.locate(field)).toEqual({ line, column });
  });

  it('count on over documents', () => {
    expect(parse(text).manifests[1]?.locate('kind')).toEqual({ line: 9, column: 1 });
  });
});

describe('limits', () => {
  it.each([
    ['brackets', '['.repeat(1_000_000), 'more than 64 brackets inside each other'],
    ['list marks', '- '.repeat(500_000), 'more than 32 list marks on one line'],
    ['documents', 'k: v\n---\n'.repeat(2000), 'more than 1000 documents; split the file'],
    ['anchors', '&a '.repeat(300_000), 'more than 1000 anchors and aliases'],
    [
      'keys',
      Array.from({ length: 150_000 }, (_, i) => `k${i}: v`).join('\n'),
      'more than 600000 parts; split the file',
    ],
  ])('stop too many %s before they are parsed', (_, text, message) => {
    expect(parse(text)).toMatchObject({ complete: false, manifests: [], problems: [{ reason: 'TooLarge', message }] });
  });

  it('do not count what stands in a text', () => {
    const contract = '['.repeat(1000);
    expect(parse(`kind: A\nspec:\n  inline: |\n    ${contract}\n`).manifests[0]?.object).toEqual({
      kind: 'A',
      spec: { inline: `${contract}\n` },
    });
  });

  it('say where the limit is passed', () => {
    expect(parse(`kind: A\nspec: "x"\nbad: ${'['.repeat(100)}`).problems[0]).toMatchObject({ line: 3, column: 70 });
  });
});

it('never throws, whatever the bytes', () => {
  const yamlish = fc.array(
    fc.constantFrom('a', ':', ' ', '\n', '-', '[', '{', '}', '&x', '*x', '|', '"', '\t', '---\n', '<<'),
    {
      maxLength: 60,
    },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        yamlish.map((parts) => new TextEncoder().encode(parts.join(''))),
      ),
      (bytes) => {
        const { complete, problems } = parseManifests('a.yaml', bytes);
        expect(complete || problems.length > 0).toBe(true);
      },
    ),
    { numRuns: 2000 },
  );
});

it.each(['!!binary "AA=="', '!!set { a, b }', '[{ x: !!binary AA== }]'])('%s is no value of an object', (value) => {
  const { manifests, problems } = parse(`kind: A\nspec: ${value}\n`);
  expect(manifests).toEqual([]);
  expect(problems[0]).toMatchObject({ reason: 'Syntax', line: 1 });
});

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createOperationRegistry, type OperationAlias, type OperationContract } from './registry.ts';
import { canonicalTemplate } from './template.ts';

const none: OperationContract = { declared: [], named: [] };

function setUp(contract: OperationContract = none) {
  const aliases: OperationAlias[] = [];
  const registry = createOperationRegistry({ onAlias: (alias) => aliases.push(alias) });
  registry.setContract('t/t', contract);
  const api = registry.api('t/t');
  const get = (path: string, status = 200, method = 'GET', asset = false): string | undefined =>
    api.resolve(method, path, status, 1, asset)?.template;
  return { registry, api, get, aliases };
}

const declare = (...entries: string[]): OperationContract => ({
  declared: entries.map((e) => {
    const [method, template] = e.split(' ') as [string, string];
    return { method, template, deprecated: false };
  }),
  named: [],
});

describe('declared operations', () => {
  test('a literal beats a parameter, the fewest parameters win, a final slash is optional unless declared', () => {
    const { get } = setUp(
      declare(
        'GET /users/v1/_debug',
        'GET /users/v1/{username}',
        'GET /a/{x}/{y}',
        'GET /{x}/b/c',
        'GET /annotation/dbsnp/',
        'GET /annotation/dbsnp/{id}',
        'GET /files/{name}.json',
        'GET /',
      ),
    );
    expect(get('/users/v1/_debug')).toBe('/users/v1/_debug');
    expect(get('/users/v1/anna', 404)).toBe('/users/v1/{username}');
    expect(get('/users/v1/anna/', 404)).toBe('/users/v1/{username}');
    expect(get('/a/b/c')).toBe('/{x}/b/c');
    expect(get('/annotation/dbsnp/')).toBe('/annotation/dbsnp/');
    expect(get('/annotation/dbsnp/rs1')).toBe('/annotation/dbsnp/{id}');
    expect(get('/files/a.b.json')).toBe('/files/{name}.json');
    expect(get('/')).toBe('/');
  });

  test('an undeclared method becomes an operation of the same template with its first proper answer', () => {
    const { api, get } = setUp(declare('GET /users/{id}'));
    expect(get('/users/anna', 405, 'DELETE')).toBeUndefined();
    expect(get('/users/anna', 204, 'DELETE')).toBe('/users/{id}');
    expect(api.resolve('DELETE', '/users/bob', 401, 1, false)).toMatchObject({ declared: false, count: 2 });
  });

  test('counts and ids outlive a change of the contract', () => {
    const { registry, api } = setUp(declare('GET /users/{id}'));
    const before = { ...api.resolve('GET', '/users/1', 200, 5, false) };
    registry.setContract('t/t', declare('GET /users/{user}', 'GET /new'));
    const after = api.resolve('GET', '/users/2', 200, 9, false);
    expect(after).toMatchObject({ lo: before.lo, hi: before.hi, count: 2, firstSeen: 5, lastSeen: 9 });
    expect(registry.templateOf(before.lo as number, before.hi as number)).toBe('GET /users/{user}');
  });
});

describe('learned operations', () => {
  test('paths that only ever answer 404 never become operations', () => {
    const { api, get } = setUp();
    for (let i = 0; i < 1000; i++) expect(get(`/w${i % 10}/x`, 404)).toBeUndefined();
    expect(api.list()).toEqual([]);
    expect(get('/users/17', 200)).toBe('/users/{id}');
    expect(get('/users/18', 404)).toBe('/users/{id}');
  });

  test('refusals make an operation only when they repeat on one path', () => {
    const { get } = setUp();
    for (let i = 0; i < 200; i++) expect(get(`/scan${String.fromCharCode(97 + (i % 26))}${i}z/x`, 403)).toBeUndefined();
    const answers = Array.from({ length: 6 }, () => get('/reports', 401));
    expect(answers).toEqual([undefined, undefined, undefined, undefined, '/reports', '/reports']);
  });

  test('words fold once their number shows it, and older ids become aliases', () => {
    const { registry, api, get, aliases } = setUp();
    const first = { ...api.resolve('GET', '/users/anna/orders', 200, 1, false) };
    for (let i = 0; i < 60; i++) get(`/users/${name(i)}/orders`);
    expect(get('/users/zoe/orders')).toBe('/users/{id}/orders');
    expect(api.list().map((o) => [o.template, o.count])).toEqual([['/users/{id}/orders', 62]]);
    expect(registry.templateOf(first.lo as number, first.hi as number)).toBe('GET /users/{id}/orders');
    expect(aliases.length).toBeGreaterThanOrEqual(24);
  });

  test('fixed resources that are visited often stay apart', () => {
    const { api } = setUp();
    for (let i = 0; i < 4000; i++) {
      // Some are asked for thirty times as often as others.
      const rank = Math.floor(40 ** (((i * 7919) % 1009) / 1009)) - 1;
      api.resolve('GET', `/api/${name(i % 3 === 0 ? (i * 17) % 40 : rank)}`, 200, 1, false);
    }
    expect(api.list().length).toBe(40);
  });

  test('what is posted to stays beside folded names', () => {
    const { get } = setUp();
    get('/users/login', 200, 'POST');
    for (let i = 0; i < 30; i++) get(`/users/${name(i)}`);
    expect(get('/users/somebody')).toBe('/users/{id}');
    expect(get('/users/login', 401, 'POST')).toBe('/users/login');
  });

  test('versions stay, numbered pages fold', () => {
    const { get } = setUp();
    for (const v of ['v1', 'v2', 'v2.7', 'v3', 'v4.0', 'v5']) expect(get(`/api/${v}/user`)).toBe(`/api/${v}/user`);
    for (let i = 1; i < 9; i++) get(`/blog/page-${i}`);
    expect(get('/blog/page-77')).toBe('/blog/{id}');
    expect(get('/blog/about')).toBe('/blog/about');
  });

  test('assets are one operation', () => {
    const { api, get } = setUp();
    for (let i = 0; i < 500; i++) get(`/static/${name(i)}.css`, 200, 'GET', true);
    expect(get('/favicon.ico', 404, 'GET', true)).toBeUndefined();
    expect(api.list().map((o) => o.template)).toEqual(['/**/{asset}']);
  });

  test('strange paths are harmless', () => {
    const { get } = setUp();
    expect(get('')).toBeUndefined();
    expect(get('*')).toBeUndefined();
    expect(get('/a/../b')).toBeUndefined();
    expect(get('/'.repeat(500))).toBe('/');
    expect(get('//orders//7/')).toBe('/orders/{id}');
    expect(get('/x'.repeat(100))).toBeUndefined();
    expect(get('/a%2Fb/c')).toBe('/a%2Fb/c');
    expect(get('/__proto__/constructor')).toBe('/__proto__/constructor');
    expect(get('/b;jsessionid=77/c;x')).toBe('/b/c');
  });

  test('10,000 random paths that all answer 200 stay few operations', () => {
    const { api } = setUp();
    let seed = 1;
    const word = (): string => {
      let out = '';
      for (let i = 0; i < 6; i++) {
        seed = (seed * 1103515245 + 12345) & 0x7fffffff;
        out += String.fromCharCode(97 + ((seed >> 8) % 26));
      }
      return out;
    };
    for (let i = 0; i < 10_000; i++) api.resolve('GET', `/${word()}/${word()}/${word()}`, 200, i, false);
    expect(api.list().length).toBeLessThanOrEqual(200);
    expect(api.list().reduce((sum, o) => sum + o.count, 0)).toBe(10_000);
  });

  test('the limit of operations holds, and what is over it is counted', () => {
    const registry = createOperationRegistry({ limits: { maxOperations: 50 } });
    const api = registry.api('t/t');
    for (let i = 0; i < 200; i++) api.resolve('GET', `/${name(i % 20)}/${name(i)}/x`, 200, i, false);
    expect(api.list().length).toBeLessThanOrEqual(51);
    expect(api.list().reduce((sum, o) => sum + o.count, 0)).toBe(200);
    expect(api.list().some((o) => o.template === '/**')).toBe(true);
  });

  test('a checkpoint continues as if nothing had happened', () => {
    const whole = setUp(declare('GET /declared/{id}'));
    const first = setUp(declare('GET /declared/{id}'));
    const paths = Array.from({ length: 400 }, (_, i) =>
      i % 7 === 0 ? `/declared/${i}` : i % 3 === 0 ? `/users/${name(i)}` : `/p-${i % 5}/${i}/${name(i % 9)}`,
    );
    const status = (i: number): number => (i % 11 === 0 ? 401 : i % 13 === 0 ? 302 : 200);
    const run = (target: ReturnType<typeof setUp>, from: number, to: number): void => {
      for (let i = from; i < to; i++) target.api.resolve('GET', paths[i] as string, status(i), i, false);
    };
    run(whole, 0, 400);
    run(first, 0, 150);
    const second = setUp(declare('GET /declared/{id}'));
    second.registry.restore(JSON.parse(JSON.stringify(first.registry.toJSON())));
    run(second, 150, 400);
    const sorted = (s: ReturnType<typeof setUp>) =>
      s.api.list().toSorted((a, b) => (a.template + a.method < b.template + b.method ? -1 : 1));
    expect(sorted(second)).toEqual(sorted(whole));
  });
});

const directory = '../shared/data/openapi';
const files = existsSync(directory)
  ? ['vampi-openapi3.yml', 'crapi-openapi-spec.json', 'emb-bibliothek.json', 'emb-genome-nexus.json']
  : [];

describe.skipIf(files.length === 0)('templates learned from traffic of real APIs', () => {
  // Values as these APIs use them; the names are ours. Kinds of parameters by name, numbers by default.
  const values: Record<string, (i: number) => string> = {
    username: name,
    book_title: (i) => `${name(i)}-${name(i * 7 + 1)}`,
    vehicleId: (i) => `0f8fad5b-d9cb-469f-a165-${String(i * 7919).padStart(12, '0')}`,
    postId: (i) => (0x12345678abcd + i * 65537).toString(36).padEnd(22, 'R4tk2'),
    project: name,
    version: (i) => `1.${i % 21}.${i % 7}`,
    family: (i) => `1.${i % 30}`,
    download: (i) => `paper-1.19.${i % 9}-${i}.jar`,
    variant: (i) => `${1 + (i % 22)}:g.${140_000_000 + i * 17}A>T`,
    genomicLocation: (i) => `${1 + (i % 22)},${140_000_000 + i * 17},${140_000_001 + i * 17},A,T`,
    variantId: (i) => `rs${116_035_550 + i}`,
    hugoSymbol: (i) => `${name(i).toUpperCase().slice(0, 4)}${i % 10}`,
    transcriptId: (i) => `ENST00000${361_390 + i}`,
    pdbId: (i) => `${i % 9}${name(i).slice(0, 2)}${i % 10}`,
    pfamAccession: (i) => `PF0${2000 + i}`,
  };

  test.each(files)('%s', (file) => {
    const document = readPaths(readFileSync(`${directory}/${file}`, 'utf8'));
    const truth: [string, string][] = [];
    for (const [path, item] of Object.entries(document)) {
      for (const method of ['get', 'post', 'put', 'delete', 'patch'])
        if (item[method]) truth.push([method.toUpperCase(), path]);
    }
    const { api } = setUp();
    for (let i = 0; i < 6000; i++) {
      const [method, template] = truth[(i * 31) % truth.length] as [string, string];
      const path = template.replace(/\{(\w+)\}/g, (_, variable: string) =>
        encodeURI((values[variable] ?? ((n: number) => String(n + 1)))((i * 13) % 400)),
      );
      api.resolve(method, path, 200, i, false);
      api.resolve('GET', `/${name(i)}.php`, 404, i, false);
    }
    const learned = new Set(api.list().map((o) => `${o.method} ${canonicalTemplate(o.template)}`));
    const wanted = new Set(truth.map(([method, template]) => `${method} ${canonicalTemplate(template)}`));
    const found = [...wanted].filter((o) => learned.has(o)).length;
    expect(found / wanted.size).toBeGreaterThanOrEqual(0.9);
    expect(found / learned.size).toBeGreaterThanOrEqual(0.9);
  });
});

/** Paths and methods of an OpenAPI document in JSON, or in YAML that is indented by two. */
function readPaths(text: string): Record<string, Record<string, unknown>> {
  if (text.startsWith('{')) return (JSON.parse(text) as { paths: Record<string, Record<string, unknown>> }).paths;
  const paths: Record<string, Record<string, unknown>> = {};
  let item: Record<string, unknown> = {};
  for (const line of text.split('\n')) {
    const path = /^ {2}(\/\S*):\s*$/.exec(line)?.[1];
    if (path) item = paths[path] = {};
    const method = /^ {4}(get|post|put|delete|patch):\s*$/.exec(line)?.[1];
    if (method) item[method] = {};
  }
  return paths;
}

/** Pronounceable names, thousands of them. */
function name(i: number): string {
  const consonants = 'bdfgklmnprstvz';
  const vowels = 'aeiou';
  let out = '';
  let n = i * 37 + 11;
  for (let k = 0; k < 3; k++) {
    out += consonants[n % 14];
    n = Math.floor(n / 14) + i;
    out += vowels[n % 5];
    n = Math.floor(n / 5) + 3;
  }
  return out;
}

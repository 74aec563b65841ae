import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { API_VERSION, objectSchemas } from '@picket/crds/validate.ts';
import type { BehaviorPolicy, ProtectedAPI } from '@picket/crds/gen/types.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { objectStoreContract } from '@picket/runtime/objects/contract.ts';
import type { ConfigMap, Secret } from '@picket/runtime/objects/core-objects.ts';
import {
  type FolderStore,
  type FolderStoreOptions,
  MANIFEST_ANNOTATION,
  openFolderStore,
} from '@picket/runtime/objects/folder-store.ts';
import { formatProblem } from '@picket/runtime/objects/problem.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let base: string;
let folder: string;
const stores: FolderStore[] = [];
const clock: Clock = { now: () => Date.UTC(2026, 0, 2), elapsed: () => 0 };

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'picket-folder-'));
  folder = join(base, 'manifests');
  await mkdir(folder);
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await rm(base, { recursive: true, force: true });
});

/** Polls so seldom that only events of the file system or `rescan` can be what a test sees. */
async function open(options: Partial<FolderStoreOptions> = {}): Promise<FolderStore> {
  const stateFile = join(base, 'objects.json');
  const defaults = { folder, stateFile, schemas: objectSchemas, clock, logger: silentLogger, pollMs: 3_600_000 };
  const store = await openFolderStore({ ...defaults, ...options });
  stores.push(store);
  return store;
}

async function reopen(store: FolderStore): Promise<FolderStore> {
  await store.close();
  stores.splice(stores.indexOf(store), 1);
  return open();
}

async function write(file: string, text: string | Uint8Array): Promise<void> {
  const path = join(folder, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

function api(name: string, spec = 'hosts: [shop.example.com]', metadata = ''): string {
  const indented = spec.split('\n').join('\n  ');
  return `apiVersion: ${API_VERSION}\nkind: ProtectedAPI\nmetadata:\n  name: ${name}\n${metadata}spec:\n  ${indented}\n`;
}

function policy(name: string, mode: string): string {
  return `apiVersion: ${API_VERSION}\nkind: BehaviorPolicy\nmetadata: { name: ${name} }\nspec:\n  targetRefs: [{ kind: ProtectedAPI, name: shop }]\n  mode: ${mode}\n`;
}

const apiKey = (name: string) => ({ kind: 'ProtectedAPI', namespace: 'default', name });
const names = async (store: FolderStore) =>
  (await store.list<ProtectedAPI>('ProtectedAPI')).map((object) => object.metadata.name);
const problems = (store: FolderStore) => store.problems().map(formatProblem);

describe('the contract of object stores', () => {
  objectStoreContract(async () => ({ store: await open(), dispose: async () => undefined }));
});

describe('reading a folder', () => {
  it('takes several documents of a file, folders in folders, JSON and lists, and fills in defaults', async () => {
    await write('a.yaml', `---\n${api('one')}---\n${policy('shop', 'DryRun')}---\n`);
    await write('team/b.yml', api('two', 'hosts: [b.example.com]', '  namespace: team\n  labels: { tier: gold }\n'));
    const three = {
      apiVersion: API_VERSION,
      kind: 'ProtectedAPI',
      metadata: { name: 'three' },
      spec: { hosts: ['*'] },
    };
    await write('c.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [three] }));
    await write('notes.txt', 'not: [a manifest');
    const store = await open();
    expect(problems(store)).toEqual([]);
    expect(await names(store)).toEqual(['one', 'three', 'two']);
    const two = await store.get<ProtectedAPI>({ kind: 'ProtectedAPI', namespace: 'team', name: 'two' });
    expect(two).toMatchObject({
      metadata: { labels: { tier: 'gold' }, generation: 1, annotations: { [MANIFEST_ANNOTATION]: 'team/b.yml' } },
      spec: { criticality: 'Normal' },
    });
    const [shop] = await store.list<BehaviorPolicy>('BehaviorPolicy', 'default');
    expect(shop?.spec).toMatchObject({ mode: 'DryRun', failure: 'Open', falseAlertBudget: { perDay: 2 } });
  });

  it('reads yes and no as kubectl does, and merges keys', async () => {
    await write(
      'a.yaml',
      `${policy('shop', 'Observe')}  detectors:\n    scraping: &off { enabled: no }\n    probing: { <<: *off, sensitivity: Low }\n`,
    );
    const [shop] = await (await open()).list<BehaviorPolicy>('BehaviorPolicy');
    expect(shop?.spec.detectors).toMatchObject({
      scraping: { enabled: false, sensitivity: 'Normal' },
      probing: { enabled: false, sensitivity: 'Low' },
    });
  });

  it('keeps ConfigMaps and Secrets for those who refer to them', async () => {
    await write(
      'a.yaml',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\ndata: { openapi.yaml: "openapi: 3.1.0" }\n',
    );
    await write('b.yaml', 'apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData: { list: hunter2 }\n');
    const store = await open();
    const map = await store.get<ConfigMap>({ kind: 'ConfigMap', namespace: 'default', name: 'c' });
    expect(map?.data).toEqual({ 'openapi.yaml': 'openapi: 3.1.0' });
    const secret = await store.get<Secret>({ kind: 'Secret', namespace: 'default', name: 's' });
    expect(secret?.data).toEqual({ list: Buffer.from('hunter2').toString('base64') });
    await store.close();
    expect(await readFile(join(base, 'objects.json'), 'utf8')).not.toContain(secret?.data?.['list']);
  });

  it('puts the file of a contract in its place, and a change of it is a change of the API', async () => {
    await write('team/a.yaml', api('shop', 'hosts: [shop.example.com]\ncontract: { file: openapi.yaml }'));
    await write('team/openapi.yaml', 'openapi: 3.1.0\npaths: {}\n');
    const store = await open();
    expect(problems(store)).toEqual([]);
    const before = await store.get<ProtectedAPI>(apiKey('shop'));
    expect(before?.spec.contract).toEqual({ inline: 'openapi: 3.1.0\npaths: {}\n' });
    await write('team/openapi.yaml', 'openapi: 3.1.0\npaths: { /orders: {} }\n');
    await store.rescan();
    expect((await store.get(apiKey('shop')))?.metadata.generation).toBe(2);
    await rm(join(folder, 'team/openapi.yaml'));
    await store.rescan();
    expect(problems(store)).toEqual([
      expect.stringMatching(
        /^team\/a\.yaml:7:15: ProtectedAPI default\/shop: spec\.contract\.file: "team\/openapi\.yaml" cannot be read: ENOENT.* \(its last good state stays in force\)$/,
      ),
    ]);
  });

  it('does not follow a contract out of the folder by a link', async () => {
    await writeFile(join(base, 'private.yaml'), 'openapi: 3.1.0\n');
    await symlink(join(base, 'private.yaml'), join(folder, 'openapi.txt'));
    await write('a.yaml', api('shop', 'hosts: [shop.example.com]\ncontract: { file: openapi.txt }'));
    expect(problems(await open())).toEqual([
      expect.stringContaining('"openapi.txt" leads out of the folder of manifests'),
    ]);
  });
});

describe('live changes', () => {
  it.each(['in place', 'by replacing the file'])('come into force when the file is written %s', async (how) => {
    await write('a.yaml', api('shop'));
    const store = await open({ debounceMs: 20 });
    const seen: string[] = [];
    await store.watch<ProtectedAPI>(
      'ProtectedAPI',
      {
        onApplied: (object) => seen.push(`${object.spec.criticality} ${object.metadata.generation}`),
        onDeleted: (object) => seen.push(`deleted ${object.metadata.name}`),
        onSynced: () => seen.push('synced'),
      },
      AbortSignal.timeout(60_000),
    );
    const changed = api('shop', 'hosts: [shop.example.com]\ncriticality: High');
    if (how === 'in place') await write('a.yaml', changed);
    else {
      await write('.a.yaml.swp', changed);
      await rename(join(folder, '.a.yaml.swp'), join(folder, 'a.yaml'));
    }
    await expect.poll(() => seen).toEqual(['Normal 1', 'synced', 'High 2']);
    await rm(join(folder, 'a.yaml'));
    await expect.poll(() => seen.at(-1)).toBe('deleted shop');
  });

  it('come into force when a mounted ConfigMap swaps its link', async () => {
    const version = async (name: string, text: string) => {
      await write(`${name}/a.yaml`, text);
      await symlink(name, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    await version('..2026_01', api('shop'));
    await symlink('..data/a.yaml', join(folder, 'a.yaml'));
    const store = await open({ debounceMs: 20 });
    expect(await names(store)).toEqual(['shop']);
    await version('..2026_02', api('shop', 'hosts: [new.example.com]'));
    await expect
      .poll(async () => (await store.get<ProtectedAPI>(apiKey('shop')))?.spec.hosts)
      .toEqual(['new.example.com']);
  });

  it('are found by looking where no events come', async () => {
    const elsewhere = join(base, 'elsewhere');
    await mkdir(elsewhere);
    await symlink(elsewhere, join(folder, 'linked'));
    const store = await open({ pollMs: 30, debounceMs: 3_600_000 });
    await writeFile(join(elsewhere, 'a.yaml'), api('shop'));
    await expect.poll(() => names(store)).toEqual(['shop']);
  });

  it('leave generation and version alone when only the writing differs', async () => {
    await write('a.yaml', api('shop'));
    const store = await open();
    const before = await store.get(apiKey('shop'));
    await write('a.yaml', `# the same\n${api('shop')}`);
    await store.rescan();
    expect(await store.get(apiKey('shop'))).toBe(before);
  });
});

describe('an object that breaks', () => {
  it('keeps its last good state and says file, line, column and field', async () => {
    await write('a.yaml', `${api('shop')}---\n${policy('shop', 'Enforce')}`);
    const store = await open();
    const reported: number[] = [];
    store.onProblems((list) => reported.push(list.length), AbortSignal.timeout(60_000));
    await write('a.yaml', `${api('shop', 'hosts: [new.example.com]')}---\n${policy('shop', 'Enforc')}`);
    await store.rescan();
    expect(store.problems()).toEqual([
      {
        severity: 'Error',
        reason: 'Invalid',
        file: 'a.yaml',
        line: 13,
        column: 3,
        object: { kind: 'BehaviorPolicy', namespace: 'default', name: 'shop' },
        field: 'spec.mode',
        message:
          'Unsupported value: "Enforc": supported values: "Observe", "DryRun", "Enforce"; did you mean "Enforce"?',
        keptLastGood: true,
      },
    ]);
    expect((await store.list<BehaviorPolicy>('BehaviorPolicy'))[0]?.spec.mode).toBe('Enforce');
    expect((await store.get<ProtectedAPI>(apiKey('shop')))?.spec.hosts).toEqual(['new.example.com']);
    await write('a.yaml', `${api('shop')}---\n${policy('shop', 'DryRun')}`);
    await store.rescan();
    expect(problems(store)).toEqual([]);
    expect(reported).toEqual([1, 0]);
  });

  it('keeps all objects of a file that is no YAML any more, and other files go on', async () => {
    await write('a.yaml', `${api('one')}---\n${api('two')}`);
    await write('b.yaml', api('three'));
    const store = await open();
    await write('a.yaml', `${api('one')}---\nkind: [ProtectedAPI\n`);
    await write('b.yaml', api('four'));
    await store.rescan();
    expect(await names(store)).toEqual(['four', 'one', 'two']);
    expect(problems(store)).toEqual([
      expect.stringMatching(/^a\.yaml:\d+:\d+: not valid YAML: .*\(its last good state stays in force\)$/),
    ]);
  });

  it('keeps everything when the folder itself goes away', async () => {
    await write('a.yaml', api('shop'));
    const store = await open();
    await rename(folder, `${folder}-moved`);
    await store.rescan();
    expect(await names(store)).toEqual(['shop']);
    expect(problems(store)).toEqual([expect.stringContaining('everything stays in force as it was')]);
    const again = await reopen(store);
    expect(await names(again)).toEqual(['shop']);
  });

  it('keeps its last good state over a restart', async () => {
    await write('a.yaml', policy('shop', 'Enforce'));
    const store = await open();
    await write('a.yaml', policy('shop', 'Enforc'));
    const again = await reopen(store);
    expect((await again.list<BehaviorPolicy>('BehaviorPolicy'))[0]?.spec.mode).toBe('Enforce');
    expect(again.problems()).toMatchObject([{ field: 'spec.mode', keptLastGood: true }]);
  });

  it('was never there when it never was good', async () => {
    await write('a.yaml', policy('shop', 'Enforc'));
    const store = await open();
    expect(await store.list('BehaviorPolicy')).toEqual([]);
    expect(store.problems()).toMatchObject([{ keptLastGood: false }]);
  });
});

describe('one object in two files', () => {
  it('stays as the first has it until that one goes', async () => {
    await write('a.yaml', api('shop', 'hosts: [a.example.com]'));
    const store = await open();
    await write('0.yaml', api('shop', 'hosts: [b.example.com]'));
    await store.rescan();
    const hosts = async () => (await store.get<ProtectedAPI>(apiKey('shop')))?.spec.hosts;
    expect(await hosts()).toEqual(['a.example.com']);
    expect(problems(store)).toEqual([
      '0.yaml:4:3: ProtectedAPI default/shop: metadata.name: is already defined in a.yaml:4, which stays in force; remove one of the two',
    ]);
    await rm(join(folder, 'a.yaml'));
    await store.rescan();
    expect(await hosts()).toEqual(['b.example.com']);
    expect(problems(store)).toEqual([]);
  });
});

describe('bad files', () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x,x]',
    ...'bcdefgh'.split('').map((name, i) => {
      const inner = 'abcdefg'[i] ?? 'a';
      return `${name}: &${name} [${Array.from({ length: 10 }, () => `*${inner}`).join(',')}]`;
    }),
  ].join('\n');

  it.each<[string, string | Uint8Array, RegExp]>([
    ['a YAML bomb', bomb, /^a\.yaml:1:1: aliases expand to too much; write the repeated parts out$/],
    ['endless nesting', '['.repeat(200_000), /^a\.yaml:1:65: more than 64 brackets inside each other$/],
    ['a huge file', `# ${'x'.repeat(3_000_000)}`, /^a\.yaml: 3000002 bytes; a file may have 2097152\. Split it$/],
    [
      'bytes that are no UTF-8',
      Buffer.from('apiVersion: v1\nkind: \xff\xfe\n', 'latin1'),
      /^a\.yaml:2:1: is not UTF-8; save it as UTF-8$/,
    ],
    ['UTF-16', Buffer.from('\ufeffkind: x', 'utf16le'), /^a\.yaml:1:1: is UTF-16; save it as UTF-8$/],
    ['a text', 'just a text', /^a\.yaml:1:1: must be an object with apiVersion, kind, metadata and spec$/],
    ['the same key twice', 'kind: a\nkind: b\n', /^a\.yaml:2:1: not valid YAML: the same key stands twice in one map$/],
    ['no version', 'kind: ProtectedAPI\n', /^a\.yaml:1:1: apiVersion: is missing; set it to picket\.dev\/v1alpha1$/],
    ['no kind', `apiVersion: ${API_VERSION}\n`, /kind: is missing; one of ProtectedAPI, /],
    ['no name', `apiVersion: ${API_VERSION}\nkind: ProtectedAPI\nspec: {}\n`, /metadata\.name: Required value/],
    [
      'a misspelt kind',
      `apiVersion: ${API_VERSION}\nkind: ProtectedApi\n`,
      /^a\.yaml:2:1: kind: .*did you mean "ProtectedAPI"\?$/,
    ],
    [
      'another version',
      'apiVersion: picket.dev/v1\nkind: ProtectedAPI\n',
      /^a\.yaml:1:1: apiVersion: "picket\.dev\/v1" is not served; use picket\.dev\/v1alpha1$/,
    ],
    [
      'a kind of ours in another group',
      'apiVersion: v1\nkind: ProtectedAPI\n',
      /"v1" has no kind ProtectedAPI; use picket\.dev\/v1alpha1$/,
    ],
    [
      'a verdict',
      `apiVersion: ${API_VERSION}\nkind: RiskVerdict\nmetadata: { name: a }\n`,
      /RiskVerdict is written by Picket; remove it from the folder$/,
    ],
    [
      'an unknown field',
      api('shop', 'hosts: [a.b]\ncriticalty: High'),
      /^a\.yaml:7:3: ProtectedAPI default\/shop: spec\.criticalty: unknown field "spec\.criticalty"; did you mean "criticality"\?$/,
    ],
    [
      'data that is no text',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata:\n  port: 80\n',
      /^a\.yaml:5:3: ConfigMap default\/a: data\.port: must be text; put quotes around the value$/,
    ],
  ])('name their problem: %s', async (_, content, expected) => {
    await write('a.yaml', content);
    await write('z.yaml', api('good'));
    const store = await open();
    expect(problems(store)).toEqual([expect.stringMatching(expected)]);
    expect(await names(store)).toEqual(['good']);
  });

  it('leave objects of other projects alone, with a warning', async () => {
    await write('a.yaml', 'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a }\n');
    expect((await open()).problems()).toMatchObject([{ severity: 'Warning', reason: 'ForeignKind' }]);
  });

  it.each([
    ['', 'nothing'],
    ['---\n---\n', 'empty documents'],
    ['# only words\n', 'a comment'],
  ])('may hold %j', async (text) => {
    await write('a.yaml', text);
    expect(problems(await open())).toEqual([]);
  });

  it('survive links in a circle and links to nowhere', async () => {
    await symlink('.', join(folder, 'circle'));
    await symlink('nowhere', join(folder, 'dead.yaml'));
    await write('a.yaml', api('shop'));
    const store = await open();
    expect(await names(store)).toEqual(['shop']);
    expect(problems(store)).toEqual([expect.stringMatching(/^dead\.yaml: cannot be read: ENOENT/)]);
  });
});

describe('state', () => {
  it('survives a restart: UID, generation, creation, status and what Picket created', async () => {
    await write('a.yaml', api('shop'));
    const store = await open();
    await write('a.yaml', api('shop', 'hosts: [b.example.com]'));
    await store.rescan();
    await store.applyStatus(apiKey('shop'), { risk: { score: 81 } }, 'analyzer');
    const spec = { apiRef: { name: 'shop' }, principal: { kind: 'User', pseudonym: '7f3a9c12d04be865' } };
    const metadata = { name: 'shop-user-7f3a9c12', namespace: 'default' };
    const verdict = await store.apply({ apiVersion: API_VERSION, kind: 'RiskVerdict', metadata, spec }, 'analyzer');
    const before = await store.get(apiKey('shop'));
    expect(before?.metadata.generation).toBe(2);

    const again = await reopen(store);
    expect(await again.get(apiKey('shop'))).toEqual(before);
    expect(await again.list('RiskVerdict')).toEqual([verdict]);
    expect((await stat(join(base, 'objects.json'))).mode & 0o777).toBe(0o600);

    await again.close();
    await write('a.yaml', api('shop', 'hosts: [c.example.com]'));
    const changed = await (await open()).get(apiKey('shop'));
    expect(changed?.metadata).toMatchObject({ generation: 3, uid: before?.metadata.uid });
    expect(changed?.status).toEqual(before?.status);
  });

  it('goes with what was deleted while nobody looked, verdicts included', async () => {
    await write('a.yaml', api('shop'));
    const store = await open();
    const { uid } = (await store.get(apiKey('shop')))?.metadata ?? { uid: '' };
    const owner = { apiVersion: API_VERSION, kind: 'ProtectedAPI', name: 'shop', uid };
    const metadata = { name: 'shop-user-7f3a9c12', namespace: 'default', ownerReferences: [owner] };
    const spec = { apiRef: { name: 'shop' }, principal: { kind: 'User', pseudonym: '7f3a9c12d04be865' } };
    await store.apply({ apiVersion: API_VERSION, kind: 'RiskVerdict', metadata, spec }, 'analyzer');
    await rm(join(folder, 'a.yaml'));
    const again = await reopen(store);
    expect(await names(again)).toEqual([]);
    expect(await again.list('RiskVerdict')).toEqual([]);
  });

  it('that cannot be read is set aside, and work starts from the folder', async () => {
    await write('a.yaml', api('shop'));
    await writeFile(
      join(base, 'objects.json'),
      '{"format":"picket-objects","version":1,"state":{"resourceVersion":1}}',
    );
    expect(await names(await open())).toEqual(['shop']);
    expect(await readdir(base)).toContain(`objects.json.unreadable-${clock.now()}`);
  });

  it('never goes into the folder of the person', async () => {
    await write('a.yaml', api('shop'));
    const store = await open();
    await store.applyStatus(apiKey('shop'), { risk: { score: 81 } }, 'analyzer');
    await expect(store.delete(apiKey('shop'))).rejects.toMatchObject({ code: 'Conflict', reason: 'OwnedByManifest' });
    const metadata = { name: 'shop', namespace: 'default' };
    await expect(
      store.apply({ apiVersion: API_VERSION, kind: 'ProtectedAPI', metadata, spec: { hosts: ['x'] } }, 'operator'),
    ).rejects.toMatchObject({ message: 'ProtectedAPI default/shop comes from a.yaml; change it there' });
    await store.close();
    expect(await readdir(folder)).toEqual(['a.yaml']);
    expect(await readFile(join(folder, 'a.yaml'), 'utf8')).toBe(api('shop'));
  });

  it('folds repeated events and forgets the oldest of too many', async () => {
    const store = await open();
    const event = (message: string) => ({ about: apiKey('shop'), type: 'Warning' as const, reason: 'Test', message });
    await store.record(event('again'));
    await store.record(event('again'));
    expect(store.events()).toMatchObject([{ message: 'again', count: 2 }]);
    for (let i = 0; i < 1500; i++) await store.record(event(`number ${i}`));
    expect(store.events()).toHaveLength(1000);
    expect(store.events().at(-1)?.message).toBe('number 1499');
  });
});

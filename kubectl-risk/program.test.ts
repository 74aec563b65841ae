import { expect, it } from 'vitest';
import { complete, type Names } from './complete.ts';
import { buildExemption } from './exempt.ts';
import { kubectlRisk } from './program.ts';
import { recordingHost } from './testing/objects.ts';

const clock = { now: () => Date.parse('2026-03-01T12:00:00Z'), elapsed: () => 0 };

const names: Names = {
  verdicts: async () => [{ value: 'payments-user-7f', about: 'High 70 User/7f' }],
  policies: async () => [{ value: 'payments' }, { value: 'search' }],
  apis: async () => [{ value: 'payments' }],
  namespaces: async () => [{ value: 'shop' }],
  contexts: async () => [{ value: 'prod' }],
};

it.each([
  ['commands', [''], ['status', 'top', 'explain', 'review', 'enforce', 'observe', 'exempt', 'doctor']],
  ['a command that has begun', ['e'], ['explain', 'enforce', 'exempt']],
  ['verdicts', ['explain', ''], ['payments-user-7f']],
  ['policies, behind a flag', ['-n', 'shop', 'enforce', 's'], ['search']],
  ['one argument only', ['enforce', 'payments', ''], []],
  ['namespaces', ['top', '-n', ''], ['shop']],
  ['contexts', ['--context', ''], ['prod']],
  ['formats', ['top', '-o', 'w'], ['wide']],
  ['options of the command and of all', ['top', '--a'], ['--api', '--all-namespaces']],
])('completes %s', async (_, words, expected) => {
  const found = await complete(kubectlRisk(recordingHost(), clock), words, names);
  expect(found.map(({ value }) => value)).toEqual(expected);
});

const flags = { cidr: [], workload: [], principal: [], api: [], reason: 'load test', for: '30d' };

it('makes an exemption that ends', () => {
  const made = buildExemption(
    'lt',
    'shop',
    'ops',
    { ...flags, cidr: ['192.0.2.0/24'], api: ['payments'] },
    clock.now(),
  );
  expect(made.spec).toEqual({
    subjects: [{ cidr: '192.0.2.0/24' }],
    apis: [{ name: 'payments' }],
    reason: 'load test',
    owner: 'ops',
    grantedAt: '2026-03-01T12:00:00Z',
    expiresAt: '2026-03-31T12:00:00Z',
  });
});

it.each([
  ['nobody', {}, 'say who is exempted'],
  ['a principal without a kind', { principal: ['synthetic'] }, 'write Kind=value'],
  ['an unknown kind', { principal: ['Robot=1'] }, 'spec.subjects[0].principal.kind'],
  ['addresses that are no network', { cidr: ['192.0.2'] }, 'must be a network in CIDR notation'],
  ['more than a year', { cidr: ['192.0.2.0/24'], for: '400d' }, 'at most a year'],
  ['a time that is none', { cidr: ['192.0.2.0/24'], for: 'soon' }, '--for "soon"'],
])('makes no exemption for %s', (_, wrong, message) => {
  expect(() => buildExemption('lt', 'shop', 'ops', { ...flags, ...wrong }, clock.now())).toThrow(message);
});

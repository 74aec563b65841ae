import { Command } from 'commander';
import { parse } from 'yaml';
import { expect, it } from 'vitest';
import type { RiskVerdict } from '@picket/crds/gen/types.ts';
import { addReadCommands } from './read.ts';
import type { RiskSource } from './source.ts';
import { buildApi, buildPolicy, buildVerdict, recordingHost } from './testing/objects.ts';

const now = Date.parse('2026-03-01T12:00:00Z');

interface World {
  verdicts: RiskVerdict[];
  allNamespaces?: boolean;
  whoAmI?: string;
}

async function run(world: World, ...args: string[]) {
  const host = recordingHost();
  const reviewed: unknown[] = [];
  const objects: Record<string, unknown[]> = {
    ProtectedAPI: [buildApi('payments')],
    BehaviorPolicy: [buildPolicy('payments', 'Enforce')],
    RiskVerdict: world.verdicts,
  };
  const source: RiskSource = {
    allNamespaces: world.allNamespaces ?? false,
    ...(world.whoAmI ? { whoAmI: async () => world.whoAmI } : {}),
    list: async (kind) => (objects[kind] ?? []) as never,
    review: async (verdict, review) => {
      reviewed.push(review);
      return { ...verdict, spec: { ...verdict.spec, review } };
    },
  };
  const risk = new Command('risk').option('-o, --output <format>').exitOverride();
  addReadCommands(risk, {
    host,
    clock: { now: () => now, elapsed: () => 0 },
    name: 'kubectl risk',
    firstStep: 'Apply one.',
    open: async () => source,
  });
  await risk.parseAsync(args, { from: 'user' });
  return { out: host.written(), reviewed };
}

const ada = buildVerdict('payments-user-7f3a9c12', { score: 92, level: 'Critical' });
const bob = buildVerdict('payments-address-01020304', { score: 71, level: 'High' });

it('puts the highest score first', async () => {
  const { out } = await run({ verdicts: [bob, ada] }, 'top');
  expect(out.split('\n').map((line) => line.split(/ {3,}/)[0])).toEqual([
    'NAME',
    'payments-user-7f3a9c12',
    'payments-address-01020304',
    '',
  ]);
});

it('names the namespace where names alone say too little', async () => {
  expect((await run({ verdicts: [ada] }, 'top')).out).toMatch(/^NAME /);
  expect((await run({ verdicts: [ada], allNamespaces: true }, 'top')).out).toMatch(/^NAMESPACE +NAME /);
  const elsewhere = { ...bob, metadata: { ...bob.metadata, namespace: 'other' } };
  expect((await run({ verdicts: [ada, elsewhere] }, 'top')).out).toMatch(/^NAMESPACE +NAME /);
});

it('prints objects for programs', async () => {
  expect(JSON.parse((await run({ verdicts: [ada] }, 'top', '-o', 'json')).out)).toEqual(ada);
  expect(parse((await run({ verdicts: [ada, bob] }, 'top', '-o', 'yaml')).out)).toMatchObject({ kind: 'List' });
  expect((await run({ verdicts: [ada] }, '-o', 'name', 'top')).out).toBe(
    'riskverdict.picket.dev/payments-user-7f3a9c12\n',
  );
  expect((await run({ verdicts: [ada] }, 'top', '-o', 'wide')).out).toContain('ENVOYS');
});

it('explains a score as the object has it, and counts requests of those that send them', async () => {
  const contributions = [{ source: 'distributedStuffing', points: 69.2 }];
  const one = buildVerdict('payments-user-7f3a9c12', { score: 69, level: 'High', requests: 1, contributions });
  const user = (await run({ verdicts: [one] }, 'explain', 'payments')).out;
  expect(user).toContain('  + 69.2  distributedStuffing\n  = 69\n');
  expect(user).toContain(', 1 request\n');
  const campaign = { ...one, spec: { ...one.spec, principal: { ...one.spec.principal, kind: 'Campaign' as const } } };
  expect((await run({ verdicts: [campaign] }, 'explain', 'payments')).out).not.toMatch(/\d request/);
});

it('finds a verdict by the start of its name, and says which ones fit', async () => {
  expect((await run({ verdicts: [ada, bob] }, 'explain', 'payments-user')).out).toContain('Critical 92');
  await expect(run({ verdicts: [ada, bob] }, 'explain', 'payments')).rejects.toMatchObject({
    code: 'NotFound',
    message: expect.stringMatching(/fits 2 verdicts: .*shop\/payments-user-7f3a9c12.*-n/),
  });
  await expect(run({ verdicts: [] }, 'explain', 'x')).rejects.toThrow('see "kubectl risk top"');
});

it('reviews in the name of the person, unless told another', async () => {
  const world = { verdicts: [ada], whoAmI: 'ada@example.com' };
  const asked = await run(world, 'review', ada.metadata.name, '--benign', '--note', 'load test');
  expect(asked.reviewed).toEqual([{ disposition: 'BenignTrigger', by: 'ada@example.com', note: 'load test' }]);
  const told = await run(world, 'review', ada.metadata.name, '--true-positive', '--by', 'ops');
  expect(told.reviewed).toEqual([{ disposition: 'TruePositive', by: 'ops' }]);
  await expect(run(world, 'review', ada.metadata.name)).rejects.toMatchObject({ code: 'Usage' });
  await expect(run(world, 'review', ada.metadata.name, '--benign', '--true-positive')).rejects.toMatchObject({
    code: 'Usage',
  });
});

/** Runs the benchmarks: `npm run bench -- --help`. */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { toolCommand } from '../support/tool-command.ts';

/** Each in its own module, so that one of them alone loads nothing of the others. */
const benches: Readonly<Record<string, (quick: boolean) => Promise<object>>> = {
  'als-decode': async (quick) => (await import('./als-decode.ts')).runAlsDecodeBench(quick ? 100 : 500),
  identify: async (quick) =>
    (await import('./identify.ts')).runIdentify(() => performance.now(), quick ? 50_000 : 300_000),
  store: async (quick) => (await import('./store.ts')).runStore(() => performance.now(), quick ? 3 : 15),
  logs: async (quick) => (await import('./logs.ts')).runLogsBench(quick ? 100_000 : 1_000_000),
  ingest: async (quick) => (await import('./ingest.ts')).runIngest(quick),
  memory: async (quick) => (await import('./memory.ts')).runMemory(quick),
  analyze: async (quick) => (await import('./analyze.ts')).runAnalyzeBench(() => performance.now(), quick),
  enforcement: async (quick) => (await import('./enforcement.ts')).runEnforcement(quick),
  recovery: async (quick) => (await import('./recovery.ts')).runRecovery(() => performance.now(), quick),
  soak: async (quick) => (await import('./soak.ts')).runSoak(() => performance.now(), quick ? 1.5 : 30),
  kubernetes: async (quick) =>
    (await import('./kubernetes.ts')).runKubernetes(() => performance.now(), quick ? 500 : 5_000, quick ? 0.5 : 5),
  cost: async (quick) => (await import('./cost.ts')).runCost(quick),
  'cost-parts': async (quick) => (await import('./cost.ts')).runCostParts(quick),
};

const {
  only,
  out,
  quick = false,
} = toolCommand(
  'npm run bench --',
  'Measures what Picket costs and how fast it is; docs/performance.md says how each figure is taken.',
)
  .option('--only <name...>', `one of ${Object.keys(benches).join(', ')}`)
  .option('--quick', 'shorter, and less exact')
  .option('--out <file>', 'write the figures and the machine as JSON')
  .parse()
  .opts<{ only?: string[]; out?: string; quick?: boolean }>();
/** The soak takes half an hour and is asked for by name. */
const names = only ?? Object.keys(benches).filter((name) => name !== 'soak');
const unknown = names.filter((name) => !(name in benches));
if (unknown.length > 0) {
  process.stderr.write(
    `bench: no benchmark is called ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}\n`,
  );
  process.exit(2);
}
const results: Record<string, object> = {};
for (const name of names) {
  const figures = await (benches[name] as (quick: boolean) => Promise<object>)(quick);
  results[name] = figures;
  process.stdout.write(`${name}\n${JSON.stringify(figures, null, 2)}\n`);
  if ('leaks' in figures && (figures.leaks as string[]).length > 0) {
    process.stderr.write(`${name}: ${(figures.leaks as string[]).join(', ')} grow without an end\n`);
    process.exitCode = 1;
  }
}
if (out !== undefined) {
  const machine = {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? '',
    memoryBytes: totalmem(),
    node: process.version,
  };
  writeFileSync(out, `${JSON.stringify({ version: 1, quick, machine, results }, null, 2)}\n`);
}

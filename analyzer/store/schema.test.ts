import { expect, it } from 'vitest';
import { migrations, runMigrations } from './migrations.ts';
import { StoreError } from './store.ts';

const statements = (engine: 'embedded' | 'single' | 'cluster'): string[] =>
  migrations.flatMap((migration) => migration.statements({ database: 'picket', engine }));

it('spells the embedded engine and a single server alike', () => {
  expect(statements('single')).toEqual(statements('embedded'));
  expect(statements('single').join('\n')).not.toMatch(/Replicated|Distributed|ON CLUSTER/);
});

it('can repeat every statement', () => {
  for (const statement of statements('cluster'))
    expect(statement).toMatch(/^CREATE (TABLE|MATERIALIZED VIEW) IF NOT EXISTS/);
});

it('gives every table a deduplication window', () => {
  for (const engine of ['embedded', 'cluster'] as const) {
    for (const statement of statements(engine).filter((s) => s.includes('MergeTree'))) {
      expect(statement).toContain(
        engine === 'cluster' ? ' replicated_deduplication_window' : 'non_replicated_deduplication_window',
      );
    }
  }
});

it('on a cluster replicates each table and puts a Distributed one before what is sharded', () => {
  const sql = statements('cluster');
  const observations = sql.filter((s) => s.includes('picket.observations'));
  expect(observations[0]).toContain(
    "ReplicatedMergeTree('/clickhouse/tables/{shard}/picket/observations', '{replica}')",
  );
  expect(observations[1]).toContain("Distributed('{cluster}', picket, observations_local, cityHash64(api))");
  const ticks = sql.filter((s) => s.includes('picket.ticks'));
  expect(ticks).toHaveLength(1);
  expect(ticks[0]).toContain("ReplicatedMergeTree('/clickhouse/tables/all/picket/ticks', '{shard}-{replica}')");
  const views = sql.filter((s) => s.startsWith('CREATE MATERIALIZED VIEW'));
  expect(views).toHaveLength(3);
  for (const view of views) expect(view).toMatch(/TO picket\.\w+_local AS[\s\S]*FROM picket\.observations_local/);
  for (const statement of sql) expect(statement).toContain("ON CLUSTER '{cluster}'");
});

/** A database that remembers versions and nothing else. */
function versionTable(applied: number[] = []) {
  const commands: string[] = [];
  return {
    commands,
    async command(sql: string) {
      commands.push(sql);
      const version = /INSERT INTO \S+ \(version, name\) SELECT (\d+)/.exec(sql)?.[1];
      if (version) applied.push(Number(version));
    },
    query: async <T>() => applied.map((version) => ({ version })) as T[],
  };
}

const two = [1, 2].map((version) => ({ version, name: `step '${version}'`, statements: () => [`STEP ${version}`] }));
const context = { database: 'picket', engine: 'embedded' } as const;

it('runs what is missing, in order, and nothing twice', async () => {
  const target = versionTable();
  expect(await runMigrations(target, context, two)).toEqual([1, 2]);
  expect(await runMigrations(target, context, two)).toEqual([]);
  expect(target.commands.filter((sql) => sql.startsWith('STEP'))).toEqual(['STEP 1', 'STEP 2']);
});

it('runs a migration again that was cut short', async () => {
  const target = versionTable([1]);
  const broken = {
    ...target,
    command: (sql: string) => (sql === 'STEP 2' ? Promise.reject(new Error('cut')) : target.command(sql)),
  };
  await expect(runMigrations(broken, context, two)).rejects.toThrow('cut');
  expect(await runMigrations(target, context, two)).toEqual([2]);
});

it('refuses data that a newer build wrote', async () => {
  const refusal = runMigrations(versionTable([1, 2, 3]), context, two);
  await expect(refusal).rejects.toThrow(StoreError);
  await expect(refusal).rejects.toThrow('schema version 3');
});

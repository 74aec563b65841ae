/**
 * Numbered migrations, forward only. Each statement may run twice, so that a run cut short is repeated; one process at
 * a time runs them (the leader, or the only process there is).
 */
import {
  aggregates,
  decisions,
  findings,
  gaps,
  inputs,
  localName,
  loss,
  observations,
  renderDatabase,
  renderTable,
  renderView,
  type SchemaContext,
  type Table,
  ticks,
  verdicts,
} from './schema.ts';
import { StoreError } from './store.ts';

export interface Migration {
  version: number;
  name: string;
  statements(context: SchemaContext): string[];
}

const versions: Table = {
  name: 'schema_version',
  columns: ['version UInt32', 'name String', "applied_at DateTime('UTC') DEFAULT now()"],
  engine: 'MergeTree',
  orderBy: 'version',
};

/** A migration that shipped is never edited: add the next one. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: 'observations, what replay needs besides them, and what was said and done',
    statements: (context) => [
      ...[observations, ticks, inputs, gaps, findings, verdicts, decisions, loss].flatMap((t) =>
        renderTable(t, context),
      ),
      ...aggregates.flatMap((a) => [...renderTable(a.table, context), renderView(a, context)]),
    ],
  },
];

/** What migrations need of a connection. */
export interface MigrationTarget {
  command(sql: string, settings?: Record<string, string | number>): Promise<void>;
  query<T>(sql: string): Promise<T[]>;
}

/**
 * Runs what is missing and returns the versions that ran.
 * @throws StoreError `unreadable` when the data was written by a newer build.
 */
export async function runMigrations(
  target: MigrationTarget,
  context: SchemaContext,
  known: readonly Migration[] = migrations,
): Promise<number[]> {
  await target.command(renderDatabase(context));
  for (const statement of renderTable(versions, context)) await target.command(statement);
  const table = localName(versions, context);
  const rows = await target.query<{ version: number }>(`SELECT DISTINCT version FROM ${table} ORDER BY version`);
  const applied = new Set(rows.map((row) => row.version));
  const newest = known.at(-1)?.version ?? 0;
  const foreign = [...applied].filter((version) => version > newest);
  if (foreign.length > 0) {
    throw new StoreError(
      'unreadable',
      `the store has schema version ${Math.max(...foreign)}, this build knows up to ${newest}: run the newer build`,
      false,
    );
  }
  const ran: number[] = [];
  for (const migration of known) {
    if (applied.has(migration.version)) continue;
    for (const statement of migration.statements(context)) await target.command(statement);
    await target.command(
      `INSERT INTO ${table} (version, name) SELECT ${migration.version}, '${migration.name.replaceAll("'", "\\'")}'`,
    );
    ran.push(migration.version);
  }
  return ran;
}

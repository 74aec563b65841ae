/**
 * Rebuilds aggregates after an unclean start. An insert that is cut short may have reached `observations` but not its
 * materialized views, and a repeat of it is then recognised as a duplicate and never gets there either.
 */
import type { MigrationTarget } from './migrations.ts';
import { aggregates, localName, observations, renderAggregation, type SchemaContext } from './schema.ts';

export interface Repair {
  aggregate: string;
  day: string;
}

/**
 * Rebuilds every day of an aggregate that misses rows which `observations` still has. A day with more than
 * `observations` has is left alone: its observations expired first.
 */
export async function rebuildAggregates(target: MigrationTarget, context: SchemaContext): Promise<Repair[]> {
  const repaired: Repair[] = [];
  for (const aggregate of aggregates) {
    const table = localName(aggregate.table, context);
    const days = await target.query<{ day: string }>(
      `SELECT toString(expected.day) AS day
       FROM (SELECT toDate(minute) AS day, toUInt64(${aggregate.balance.observations}) AS n
             FROM ${localName(observations, context)} GROUP BY day) AS expected
       LEFT JOIN (SELECT ${aggregate.day} AS day, toUInt64(${aggregate.balance.aggregate}) AS n
             FROM ${table} GROUP BY day) AS present ON present.day = expected.day
       WHERE expected.n > present.n ORDER BY day`,
    );
    for (const { day } of days) {
      await target.command(`ALTER TABLE ${table} DELETE WHERE ${aggregate.day} = toDate('${day}')`, {
        mutations_sync: 1,
      });
      await target.command(
        `INSERT INTO ${table} (${aggregateColumns(aggregate.table.columns)})\n${renderAggregation(aggregate, context, `toDate(o.minute) = toDate('${day}')`)}`,
      );
      repaired.push({ aggregate: aggregate.table.name, day });
    }
  }
  return repaired;
}

const aggregateColumns = (columns: readonly string[]): string =>
  columns.map((column) => column.slice(0, column.indexOf(' '))).join(', ');

/** Tables of the store, and how each engine spells them. */
import { observationColumns } from './observation-row.ts';

/** `cluster` is proved as generated SQL only: the replicated engines are not part of the embedded engine. */
export type StoreEngine = 'embedded' | 'single' | 'cluster';

export interface SchemaContext {
  database: string;
  engine: StoreEngine;
}

export interface Table {
  name: string;
  columns: readonly string[];
  engine: 'MergeTree' | 'AggregatingMergeTree';
  orderBy: string;
  partitionBy?: string;
  /** How long a row is kept, counted from its storing, so that a replayed day does not vanish at once. */
  keep?: string;
  /** Column whose hash picks the shard; absent for tables that every shard holds whole. */
  shardBy?: string;
}

/** An aggregate that a materialized view keeps up to date with `observations`. */
export interface Aggregate {
  table: Table;
  /** Select list and tail over a source table with the columns of `observations`. */
  select: string;
  groupBy: string;
  /** Joins before the grouping. */
  join?: string;
  /** Counts over the aggregate and over `observations` that are equal unless an insert was cut short. */
  balance: { aggregate: string; observations: string };
  /** Day of a row of the aggregate. */
  day: string;
}

/** Principals of an observation with their `PrincipalKind`; the account counts as a user. */
const principals = [
  ['user', 1],
  ['account', 1],
  ['app', 2],
  ['token', 3],
  ['session', 4],
  ['device', 5],
  ['address', 6],
  ['network', 7],
  ['workload', 8],
] as const;

const storedAt = "stored_at DateTime('UTC') DEFAULT now()";
const monthOf = (instant: string): string =>
  `toYYYYMM(toDateTime(toUInt32(least(greatest(${instant}, 0.), 4102444800000.) / 1000), 'UTC'))`;

export const observations: Table = {
  name: 'observations',
  columns: [
    ...observationColumns,
    "minute DateTime('UTC') MATERIALIZED toDateTime(intDiv(toUInt64(event_at), 60000) * 60, 'UTC')",
    storedAt,
    'flow UInt8 ALIAS toUInt8(bitAnd(bitShiftRight(kinds, 8), 255))',
    'outcome UInt8 ALIAS toUInt8(bitAnd(bitShiftRight(kinds, 16), 255))',
    'feed UInt8 ALIAS toUInt8(bitShiftRight(kinds, 24))',
    // Replay reads by sequence, which runs with time, so a range of it lies in few granules.
    'INDEX by_seq seq TYPE minmax GRANULARITY 1',
    'CONSTRAINT plausible_time CHECK event_at >= 0 AND event_at < 4102444800000',
  ],
  engine: 'MergeTree',
  orderBy: '(api, minute, operation)',
  partitionBy: 'toYYYYMMDD(minute)',
  keep: '30 DAY',
  shardBy: 'api',
};

export const ticks: Table = {
  name: 'ticks',
  columns: ['tick UInt64', 'at Float64', 'last_seq UInt64', storedAt],
  engine: 'MergeTree',
  orderBy: 'tick',
  partitionBy: monthOf('at'),
  keep: '30 DAY',
};

/** Kept for good: a policy set long ago still decides today. */
export const inputs: Table = {
  name: 'inputs',
  columns: [
    'seq UInt64',
    'at Float64',
    'kind LowCardinality(String)',
    'key String',
    'body String CODEC(ZSTD)',
    storedAt,
  ],
  engine: 'MergeTree',
  orderBy: '(seq, at)',
  partitionBy: monthOf('at'),
};

export const gaps: Table = {
  name: 'gaps',
  columns: ['at Float64', 'from_seq UInt64', 'to_seq UInt64', 'reason LowCardinality(String)', storedAt],
  engine: 'MergeTree',
  orderBy: 'from_seq',
  partitionBy: monthOf('at'),
  keep: '30 DAY',
};

export const findings: Table = {
  name: 'findings',
  columns: [
    'detector LowCardinality(String)',
    'family LowCardinality(String)',
    'api LowCardinality(String)',
    'kind UInt8',
    'pseudonym UInt64',
    'since Float64',
    'until Float64',
    'p_value Float64',
    'observed Float64',
    'expected Float64',
    'unit LowCardinality(String)',
    'baseline_n Float64',
    'baseline_age_ms Float64',
    'baseline_prior Bool',
    'sample_seqs Array(UInt64)',
    'tick UInt64',
    'partition UInt16',
    'seq UInt64',
    storedAt,
  ],
  engine: 'MergeTree',
  orderBy: '(api, until)',
  partitionBy: monthOf('until'),
  keep: '13 MONTH',
  shardBy: 'api',
};

export const verdicts: Table = {
  name: 'verdicts',
  columns: [
    'name String',
    'api LowCardinality(String)',
    'kind UInt8',
    'pseudonym UInt64',
    'score Float64',
    'level UInt8',
    'last_seen Float64',
    'tick UInt64',
    // The whole verdict. Text, because the JSON type gives back neither empty lists nor the order of members.
    'body String CODEC(ZSTD)',
    storedAt,
  ],
  engine: 'MergeTree',
  orderBy: '(api, last_seen)',
  partitionBy: monthOf('last_seen'),
  keep: '13 MONTH',
  shardBy: 'api',
};

export const decisions: Table = {
  name: 'decisions',
  columns: [
    'id String',
    'at Float64',
    'api LowCardinality(String)',
    'kind UInt8',
    'pseudonym UInt64',
    'action UInt8',
    'mode UInt8',
    'verdict String',
    'policy String',
    'policy_revision String',
    'decided_at Float64',
    'expires_at Float64',
    'evidence_complete_at Float64',
    'event LowCardinality(String)',
    'reason String',
    storedAt,
  ],
  engine: 'MergeTree',
  orderBy: '(api, at)',
  partitionBy: monthOf('at'),
  keep: '13 MONTH',
  shardBy: 'api',
};

export const loss: Table = {
  name: 'loss',
  columns: [
    'minute Float64',
    'stage LowCardinality(String)',
    'reason LowCardinality(String)',
    'count UInt64',
    storedAt,
  ],
  engine: 'MergeTree',
  orderBy: '(stage, minute)',
  partitionBy: monthOf('minute'),
  keep: '13 MONTH',
};

const aggregatePrincipals: Aggregate = {
  table: {
    name: 'observation_by_principal',
    columns: [
      'pseudonym UInt64',
      'kind UInt8',
      'api LowCardinality(String)',
      "minute DateTime('UTC')",
      'requests SimpleAggregateFunction(sum, UInt64)',
      'first_seq SimpleAggregateFunction(min, UInt64)',
      'last_seq SimpleAggregateFunction(max, UInt64)',
      "stored_at SimpleAggregateFunction(max, DateTime('UTC'))",
    ],
    engine: 'AggregatingMergeTree',
    orderBy: '(pseudonym, kind, api, minute)',
    partitionBy: 'toYYYYMMDD(minute)',
    keep: '30 DAY',
    shardBy: 'api',
  },
  select: `tupleElement(principal, 1) AS pseudonym, toUInt8(tupleElement(principal, 2)) AS kind, api, minute,
  count() AS requests, min(o.seq) AS first_seq, max(o.seq) AS last_seq, max(o.stored_at) AS stored_at`,
  join: `ARRAY JOIN arrayFilter(p -> tupleElement(p, 1) != 0, [${principals
    .map(([column, kind]) => `(${column}, ${kind})`)
    .join(', ')}]) AS principal`,
  groupBy: 'pseudonym, kind, api, minute',
  balance: {
    aggregate: 'sum(requests)',
    observations: `sum(${principals.map(([column]) => `(${column} != 0)`).join(' + ')})`,
  },
  day: 'toDate(minute)',
};

const aggregateOperations: Aggregate = {
  table: {
    name: 'operation_1m',
    columns: [
      'api LowCardinality(String)',
      'operation UInt64',
      "minute DateTime('UTC')",
      'method SimpleAggregateFunction(any, LowCardinality(String))',
      'template SimpleAggregateFunction(any, LowCardinality(String))',
      'requests SimpleAggregateFunction(sum, UInt64)',
      'client_errors SimpleAggregateFunction(sum, UInt64)',
      'server_errors SimpleAggregateFunction(sum, UInt64)',
      'request_bytes SimpleAggregateFunction(sum, Float64)',
      'response_bytes SimpleAggregateFunction(sum, Float64)',
      'duration_ms AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), Float64)',
      'upstream_ms AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), Float64)',
      'users AggregateFunction(uniqCombined(14), UInt64)',
      'addresses AggregateFunction(uniqCombined(14), UInt64)',
      "stored_at SimpleAggregateFunction(max, DateTime('UTC'))",
    ],
    engine: 'AggregatingMergeTree',
    orderBy: '(api, operation, minute)',
    partitionBy: 'toYYYYMM(minute)',
    keep: '13 MONTH',
    shardBy: 'api',
  },
  select: `api, operation, minute, any(o.method) AS method, any(o.template) AS template, count() AS requests,
  countIf(o.status BETWEEN 400 AND 499) AS client_errors, countIf(o.status >= 500) AS server_errors,
  sum(ifNull(o.request_bytes, 0)) AS request_bytes, sum(ifNull(o.response_bytes, 0)) AS response_bytes,
  quantilesTDigestStateIf(0.5, 0.95, 0.99)(ifNull(o.duration_ms, 0), o.duration_ms IS NOT NULL) AS duration_ms,
  quantilesTDigestStateIf(0.5, 0.95, 0.99)(ifNull(o.upstream_ms, 0), o.upstream_ms IS NOT NULL) AS upstream_ms,
  uniqCombinedStateIf(14)(o.user, o.user != 0) AS users, uniqCombinedStateIf(14)(o.address, o.address != 0) AS addresses,
  max(o.stored_at) AS stored_at`,
  groupBy: 'api, operation, minute',
  balance: { aggregate: 'sum(requests)', observations: 'count()' },
  day: 'toDate(minute)',
};

const aggregateUsage: Aggregate = {
  table: {
    name: 'usage_1h',
    columns: [
      'api LowCardinality(String)',
      'consumer UInt64',
      'consumer_kind UInt8',
      "hour DateTime('UTC')",
      'operation UInt64',
      'requests SimpleAggregateFunction(sum, UInt64)',
      'errors SimpleAggregateFunction(sum, UInt64)',
      'request_bytes SimpleAggregateFunction(sum, Float64)',
      'response_bytes SimpleAggregateFunction(sum, Float64)',
      'upstream_ms SimpleAggregateFunction(sum, Float64)',
      "stored_at SimpleAggregateFunction(max, DateTime('UTC'))",
    ],
    engine: 'AggregatingMergeTree',
    orderBy: '(api, consumer, consumer_kind, hour, operation)',
    partitionBy: 'toYYYYMM(hour)',
    keep: '25 MONTH',
    shardBy: 'api',
  },
  // A consumer is the app when the request names one, else the user, else nobody.
  select: `api, if(o.app != 0, o.app, o.user) AS consumer, toUInt8(multiIf(o.app != 0, 2, o.user != 0, 1, 0)) AS consumer_kind,
  toStartOfHour(o.minute) AS hour, operation, count() AS requests, countIf(o.status >= 400) AS errors,
  sum(ifNull(o.request_bytes, 0)) AS request_bytes, sum(ifNull(o.response_bytes, 0)) AS response_bytes,
  sum(ifNull(o.upstream_ms, 0)) AS upstream_ms, max(o.stored_at) AS stored_at`,
  groupBy: 'api, consumer, consumer_kind, hour, operation',
  balance: { aggregate: 'sum(requests)', observations: 'count()' },
  day: 'toDate(hour)',
};

export const aggregates: readonly Aggregate[] = [aggregatePrincipals, aggregateOperations, aggregateUsage];

/** Name under which a table's own rows lie on one server. */
export function localName(table: Table, context: SchemaContext): string {
  return `${context.database}.${table.name}${isSharded(table, context) ? '_local' : ''}`;
}

const isSharded = (table: Table, context: SchemaContext): boolean =>
  context.engine === 'cluster' && table.shardBy !== undefined;

const onCluster = (context: SchemaContext): string => (context.engine === 'cluster' ? " ON CLUSTER '{cluster}'" : '');

export function renderDatabase(context: SchemaContext): string {
  return `CREATE DATABASE IF NOT EXISTS ${context.database}${onCluster(context)}`;
}

/** One statement, or two where a Distributed table stands before the replicated ones. */
export function renderTable(table: Table, context: SchemaContext): string[] {
  const clustered = context.engine === 'cluster';
  const [shard, replica] = table.shardBy ? ['{shard}', '{replica}'] : ['all', '{shard}-{replica}'];
  const path = `/clickhouse/tables/${shard}/${context.database}/${table.name}`;
  const engine = clustered ? `Replicated${table.engine}('${path}', '${replica}')` : table.engine;
  // Without a window a deduplication token does nothing on a plain MergeTree.
  const window = clustered ? 'replicated_deduplication_window' : 'non_replicated_deduplication_window';
  const settings = [`${window} = 1000`];
  if (table.keep) settings.push('ttl_only_drop_parts = 1');
  const local = [
    `CREATE TABLE IF NOT EXISTS ${localName(table, context)}${onCluster(context)} (\n  ${table.columns.join(',\n  ')}\n)`,
    `ENGINE = ${engine}`,
    ...(table.partitionBy ? [`PARTITION BY ${table.partitionBy}`] : []),
    `ORDER BY ${table.orderBy}`,
    ...(table.keep ? [`TTL stored_at + INTERVAL ${table.keep}`] : []),
    `SETTINGS ${settings.join(', ')}`,
  ].join('\n');
  if (!isSharded(table, context)) return [local];
  return [
    local,
    [
      `CREATE TABLE IF NOT EXISTS ${context.database}.${table.name}${onCluster(context)} AS ${localName(table, context)}`,
      `ENGINE = Distributed('{cluster}', ${context.database}, ${table.name}_local, cityHash64(${table.shardBy}))`,
    ].join('\n'),
  ];
}

/** The select that fills an aggregate from rows of `observations`, `where` limiting them. */
export function renderAggregation(aggregate: Aggregate, context: SchemaContext, where = ''): string {
  return [
    `SELECT ${aggregate.select}`,
    `FROM ${localName(observations, context)} AS o`,
    ...(aggregate.join ? [aggregate.join] : []),
    ...(where ? [`WHERE ${where}`] : []),
    `GROUP BY ${aggregate.groupBy}`,
  ].join('\n');
}

export function renderView(aggregate: Aggregate, context: SchemaContext): string {
  const target = localName(aggregate.table, context);
  return `CREATE MATERIALIZED VIEW IF NOT EXISTS ${context.database}.${aggregate.table.name}_view${onCluster(context)} TO ${target} AS\n${renderAggregation(aggregate, context)}`;
}

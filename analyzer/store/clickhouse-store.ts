/** `Store` over `@clickhouse/client`: one code path for a ClickHouse service and for the embedded engine. */
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type ClickHouseClient, type ClickHouseSettings, createClient } from '@clickhouse/client';
import type { ObservationBatch } from '../observation.ts';
import { storeErrorFrom } from './clickhouse-error.ts';
import { type MigrationTarget, runMigrations } from './migrations.ts';
import {
  decodeObservationRows,
  encodeObservationRows,
  observationInsertColumns,
  observationSelectList,
} from './observation-row.ts';
import {
  type Cell,
  decisionRecords,
  findingRecords,
  gapRecords,
  inputRecords,
  lossRecords,
  pseudonymToDecimal,
  type RecordTable,
  tickRecords,
  verdictRecords,
} from './record-tables.ts';
import { observations, type SchemaContext, type StoreEngine } from './schema.ts';
import { type HistoryFilter, type Store, StoreError } from './store.ts';

/** Where a ClickHouse answers over HTTP, and as whom. */
export interface StoreEndpoint {
  url: string;
  username: string;
  password: string;
}

export interface ClickHouseStoreOptions {
  engine: StoreEngine;
  /** The server to talk to now; undefined while there is none. A new object makes the store connect anew. */
  endpoint(): StoreEndpoint | undefined;
  /** Default `picket`. */
  database?: string;
  /** Limit of one request. Default 30 s. */
  requestTimeoutMs?: number;
  /** Compress inserts and answers; pays off over a network only. Default false. */
  compress?: boolean;
}

/** Sequence numbers per page of a read: about 3 MB of rows. */
const pageSeqs = 10_000;
const maxHistoryRows = 10_000;
/** Exact numbers both ways, whatever the server's profile says. */
const readSettings: ClickHouseSettings = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_denormals: 1,
};

export function createClickHouseStore(options: ClickHouseStoreOptions): Store & MigrationTarget {
  const context: SchemaContext = { database: options.database ?? 'picket', engine: options.engine };
  if (!/^[a-z][a-z0-9_]*$/.test(context.database)) {
    throw new StoreError('unreadable', `${JSON.stringify(context.database)} is no database name`, false);
  }
  const requestTimeoutMs = options.requestTimeoutMs ?? 30_000;
  const compress = options.compress ?? false;
  const writeSettings: ClickHouseSettings = {
    // An insert is acknowledged when it is stored, as one block, with its token looked at.
    async_insert: 0,
    insert_deduplicate: 1,
    precise_float_parsing: 1,
    ...(options.engine === 'cluster' ? { distributed_foreground_insert: 1 } : {}),
  };
  let connected: { endpoint: StoreEndpoint; client: ClickHouseClient } | undefined;
  let closed = false;

  const client = (): ClickHouseClient => {
    if (closed) throw new StoreError('unavailable', 'the store is closed', false);
    const endpoint = options.endpoint();
    if (!endpoint) throw new StoreError('unavailable', 'the store engine is not running', true);
    if (connected?.endpoint !== endpoint) {
      void connected?.client.close();
      connected = {
        endpoint,
        client: createClient({
          ...endpoint,
          request_timeout: requestTimeoutMs,
          max_open_connections: 4,
          compression: { request: compress, response: compress },
          log: { level: 127 },
          clickhouse_settings: {
            // A whole answer or an error, never rows and then an error.
            wait_end_of_query: 1,
            max_execution_time: Math.ceil(requestTimeoutMs / 1000),
          },
        }),
      };
    }
    return connected.client;
  };
  const attempt = async <T>(task: (client: ClickHouseClient) => Promise<T>): Promise<T> => {
    try {
      return await task(client());
    } catch (error) {
      throw storeErrorFrom(error);
    }
  };
  const command = (sql: string, settings: ClickHouseSettings = {}): Promise<void> =>
    attempt(async (c) => {
      await c.command({ query: sql, clickhouse_settings: settings });
    });
  const query = <T>(sql: string, parameters: Record<string, unknown> = {}): Promise<T[]> =>
    attempt(async (c) => {
      const answer = await c.query({
        query: sql,
        format: 'JSONEachRow',
        query_params: parameters,
        clickhouse_settings: readSettings,
      });
      return answer.json<T>();
    });
  const insert = (target: string, rows: Buffer, token: string): Promise<void> =>
    attempt(async (c) => {
      // The client's own `insert` takes JSON rows as objects only; these are bytes already.
      const { stream } = await c.exec({
        query: `INSERT INTO ${context.database}.${target}`,
        values: Readable.from([rows], { objectMode: false }),
        clickhouse_settings: { ...writeSettings, insert_deduplication_token: token },
      });
      stream.resume();
      await finished(stream);
    });
  const insertRecords = async <T>(records: RecordTable<T>, rows: readonly T[], token: string): Promise<void> => {
    if (rows.length === 0) return;
    const lines = rows.map((row) => `${JSON.stringify(records.toRow(row)).toWellFormed()}\n`);
    const target = `${records.table.name} (${records.columns.join(', ')}) FORMAT JSONCompactEachRow`;
    await insert(target, Buffer.from(lines.join('')), token);
  };
  const readRecords = <T>(
    records: RecordTable<T>,
    tail: string,
    parameters: Record<string, string | number> = {},
  ): Promise<T[]> =>
    attempt(async (c) => {
      const answer = await c.query({
        query: `SELECT ${records.columns.join(', ')} FROM ${context.database}.${records.table.name} ${tail}`,
        format: 'JSONCompactEachRow',
        query_params: parameters,
        clickhouse_settings: readSettings,
      });
      return (await answer.json<Cell[]>()).map(records.fromRow);
    });
  const readHistory = <T>(
    records: RecordTable<T>,
    instant: string,
    columns: ReadonlySet<string>,
    filter: HistoryFilter,
  ): Promise<T[]> => {
    const parameters: Record<string, string | number> = { limit: Math.min(filter.limit ?? 1000, maxHistoryRows) };
    const where: string[] = [];
    const also = (condition: string, name: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      where.push(condition);
      parameters[name] = value;
    };
    also('api = {api:String}', 'api', filter.api);
    also(`${instant} >= {since:Float64}`, 'since', filter.since);
    also(`${instant} <= {until:Float64}`, 'until', filter.until);
    also('pseudonym = {pseudonym:UInt64}', 'pseudonym', filter.pseudonym && pseudonymToDecimal(filter.pseudonym));
    if (columns.has('name')) also('name = {verdict:String}', 'verdict', filter.verdict);
    const condition = where.length > 0 ? `WHERE ${where.join(' AND ')}` : '';
    // The newest are the ones to keep when there are too many, and they come oldest first.
    return readRecords(
      records,
      `${condition} ORDER BY ${instant} DESC, tick DESC LIMIT {limit:UInt32}`,
      parameters,
    ).then((rows) => rows.reverse());
  };
  const readPage = (after: number, upTo: number): Promise<Buffer> =>
    attempt(async (c) => {
      const { stream } = await c.exec({
        query: `SELECT ${observationSelectList} FROM ${context.database}.${observations.name}
          WHERE seq > {after:UInt64} AND seq <= {upTo:UInt64} ORDER BY seq FORMAT RowBinary`,
        query_params: { after, upTo },
      });
      const chunks: Buffer[] = [];
      for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
      return Buffer.concat(chunks);
    });
  const nextSeq = async (after: number, upTo: number): Promise<number | undefined> => {
    const [row] = await query<{ n: string; next: string }>(
      `SELECT count() AS n, min(seq) AS next FROM ${context.database}.${observations.name}
       WHERE seq > {after:UInt64} AND seq <= {upTo:UInt64}`,
      { after, upTo },
    );
    return row && row.n !== '0' ? Number(row.next) : undefined;
  };

  return {
    command,
    query,
    async migrate() {
      await runMigrations({ command: (sql) => command(sql), query }, context);
    },
    async insertObservations(rows, token) {
      if (rows.length === 0) return;
      const target = `${observations.name} (${observationInsertColumns.join(', ')}) FORMAT RowBinary`;
      await insert(target, encodeObservationRows(rows), token);
    },
    insertTicks: (rows, token) => insertRecords(tickRecords, rows, token),
    insertInputs: (rows, token) => insertRecords(inputRecords, rows, token),
    insertGaps: (rows, token) => insertRecords(gapRecords, rows, token),
    insertFindings: (rows, token) => insertRecords(findingRecords, rows, token),
    insertVerdicts: (rows, token) => insertRecords(verdictRecords, rows, token),
    insertDecisions: (rows, token) => insertRecords(decisionRecords, rows, token),
    insertLoss: (rows, token) => insertRecords(lossRecords, rows, token),
    async *readObservations(after: number, upTo: number, page: ObservationBatch) {
      let position = after;
      while (position < upTo) {
        const last = Math.min(upTo, position + pageSeqs);
        const rows = await readPage(position, last);
        page.clear();
        decodeObservationRows(rows, page);
        if (page.length > 0) {
          position = last;
          yield page;
        } else {
          const next = await nextSeq(last, upTo);
          if (next === undefined) return;
          position = next - 1;
        }
      }
    },
    async *readTicks(afterSeq) {
      let tick = -1;
      for (;;) {
        const rows = await readRecords(
          tickRecords,
          'WHERE last_seq >= {seq:UInt64} AND tick > {tick:Int64} ORDER BY tick LIMIT {limit:UInt32}',
          { seq: afterSeq, tick, limit: maxHistoryRows },
        );
        if (rows.length > 0) yield rows;
        if (rows.length < maxHistoryRows) return;
        tick = rows.at(-1)?.tick ?? tick;
      }
    },
    readInputs: (afterSeq) =>
      readRecords(inputRecords, 'WHERE seq >= {seq:UInt64} ORDER BY seq, at', { seq: afterSeq }),
    readGaps: (afterSeq) =>
      readRecords(gapRecords, 'WHERE to_seq > {seq:UInt64} ORDER BY from_seq, to_seq', { seq: afterSeq }),
    readFindings: (filter) => readHistory(findingRecords, 'until', new Set(findingRecords.columns), filter),
    readVerdicts: (filter) => readHistory(verdictRecords, 'last_seen', new Set(verdictRecords.columns), filter),
    async extent() {
      const [row] = await query<{ first: string; last: string; n: string }>(
        `SELECT min(seq) AS first, max(seq) AS last, count() AS n FROM ${context.database}.${observations.name}`,
      );
      return { firstSeq: Number(row?.first ?? 0), lastSeq: Number(row?.last ?? 0), observations: Number(row?.n ?? 0) };
    },
    async told() {
      const newest = async (table: string, column: string): Promise<number> => {
        const [row] = await query<{ newest: string | number }>(
          `SELECT max(${column}) AS newest FROM ${context.database}.${table}`,
        );
        return Number(row?.newest ?? 0);
      };
      return {
        findingTick: await newest('findings', 'tick'),
        verdictTick: await newest('verdicts', 'tick'),
        decisionAt: await newest('decisions', 'at'),
      };
    },
    async ping() {
      try {
        return (await client().ping()).success;
      } catch {
        return false;
      }
    },
    async close() {
      closed = true;
      await connected?.client.close();
    },
  };
}

/**
 * The embedded engine: chdb, opened by exactly one thread of exactly one process.
 *
 * One operation at a time runs on a connection, so there are three: one that only inserts, which a long query
 * therefore never delays, and two for everything else. Requests wait in bounded queues.
 */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Session } from 'chdb';
import { type EngineRequest, type Statement, settingsClause } from './statement.ts';

export interface EngineOptions {
  dataDir: string;
  maxMemoryBytes: number;
  /** Answers larger than this are refused: all our reads are paged. */
  maxAnswerBytes: number;
  maxWaiting: number;
}

export interface Engine {
  /** @throws Error whose message starts with ClickHouse's `Code: N.` */
  run(request: EngineRequest): Promise<Buffer>;
  /** Waits for what runs, then closes the data folder. */
  close(): Promise<void>;
}

/** Runs one task at a time. */
interface Lane {
  readonly waiting: number;
  run<T>(task: () => Promise<T>): Promise<T>;
}

/** @throws Error without a reason when the folder cannot be opened: the engine prints that on stderr. */
export function openEngine(options: EngineOptions): Engine {
  const sessions: Session[] = [];
  const open = (): Session => {
    const session = new Session(options.dataDir, {
      connectionArgs: [`--max_server_memory_usage=${options.maxMemoryBytes}`, '--background_pool_size=4'],
    });
    sessions.push(session);
    return session;
  };
  const inserts = createLane(options.maxWaiting);
  const insertSession = open();
  const others = [open(), open()].map((session) => ({ session, lane: createLane(options.maxWaiting) }));

  const runElsewhere = <T>(task: (session: Session) => Promise<T>): Promise<T> => {
    const idlest = others.reduce((best, next) => (next.lane.waiting < best.lane.waiting ? next : best));
    return idlest.lane.run(() => task(idlest.session));
  };

  return {
    run({ statement, settings, parameters }) {
      switch (statement.kind) {
        case 'insertRows':
          return inserts.run(async () => {
            if (statement.data.length > 0) await insert(insertSession, statement, settings, options.dataDir);
            return Buffer.alloc(0);
          });
        case 'select':
          return runElsewhere((session) =>
            select(session, statement.sql + settingsClause(settings), parameters, options.maxAnswerBytes),
          );
        default:
          return runElsewhere(async (session) => {
            // CREATE has a SETTINGS clause of its own, which is the table's.
            const sql = /^(ALTER|INSERT|OPTIMIZE|DELETE)\b/i.test(statement.sql)
              ? statement.sql + settingsClause(settings)
              : statement.sql;
            // The answer is thrown away: after a failed query a connection may prefix the next answer with the rest of it.
            if (Object.keys(parameters).length > 0) await session.queryBindAsync(sql, parameters);
            else await session.queryAsync(sql);
            return Buffer.alloc(0);
          });
      }
    },
    async close() {
      await Promise.allSettled([inserts.run(async () => {}), ...others.map((other) => other.lane.run(async () => {}))]);
      for (const session of sessions) session.close();
    },
  };
}

async function insert(
  session: Session,
  { table, columns, format, data }: Extract<Statement, { kind: 'insertRows' }>,
  settings: EngineRequest['settings'],
  folder: string,
): Promise<void> {
  if (format !== 'RowBinary') {
    await session.insert({
      ...{ table, values: data, format, settings },
      ...(columns.length > 0 ? { columns } : {}),
    });
    return;
  }
  // The binding takes text only. A file without a name is what the engine can read, and nothing is left of it after a crash.
  const name = path.join(folder, 'incoming');
  const file = openSync(name, 'w+', 0o600);
  try {
    unlinkSync(name);
    // Written in place: the engine reads from where the file stands.
    for (let at = 0; at < data.length; ) at += writeSync(file, data, at, data.length - at, at);
    const into = columns.length > 0 ? `${table} (${columns.join(', ')})` : table;
    await session.queryAsync(`INSERT INTO ${into} SELECT * FROM file(${file}, 'RowBinary')${settingsClause(settings)}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new Error(`Code: 243. DB::Exception: Cannot write rows: ${(error as Error).message}. (NOT_ENOUGH_SPACE)`, {
      cause: error,
    });
  } finally {
    closeSync(file);
  }
}

async function select(
  session: Session,
  sql: string,
  parameters: Record<string, string>,
  maxAnswerBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of session.queryStreamBind(sql, parameters, { format: 'TabSeparated' })) {
    // The chunk's memory belongs to the engine and goes with the next fetch.
    chunks.push(Buffer.from(chunk.raw()));
    bytes += chunk.numBytes;
    if (bytes > maxAnswerBytes) {
      throw new Error(
        `Code: 396. DB::Exception: Limit for result exceeded, max bytes: ${maxAnswerBytes}. (TOO_MANY_ROWS_OR_BYTES)`,
      );
    }
  }
  return Buffer.concat(chunks);
}

function createLane(maxWaiting: number): Lane {
  let waiting = 0;
  let tail: Promise<unknown> = Promise.resolve();
  return {
    get waiting() {
      return waiting;
    },
    run(task) {
      if (waiting >= maxWaiting) {
        return Promise.reject(
          new Error(
            `Code: 202. DB::Exception: Too many simultaneous queries. Maximum: ${maxWaiting}. (TOO_MANY_SIMULTANEOUS_QUERIES)`,
          ),
        );
      }
      waiting++;
      const done = tail.then(task).finally(() => {
        waiting--;
      });
      tail = done.catch(() => {});
      return done;
    },
  };
}

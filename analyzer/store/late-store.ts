/** A store that may be absent at the start: it is brought up to date when it first answers, before any row goes to it. */
import { type Store, StoreError } from './store.ts';

/**
 * Until `migrate` has succeeded once, inserts try it first, so that whoever repeats a failed insert finds the store when it
 * comes; reads fail at once, for they cannot wait.
 */
export function createLateStore(store: Store): Store {
  let migrated = false;
  let migrating: Promise<void> | undefined;
  const migrate = async (): Promise<void> => {
    if (migrated) return;
    migrating ??= store.migrate().finally(() => {
      migrating = undefined;
    });
    await migrating;
    migrated = true;
  };
  const requireMigrated = (): void => {
    if (!migrated) throw new StoreError('unavailable', 'the store has not answered yet', true);
  };
  const insert =
    <T>(to: (rows: readonly T[], token: string) => Promise<void>) =>
    async (rows: readonly T[], token: string): Promise<void> => {
      await migrate();
      await to(rows, token);
    };
  const read =
    <A extends unknown[], T>(from: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      requireMigrated();
      return from(...args);
    };
  return {
    migrate,
    insertObservations: insert(store.insertObservations),
    insertTicks: insert(store.insertTicks),
    insertInputs: insert(store.insertInputs),
    insertGaps: insert(store.insertGaps),
    insertFindings: insert(store.insertFindings),
    insertVerdicts: insert(store.insertVerdicts),
    insertDecisions: insert(store.insertDecisions),
    insertLoss: insert(store.insertLoss),
    async *readObservations(after, upTo, page) {
      requireMigrated();
      yield* store.readObservations(after, upTo, page);
    },
    async *readTicks(afterSeq) {
      requireMigrated();
      yield* store.readTicks(afterSeq);
    },
    readInputs: read(store.readInputs),
    readGaps: read(store.readGaps),
    readFindings: read(store.readFindings),
    readVerdicts: read(store.readVerdicts),
    extent: read(store.extent),
    told: read(store.told),
    query: (sql, parameters) => {
      requireMigrated();
      return store.query(sql, parameters);
    },
    ping: () => store.ping(),
    close: () => store.close(),
  };
}

/**
 * A whole analyzer: store, analysis, feeds and what watches over them, on the object store and bus of the process it runs
 * in. The process `picket-analyzer` is this over Kubernetes and NATS; `picket up` has it beside an operator.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import type { SteadyClock } from '@picket/runtime/clock.ts';
import type { TlsFiles } from '@picket/runtime/grpc/server-credentials.ts';
import type { Ledger } from '@picket/runtime/ledger.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { ObjectStore } from '@picket/runtime/objects/object-store.ts';
import { type Analyzer, type AnalyzerMetrics, startAnalyzer } from '../analyzer.ts';
import { createEscrow } from '../identify/escrow.ts';
import { type AlsServer, startAlsServer } from '../ingest/als-server.ts';
import { createPublisher } from '../publish/publisher.ts';
import { watchReviews } from '../publish/reviews.ts';
import { createCheckpoints } from '../replay/checkpoint.ts';
import { createStoreWriter } from '../store/writer.ts';
import { watchCompleteness } from './completeness.ts';
import type { DataFolder } from './data-folder.ts';
import { openHistory } from './history.ts';
import { recordLoss } from './loss-rows.ts';
import type { AnalyzerView } from './metrics.ts';
import { openStore, type StoreAccess } from './open-store.ts';

export interface ServiceOptions {
  data: DataFolder;
  store: StoreAccess;
  objects: ObjectStore;
  bus: Bus;
  ledger: Ledger;
  metrics: AnalyzerMetrics;
  clock: SteadyClock;
  log: Logger;
  /** 0 ≤ x < 1; spreads reconnects, decides nothing. */
  random(): number;
  workers: number;
  /** Envoys that send access logs, by the name in their certificates. */
  fleet: string;
  alsListen: string;
  tls?: TlsFiles | undefined;
  /** Admin interfaces of Envoys that are asked for the counters that tell what is missing; others send them. */
  envoys: readonly string[];
  /** All Envoys are edges that no client can tell a path. */
  trustOriginalPath: boolean;
}

export interface AnalyzerService {
  readonly analyzer: Analyzer;
  /** Port of the access log server; undefined before `serve`. */
  alsPort(): number | undefined;
  view(): AnalyzerView;
  /** Learns from access logs of the past, then opens the feeds. */
  serve(history: { paths: readonly string[]; cwd: string }): Promise<void>;
  /** Ends the feeds and the open tick, writes status, checkpoint and what the store still takes. */
  close(): Promise<void>;
}

const checkpointIntervalMs = 30_000;
const drainMs = 10_000;
/** A store that does not answer gets this long; then it goes on without. Our own engine may have to recover. */
const storeWaitMs = { server: 10_000, engine: 30_000 };

/** Resolves when the last checkpoint is restored and caught up with; feeds open with `serve`. */
export async function startService(options: ServiceOptions): Promise<AnalyzerService> {
  const { bus, clock, data, fleet, ledger, log, objects, tls } = options;
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    let failure: Error | undefined;
    for (const end of closers.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        log.error('stopped uncleanly', { error });
        failure ??= error instanceof Error ? error : new Error(String(error));
      }
    }
    if (failure) throw failure;
  };
  try {
    return await start();
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }

  async function start(): Promise<AnalyzerService> {
    const startedAt = clock.now();
    const storage = await openStore(data.path, options.store, log, storeWaitMs);
    closers.push(() => storage.close());
    const writer = createStoreWriter({
      store: storage.store,
      ledger,
      clock,
      log: storage.log,
      runId: randomUUID(),
      storedUpTo: storage.lastSeq ?? 0,
      ...(storage.lastSeq === undefined ? { failingSinceMs: startedAt } : {}),
    });
    closers.push(() => writer.close(drainMs));
    closers.push(recordLoss(ledger, clock, (row) => writer.loss(row)));

    let als: AlsServer | undefined;
    const completeness = await watchCompleteness({
      envoys: options.envoys,
      file: join(data.path, 'completeness.json'),
      clock,
      log,
    });
    closers.push(() => completeness.close());

    const publisher = createPublisher({ objects, bus, clock, ledger, log });
    const analyzer = await startAnalyzer({
      workers: options.workers,
      keys: data.keys,
      escrow: createEscrow(),
      store: storage.store,
      writer,
      checkpoints: createCheckpoints(join(data.path, 'checkpoints'), process.versions.node.split('.')[0] ?? ''),
      checkpointIntervalMs,
      bus,
      publisher,
      ledger,
      clock,
      log,
      metrics: options.metrics,
      completeness: (api) => completeness.ofApi(api),
    });
    closers.push(() => analyzer.close());
    data.onKeys((ring) => analyzer.useKeys(ring));
    const closing = new AbortController();
    closers.push(() => closing.abort());
    await watchReviews(
      objects,
      {
        review: (verdict, disposition) => analyzer.review(verdict, disposition),
        gone: (verdict) => analyzer.forgetReview(verdict),
      },
      closing.signal,
    );
    const learned = { entries: 0, done: false };

    return {
      analyzer,
      alsPort: () => als?.port,
      view: () => ({
        analyzer,
        history: learned,
        streams: als?.streams() ?? [],
        inFlight: als?.inFlight,
        completeness: completeness.report(),
        store: writer.stats(),
        publisher: publisher.stats(),
      }),
      async serve({ paths, cwd }) {
        if (paths.length > 0) await learn(analyzer, paths, cwd, learned);
        learned.done = true;
        analyzer.goLive();
        als = await startAlsServer({
          listen: options.alsListen,
          ...(tls ? { tls: { ...tls, fleets: { [fleet]: [fleet] } } } : {}),
          onRecord(record, stream) {
            const { api, completedAtMs } = analyzer.onRecord(record);
            completeness.seen({ node: stream.nodeId, prefix: stream.logName }, completedAtMs, api);
          },
          onCounters: completeness.counted,
          apiOf: (record) => analyzer.apiOf(record),
          ledger,
          clock,
          random: options.random,
          trustOriginalPath: options.trustOriginalPath,
        });
        const listening = als;
        closers.push(() => listening.close());
      },
      close,
    };
  }

  async function learn(
    analyzer: Analyzer,
    paths: readonly string[],
    cwd: string,
    progress: { entries: number },
  ): Promise<void> {
    const past = await openHistory(paths, cwd);
    log.info('learning from history', { files: paths });
    const { skipped } = await analyzer.learn(past.records(), (records) => {
      progress.entries = records;
    });
    const told = { entries: progress.entries, rejected: past.rejected(), skipped };
    if (progress.entries + skipped > 0) log.info('history learned', told);
    else log.warn('nothing was learned from history: no line of it is an access record', told);
    if (skipped > 0)
      log.info('history up to where an earlier run had come was not learned again', {
        skipped,
        until: new Date(analyzer.restored.knownUpTo).toISOString(),
      });
  }
}

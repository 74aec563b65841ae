/** A whole analyzer behind a real access log server, with the sample shop's policy and a store that can be made ill. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { type Analyzer, type AnalyzerOptions, startAnalyzer } from '@picket/analyzer/analyzer.ts';
import { createEscrow } from '@picket/analyzer/identify/escrow.ts';
import { createKeyRing } from '@picket/analyzer/identify/key-ring.ts';
import { startAlsServer } from '@picket/analyzer/ingest/als-server.ts';
import { createPublisher } from '@picket/analyzer/publish/publisher.ts';
import { createCheckpoints } from '@picket/analyzer/replay/checkpoint.ts';
import { createClickHouseStore } from '@picket/analyzer/store/clickhouse-store.ts';
import type { Store } from '@picket/analyzer/store/store.ts';
import { createStoreWriter, type StoreWriter, type StoreWriterOptions } from '@picket/analyzer/store/writer.ts';
import { objectSchemas } from '@picket/crds/validate.ts';
import { CompiledPolicySchema } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Bucket, parseApiName, policyKey } from '@picket/proto/subjects.ts';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { createSteadyClock, systemClock } from '@picket/runtime/clock.ts';
import { createLedger, type LedgerSnapshot } from '@picket/runtime/ledger.ts';
import { silentLogger } from '@picket/runtime/log.ts';
import { openFolderStore } from '@picket/runtime/objects/folder-store.ts';
import { compileManifests } from '@picket/standalone/up/compile-manifests.ts';
import { type ClickHouseDouble, startClickHouseDouble } from './clickhouse-double.ts';
import { repositoryRoot } from './tools.ts';

export interface AnalyzerOnStore {
  analyzer: Analyzer;
  alsPort: number;
  writer: StoreWriter;
  ledger(): LedgerSnapshot;
  /** Open access log streams. */
  streams(): number;
  close(): Promise<void>;
}

export interface AnalyzerStage extends AnalyzerOnStore {
  double: ClickHouseDouble;
}

export async function startAnalyzerStage(
  writerOptions: Partial<StoreWriterOptions> = {},
  analyzerOptions: Partial<AnalyzerOptions> = {},
): Promise<AnalyzerStage> {
  const double = await startClickHouseDouble();
  const endpoint = { url: double.url, username: 'default', password: '' };
  const store = createClickHouseStore({ engine: 'single', endpoint: () => endpoint, requestTimeoutMs: 2_000 });
  const running = await startAnalyzerOnStore(store, { flushIntervalMs: 50, ...writerOptions }, analyzerOptions);
  return {
    ...running,
    double,
    async close() {
      await running.close();
      await store.close();
      await double.close();
    },
  };
}

/** The same on a store of the caller's, which stays the caller's to close. */
export async function startAnalyzerOnStore(
  store: Store,
  writerOptions: Partial<StoreWriterOptions> = {},
  analyzerOptions: Partial<AnalyzerOptions> = {},
): Promise<AnalyzerOnStore> {
  const clock = analyzerOptions.clock ?? createSteadyClock(systemClock);
  const closing: (() => Promise<void> | void)[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'picket-stage-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const manifests = join(repositoryRoot, 'examples/shop/manifests');
  const { policies } = await compileManifests(manifests, 'standalone');
  const objects = await openFolderStore({
    folder: manifests,
    stateFile: join(folder, 'objects.json'),
    schemas: objectSchemas,
    clock,
    logger: silentLogger,
  });
  closing.push(() => objects.close());
  const bus = createMemoryBus();
  closing.push(() => bus.close());
  const bucket = await bus.bucket(Bucket.policy);
  for (const policy of policies)
    await bucket.put(policyKey(parseApiName(policy.api)), toBinary(CompiledPolicySchema, policy));
  const ledger = createLedger();
  const writer = createStoreWriter({
    store,
    ledger,
    clock,
    log: { info() {}, warn() {}, error() {} },
    runId: 'stage',
    storedUpTo: 0,
    ...writerOptions,
  });
  closing.push(() => writer.close(200));
  const analyzer = await startAnalyzer({
    workers: 0,
    keys: createKeyRing((count) => randomBytes(count), 0),
    escrow: createEscrow(),
    store,
    writer,
    checkpoints: createCheckpoints(join(folder, 'checkpoints'), '24'),
    checkpointIntervalMs: 30_000,
    bus,
    publisher: createPublisher({ objects, bus, clock, ledger, log: silentLogger }),
    ledger,
    clock,
    log: silentLogger,
    metrics: { tickTook() {}, finding() {}, decision() {} },
    completeness: () => undefined,
    ...analyzerOptions,
  });
  closing.push(() => analyzer.close());
  analyzer.goLive();
  const als = await startAlsServer({
    listen: '127.0.0.1:0',
    onRecord: (record) => analyzer.onRecord(record),
    apiOf: (record) => analyzer.apiOf(record),
    ledger,
    clock,
    random: () => 0.5,
  });
  closing.push(() => als.close());
  return {
    analyzer,
    alsPort: als.port,
    writer,
    ledger: () => ledger.snapshot(),
    streams: () => als.streams().length,
    async close() {
      for (const close of closing.reverse()) await close();
    },
  };
}

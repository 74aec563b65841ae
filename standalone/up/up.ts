/** Operator and analyzer in one process over a folder of YAML: the composition behind `picket up`. */
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { type Analyzer, startAnalyzer } from '@picket/analyzer/analyzer.ts';
import { createEscrow } from '@picket/analyzer/identify/escrow.ts';
import { KeyRingError, loadOrCreateKeyRing } from '@picket/analyzer/identify/key-ring.ts';
import { type AlsServer, startAlsServer } from '@picket/analyzer/ingest/als-server.ts';
import { shapeHeaders } from '@picket/analyzer/observation.ts';
import { createPublisher } from '@picket/analyzer/publish/publisher.ts';
import { watchReviews } from '@picket/analyzer/publish/reviews.ts';
import { createCheckpoints } from '@picket/analyzer/replay/checkpoint.ts';
import { createStoreWriter } from '@picket/analyzer/store/writer.ts';
import { objectSchemas } from '@picket/crds/validate.ts';
import { ingressStatPrefix, maxFlowBodyBytes } from '@picket/operator/envoy/render/listener.ts';
import { type Operator, startOperator } from '@picket/operator/operator.ts';
import { type Bus, BusError } from '@picket/runtime/bus/bus.ts';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { connectNatsBus } from '@picket/runtime/bus/nats-bus.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { PicketError, toPicketError } from '@picket/runtime/errors.ts';
import type { TlsFiles } from '@picket/runtime/grpc/server-credentials.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { createLogger, type Logger } from '@picket/runtime/log.ts';
import { openFolderStore } from '@picket/runtime/objects/folder-store.ts';
import type { Host } from '@picket/runtime/host.ts';
import { type AdminServer, startAdmin } from './admin.ts';
import { watchCompleteness } from './completeness.ts';
import { lockDataFolder } from './data-lock.ts';
import { openDecisionVault } from './decision-vault.ts';
import { checkPortFree, endpointOf, freePort } from './endpoint.ts';
import { findEnvoy, startEnvoy } from './envoy-process.ts';
import { openHistory } from './history.ts';
import { guardKeys } from './key-guard.ts';
import { recordLoss } from './loss-rows.ts';
import { createProcessMetrics } from './metrics.ts';
import type { UpOptions } from './options.ts';
import { openStore } from './store.ts';

const checkpointIntervalMs = 30_000;
const drainMs = 10_000;

/** Runs until a signal asks it to stop; resolves when everything is drained. */
export async function up(options: UpOptions, host: Host): Promise<void> {
  const clock = systemClock;
  const log = createLogger({
    level: options.logLevel,
    format: options.logFormat,
    clock,
    destination: { write: (line) => host.err(line) },
    component: 'standalone',
    color: host.colour,
  });
  const stack: (() => Promise<void> | void)[] = [];
  const onClose = (close: () => Promise<void> | void): void => void stack.push(close);
  const stopped = new Promise<NodeJS.Signals>((resolve) => host.onStop(resolve));
  let failure: Error | undefined;
  try {
    const { failed } = await compose(options, host, log, onClose);
    const reason = await Promise.race([stopped, failed]);
    if (reason instanceof Error)
      throw new PicketError(
        'Internal',
        `the analysis failed and must start again from a checkpoint: ${reason.message}`,
        {
          cause: reason,
        },
      );
    log.info('stopping', { signal: reason });
  } catch (error) {
    failure = asError(error);
  }
  for (const close of stack.reverse()) {
    try {
      await close();
    } catch (error) {
      log.error('stopped uncleanly', { error });
      failure ??= asError(error);
    }
  }
  if (failure) throw failure;
  log.info('stopped');
}

async function compose(
  options: UpOptions,
  host: Host,
  log: Logger,
  onClose: (close: () => Promise<void> | void) => void,
): Promise<Analyzer> {
  const clock = systemClock;
  const data = (...parts: string[]): string => join(options.data, ...parts);
  await requireFolder(options.manifests);
  const tls = tlsFiles(options);
  requireListenPair(options);
  // The Envoy that Picket runs speaks to it on loopback in plain text.
  const fleetTls = options.envoy === 'run' ? undefined : tls;
  // Before anything is opened: who made a mistake should not wait for an engine to start.
  for (const flag of ['alsListen', 'xdsListen', 'adminListen'] as const)
    if (!options[flag].startsWith('unix:')) await checkPortFree(endpointOf(options[flag]), listenFlags[flag]);
  await mkdir(options.data, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST' || error.code === 'ENOTDIR')
      throw new PicketError('InvalidConfig', `--data: ${options.data} is not a folder`, { cause: error });
    throw toPicketError(error, `--data ${options.data}`);
  });
  onClose(await lockDataFolder(options.data, process.pid));
  const keys = keyRing(data('keys.json'), clock.now());
  onClose(guardKeys(data('keys.json'), keys, log));
  const ledger = createLedger();
  const metrics = createProcessMetrics(ledger);
  const startedAt = clock.now();

  const objects = await openFolderStore({
    folder: options.manifests,
    stateFile: data('objects.json'),
    schemas: objectSchemas,
    clock,
    logger: log,
  });
  onClose(() => objects.close());
  const closing = new AbortController();
  onClose(() => closing.abort());

  const bus = options.natsUrl ? await openNats(options.natsUrl, host, log) : createMemoryBus();
  onClose(() => bus.close());
  if (!options.natsUrl) {
    const vault = await openDecisionVault({
      path: data('decisions.sealed'),
      secret: keys.contentSecret,
      bus,
      clock,
      log,
    });
    onClose(() => vault.close());
  }

  const storage = await openStore(options, host, log);
  onClose(() => storage.close());
  const extent = await storage.store.extent();
  const writer = createStoreWriter({
    store: storage.store,
    ledger,
    clock,
    log: storage.log,
    runId: randomUUID(),
    storedUpTo: extent.lastSeq,
  });
  onClose(() => writer.close(drainMs));
  onClose(recordLoss(ledger, clock, (row) => writer.loss(row)));

  const envoyAdminPort = options.envoy === 'run' ? await freePort() : undefined;
  const nodeId = `${options.fleet}-${hostname()}`;
  // Started one after the other, and asked by what is started before.
  const late: { analyzer?: Analyzer; als?: AlsServer; operator?: Operator } = {};
  const adminUrls = [
    ...(envoyAdminPort ? [{ admin: `http://127.0.0.1:${envoyAdminPort}`, node: () => nodeId }] : []),
    ...(options.envoyAdmin ? [{ admin: options.envoyAdmin, node: () => late.als?.streams()[0]?.nodeId }] : []),
  ];
  const completeness = watchCompleteness(adminUrls, clock);
  onClose(() => completeness.close());

  const publisher = createPublisher({ objects, bus, clock, ledger, log });
  const history: { entries: number; done: boolean } = { entries: 0, done: options.history.length === 0 };
  const admin: AdminServer = await startAdmin({
    listen: options.adminListen,
    ...(tls ? { tls } : {}),
    objects,
    ledger,
    metrics,
    clock,
    startedAt,
    view: () => ({
      analyzer: late.analyzer,
      history,
      streams: late.als?.streams() ?? [],
      inFlight: late.als?.inFlight,
      envoys: late.operator?.envoys() ?? [],
      completeness: completeness.report(),
      store: writer.stats(),
      listening: { als: late.als?.port, xds: late.operator?.xdsPort },
    }),
  });
  onClose(() => admin.close());

  const running = await startAnalyzer({
    workers: options.workers,
    keys,
    escrow: createEscrow(),
    store: storage.store,
    writer,
    checkpoints: createCheckpoints(data('checkpoints'), process.versions.node.split('.')[0] ?? ''),
    checkpointIntervalMs,
    bus,
    publisher,
    ledger,
    clock,
    log,
    metrics: metrics.analyzer,
    completeness: () => completeness.ratio(),
  });
  late.analyzer = running;
  onClose(() => running.close());
  await watchReviews(
    objects,
    {
      review: (verdict, disposition) => running.review(verdict, disposition),
      gone: (verdict) => running.forgetReview(verdict),
    },
    closing.signal,
  );

  const xds = endpointOf(options.xdsListen);
  const serving = await startOperator({
    objects,
    bus,
    clock,
    log,
    random: host.random,
    listen: xds,
    fleet: options.fleet,
    ja4: options.ja4 === true || options.listenCert !== undefined,
    metrics: metrics.fleet,
    ...(fleetTls
      ? {
          tls: {
            certificateFile: fleetTls.certificateFile,
            keyFile: fleetTls.privateKeyFile,
            clientCaFile: fleetTls.clientCaFile,
            allowedNames: [options.fleet],
          },
        }
      : {}),
  });
  late.operator = serving;
  onClose(() => serving.close());

  if (!history.done) {
    const past = await openHistory(options.history, host.cwd);
    log.info('learning from history', { files: options.history });
    const { skipped } = await running.learn(past.records(), (records) => {
      history.entries = records;
    });
    history.done = true;
    log.info('history learned', { entries: history.entries, rejected: past.rejected(), skipped });
    if (skipped > 0)
      log.info('history up to where an earlier run had come was not learned again', {
        skipped,
        until: new Date(running.restored.knownUpTo).toISOString(),
      });
  }
  running.goLive();

  const listening = await startAlsServer({
    listen: options.alsListen,
    ...(fleetTls ? { tls: { ...fleetTls, fleets: { [options.fleet]: [options.fleet] } } } : {}),
    onRecord(record, stream) {
      const duration = Number.isNaN(record.durationMs) ? 0 : record.durationMs;
      completeness.seen({ node: stream.nodeId, prefix: stream.logName }, record.startedAtMs + duration);
      running.onRecord(record);
    },
    apiOf: (record) => running.apiOf(record),
    ledger,
    clock,
    random: host.random,
    // Our own Envoy resolves addresses itself and so cannot be told a path by a client.
    trustOriginalPath: options.envoy === 'run',
  });
  late.als = listening;
  onClose(() => listening.close());

  if (options.envoy === 'run' && envoyAdminPort) {
    const envoy = await startEnvoy({
      binary: await findEnvoy(options.envoyBinary, checkoutRoot, host.env['PATH'] ?? ''),
      folder: data('envoy'),
      policies: [...serving.policies().values()],
      bootstrap: {
        node: nodeId,
        fleet: options.fleet,
        admin: { host: '127.0.0.1', port: envoyAdminPort },
        upstream: endpointOf(options.upstream ?? ''),
        xds: { host: xds.host, port: serving.xdsPort },
        als: { host: endpointOf(options.alsListen).host, port: listening.port },
        listener: {
          address: endpointOf(options.listen),
          logName: ingressStatPrefix,
          trustedHops: options.trustedHops,
          shapeHeaders,
          maxFlowBodyBytes,
          ...(options.listenCert && options.listenKey
            ? { tls: { certificateFile: resolve(options.listenCert), keyFile: resolve(options.listenKey) } }
            : {}),
          ...(options.jwtIssuer && options.jwtJwks
            ? { jwt: { issuer: options.jwtIssuer, jwksFile: options.jwtJwks } }
            : {}),
        },
      },
      log,
    });
    const follow = setInterval(() => void envoy.setPolicies([...serving.policies().values()]), 500);
    onClose(() => {
      clearInterval(follow);
      return envoy.stop();
    });
  }
  admin.ready();
  log.info('ready', {
    als: listening.port,
    xds: serving.xdsPort,
    admin: admin.port,
    ...(options.envoy === 'run' ? { traffic: options.listen, upstream: options.upstream } : {}),
  });
  return running;
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

const checkoutRoot = join(dirname(fileURLToPath(import.meta.url)), '../..');

const listenFlags = { alsListen: '--als-listen', xdsListen: '--xds-listen', adminListen: '--admin-listen' } as const;

/** @throws PicketError InvalidConfig that names the files when they do not fit together */
function tlsFiles({ tlsCert, tlsKey, tlsCa }: UpOptions): TlsFiles | undefined {
  if (!tlsCert || !tlsKey || !tlsCa) return undefined;
  try {
    createSecureContext({ cert: readFileSync(tlsCert), key: readFileSync(tlsKey), ca: readFileSync(tlsCa) });
  } catch (error) {
    throw new PicketError(
      'InvalidConfig',
      `--tls-cert ${tlsCert}, --tls-key ${tlsKey} and --tls-ca ${tlsCa} cannot be used: ${(error as Error).message}`,
      { cause: error },
    );
  }
  return { certificateFile: tlsCert, privateKeyFile: tlsKey, clientCaFile: tlsCa };
}

/** @throws PicketError InvalidConfig that names the files: Envoy would only say that it does not start */
function requireListenPair({ listenCert, listenKey }: UpOptions): void {
  if (!listenCert || !listenKey) return;
  try {
    createSecureContext({ cert: readFileSync(listenCert), key: readFileSync(listenKey) });
  } catch (error) {
    throw new PicketError(
      'InvalidConfig',
      `--listen-cert ${listenCert} and --listen-key ${listenKey} cannot be used: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** @throws PicketError Unavailable or Unsupported */
async function openNats(url: string, host: Host, log: Logger): Promise<Bus> {
  const { PICKET_NATS_USER: user, PICKET_NATS_PASSWORD: pass } = host.env;
  try {
    return await connectNatsBus({
      servers: [url],
      connection: { ...(user ? { user } : {}), ...(pass ? { pass } : {}), name: 'picket-standalone' },
      onTrouble: (what, error) => log.warn('bus trouble', { what, error }),
    });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    const code = error.code === 'unavailable' ? 'Unavailable' : 'Unsupported';
    throw new PicketError(code, `--nats-url: ${error.message}`, { cause: error });
  }
}

/** @throws PicketError NotFound */
async function requireFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw toPicketError(error, `--manifests ${path}`);
  });
  if (!found.isDirectory()) throw new PicketError('InvalidConfig', `--manifests: ${path} is not a folder`);
}

function keyRing(path: string, now: number): ReturnType<typeof loadOrCreateKeyRing> {
  try {
    return loadOrCreateKeyRing(path, (count) => randomBytes(count), now);
  } catch (error) {
    if (error instanceof KeyRingError) throw new PicketError('InvalidConfig', error.message, { cause: error });
    throw error;
  }
}

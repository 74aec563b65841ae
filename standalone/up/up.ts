/** Operator and analyzer in one process over a folder of YAML: the composition behind `picket up`. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { Analyzer } from '@picket/analyzer/analyzer.ts';
import { shapeHeaders } from '@picket/proto/access-log.ts';
import { openDataFolder } from '@picket/analyzer/service/data-folder.ts';
import { startingView } from '@picket/analyzer/service/metrics.ts';
import { type AnalyzerService, startService } from '@picket/analyzer/service/service.ts';
import { objectSchemas } from '@picket/crds/validate.ts';
import { ingressStatPrefix, type ListenerTls, maxFlowBodyBytes } from '@picket/operator/envoy/render/listener.ts';
import { type Operator, startOperator } from '@picket/operator/operator.ts';
import { createMemoryBus } from '@picket/runtime/bus/memory-bus.ts';
import { openNats } from '@picket/runtime/bus/open-nats.ts';
import { createSteadyClock, systemClock } from '@picket/runtime/clock.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { TlsFiles } from '@picket/runtime/grpc/server-credentials.ts';
import type { Host } from '@picket/runtime/host.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { createLogger, type Logger } from '@picket/runtime/log.ts';
import { openFolderStore } from '@picket/runtime/objects/folder-store.ts';
import { type AdminServer, startAdmin } from './admin.ts';
import { openDecisionVault } from './decision-vault.ts';
import { checkPortFree, endpointOf, freePort } from './endpoint.ts';
import { findEnvoy, startEnvoy } from './envoy-process.ts';
import { createProcessMetrics } from './metrics.ts';
import type { UpOptions } from './options.ts';
import { requireManifests } from './compile-manifests.ts';
import { storeAccess } from './store-access.ts';

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
  const clock = createSteadyClock(systemClock);
  await requireManifests(options.manifests);
  const tls = tlsFiles(options);
  requireListenFiles(options);
  requireKeySet(options);
  const binary =
    options.envoy === 'run' ? await findEnvoy(options.envoyBinary, checkoutRoot, host.env['PATH'] ?? '') : undefined;
  // The Envoy that Picket runs speaks to it on loopback in plain text.
  const fleetTls = options.envoy === 'run' ? undefined : tls;
  // Before anything is opened: who made a mistake should not wait for an engine to start.
  for (const flag of ['alsListen', 'xdsListen', 'adminListen'] as const)
    await checkPortFree(endpointOf(options[flag]), listenFlags[flag]);
  const data = await openDataFolder(options.data, clock, log);
  onClose(() => data.close());
  const ledger = createLedger();
  const metrics = createProcessMetrics(ledger);
  const startedAt = clock.now();

  const objects = await openFolderStore({
    folder: options.manifests,
    stateFile: join(data.path, 'objects.json'),
    schemas: objectSchemas,
    clock,
    logger: log,
  });
  onClose(() => objects.close());

  const bus = options.natsUrl ? await openNats(natsAccess(options.natsUrl, host), log) : createMemoryBus();
  onClose(() => bus.close());
  if (!options.natsUrl) {
    const vault = await openDecisionVault({
      path: join(data.path, 'decisions.sealed'),
      secret: data.keys.contentSecret,
      bus,
      clock,
      log,
    });
    onClose(() => vault.close());
  }

  const envoyAdminPort = options.envoy === 'run' ? await freePort() : undefined;
  const nodeId = `${options.fleet}-${hostname()}`;
  // Started one after the other, and asked by what is started before.
  const late: { service?: AnalyzerService; operator?: Operator } = {};
  const admin: AdminServer = await startAdmin({
    listen: options.adminListen,
    ...(tls ? { tls } : {}),
    objects,
    ledger,
    metrics,
    clock,
    startedAt,
    view: () => ({
      ...(late.service?.view() ?? startingView),
      envoys: late.operator?.envoys() ?? [],
      listening: { als: late.service?.alsPort(), xds: late.operator?.xdsPort },
    }),
  });
  onClose(() => admin.close());

  const service = await startService({
    data,
    store: storeAccess(options, host),
    objects,
    bus,
    ledger,
    metrics: metrics.analyzer,
    clock,
    log,
    random: () => host.random(),
    workers: options.workers,
    fleet: options.fleet,
    alsListen: options.alsListen,
    tls: fleetTls,
    envoys: options.envoyAdmin.map((url) => url.replace(/\/$/, '')),
    // Our own Envoy resolves addresses itself and so cannot be told a path by a client.
    trustOriginalPath: options.envoy === 'run',
  });
  late.service = service;
  onClose(() => service.close());

  const xds = endpointOf(options.xdsListen);
  const serving = await startOperator({
    objects,
    bus,
    clock,
    log,
    random: () => host.random(),
    listen: xds,
    fleet: options.fleet,
    ttlMs: options.filterTtl * 1000,
    ja4: options.ja4 === true || options.listenCert !== undefined,
    metrics: metrics.fleet,
    ...(fleetTls ? { tls: { ...fleetTls, allowedNames: [options.fleet] } } : {}),
  });
  late.operator = serving;
  onClose(() => serving.close());

  await service.serve({ paths: options.history, cwd: host.cwd });

  if (binary && envoyAdminPort) {
    const envoy = await startEnvoy({
      binary,
      folder: join(data.path, 'envoy'),
      policies: [...serving.policies().values()],
      bootstrap: {
        node: nodeId,
        fleet: options.fleet,
        admin: { host: '127.0.0.1', port: envoyAdminPort },
        upstream: endpointOf(options.upstream ?? ''),
        xds: { host: xds.host, port: serving.xdsPort },
        als: { host: endpointOf(options.alsListen).host, port: service.alsPort() ?? 0 },
        listener: {
          address: endpointOf(options.listen),
          logName: ingressStatPrefix,
          trustedHops: options.trustedHops,
          shapeHeaders,
          maxFlowBodyBytes,
          ...listenTls(options),
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
    als: service.alsPort(),
    xds: serving.xdsPort,
    admin: admin.port,
    ...(options.envoy === 'run' ? { traffic: options.listen, upstream: options.upstream } : {}),
  });
  return service.analyzer;
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

function listenTls({ listenCert, listenKey, listenClientCa }: UpOptions): { tls?: ListenerTls } {
  if (!listenCert || !listenKey) return {};
  const tls = { certificateFile: resolve(listenCert), keyFile: resolve(listenKey) };
  return { tls: listenClientCa ? { ...tls, clientCaFile: resolve(listenClientCa) } : tls };
}

/** @throws PicketError InvalidConfig that names the files: Envoy would only say that it does not start */
function requireListenFiles({ listenCert, listenKey, listenClientCa }: UpOptions): void {
  if (!listenCert || !listenKey) return;
  try {
    const ca = listenClientCa ? { ca: readFileSync(listenClientCa) } : {};
    createSecureContext({ cert: readFileSync(listenCert), key: readFileSync(listenKey), ...ca });
  } catch (error) {
    const also = listenClientCa ? ` with --listen-client-ca ${listenClientCa}` : '';
    throw new PicketError(
      'InvalidConfig',
      `--listen-cert ${listenCert} and --listen-key ${listenKey}${also} cannot be used: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** @throws PicketError InvalidConfig that names the file: Envoy would only end again and again */
function requireKeySet({ jwtJwks }: UpOptions): void {
  if (!jwtJwks) return;
  try {
    const set = JSON.parse(readFileSync(jwtJwks, 'utf8')) as { keys?: unknown } | null;
    if (!Array.isArray(set?.keys)) throw new Error('no list of "keys"');
  } catch (error) {
    throw new PicketError('InvalidConfig', `--jwt-jwks ${jwtJwks} is no key set: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function natsAccess(url: string, { env }: Host): Parameters<typeof openNats>[0] {
  const { PICKET_NATS_USER: user, PICKET_NATS_PASSWORD: password } = env;
  return { url, user, password, name: 'picket-standalone' };
}

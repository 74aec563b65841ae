/** What `picket-analyzer` consists of, in the order it starts. */
import { once } from 'node:events';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { kindResources } from '@picket/crds/resources.ts';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import { openNats } from '@picket/runtime/bus/open-nats.ts';
import { createSteadyClock, systemClock } from '@picket/runtime/clock.ts';
import { formatListenAddress, type SettingValues } from '@picket/runtime/config.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import { startHealth } from '@picket/runtime/health.ts';
import type { Host } from '@picket/runtime/host.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { createLogger } from '@picket/runtime/log.ts';
import { createMetrics, reportLedger } from '@picket/runtime/metrics.ts';
import { connectApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { loadKubeConfig } from '@picket/runtime/objects/kubernetes/kube-config.ts';
import { openKubernetesStore } from '@picket/runtime/objects/kubernetes/kubernetes-store.ts';
import { tlsOf } from '@picket/runtime/process-settings.ts';
import type { analyzerSettings } from './config.ts';
import { analyzerChecks } from './service/checks.ts';
import { openDataFolder } from './service/data-folder.ts';
import { reportAnalyzer } from './service/metrics.ts';
import { type AnalyzerService, startService } from './service/service.ts';

/** Runs until `signal` aborts, or the analysis fails and only a start from a checkpoint can go on. */
export async function runAnalyzer(
  settings: SettingValues<typeof analyzerSettings>,
  host: Host,
  signal: AbortSignal,
): Promise<void> {
  const clock = createSteadyClock(systemClock);
  const random = (): number => host.random();
  const log = createLogger({
    level: settings.logLevel,
    format: settings.logFormat,
    clock,
    destination: { write: (line) => host.err(line) },
    component: 'analyzer',
  });
  const tls = tlsOf(settings, settings.alsListen, 'als-listen');
  const api = connectApiServer({ config: loadKubeConfig(settings), userAgent: 'picket-analyzer/0.1.0', random });
  await using closing = new AsyncDisposableStack();
  const objects = openKubernetesStore({
    api,
    resources: kindResources,
    namespaces: settings.namespaces,
    clock,
    log,
    random,
    reporter: { component: 'picket-analyzer', instance: hostname() },
  });
  closing.defer(() => objects.close());
  const ledger = createLedger();
  const metrics = createMetrics({ node: true });
  reportLedger(metrics, ledger);
  const late: { waitingFor?: string; busTrouble?: string; bus?: Bus; service?: AnalyzerService } = {};
  let serving = false;
  const reported = reportAnalyzer(metrics, clock, () => late.service?.view());
  const health = await startHealth({
    listen: settings.healthListen,
    unhealthy: () => late.service?.analyzer.stuck(),
    unready() {
      if (signal.aborted) return 'stopping';
      if (late.waitingFor) return `waiting for ${late.waitingFor}`;
      if (!late.service) return 'restoring what was known';
      if (serving) return undefined;
      const { entries } = late.service.view().history;
      return entries === 0
        ? 'history waits for the operator to name the first API'
        : `learning from history: ${entries} entries`;
    },
    checks: () =>
      analyzerChecks({
        busTrouble: late.bus ? late.bus.trouble() : late.busTrouble,
        view: late.service?.view(),
        lastTickAt: late.service?.analyzer.tick().at ?? 0,
        now: clock.now(),
      }),
    metrics: {
      contentType: metrics.contentType,
      async text() {
        await reported.beforeScrape();
        return metrics.text();
      },
    },
  });
  closing.defer(() => health.close());
  // A pod that was deleted by force may go on beside its successor, where its machine cannot be reached for longer.
  const data = await openDataFolder(settings.data, clock, log, {
    signal,
    onHeld(holder) {
      log.warn('waiting for the data folder', { path: settings.data, heldBy: holder });
      late.waitingFor = `the data folder, which is in use by ${holder}`;
    },
  });
  delete late.waitingFor;
  closing.defer(() => data.close());
  const bus = await openNats(
    { url: settings.natsUrl.href, user: settings.natsUser, password: settings.natsPassword, name: 'picket-analyzer' },
    log,
    {
      signal,
      onWaiting(reason) {
        late.busTrouble = reason;
        late.waitingFor = 'NATS';
      },
    },
  );
  delete late.waitingFor;
  late.bus = bus;
  closing.defer(() => bus.close());
  const service = await startService({
    data,
    store: { url: settings.storeUrl?.href, user: settings.storeUser, password: settings.storePassword ?? '' },
    objects,
    bus,
    ledger,
    metrics: reported.passing,
    clock,
    log,
    random,
    workers: settings.workers,
    fleet: settings.fleet,
    alsListen: formatListenAddress(settings.alsListen),
    tls,
    envoys: settings.envoyAdmin.map((url) => url.href.replace(/\/$/, '')),
    trustOriginalPath: false,
  });
  late.service = service;
  closing.defer(() => service.close());
  const known = settings.history.length === 0 || (await knowsApis(service, signal));
  if (!known)
    log.warn('history was not learned: no API to learn it for; the next start tries again', { waitedMs: apiWaitMs });
  await service.serve({ paths: known ? settings.history : [], cwd: host.cwd });
  serving = true;
  log.info('taking access logs', { als: service.alsPort(), health: health.port });
  const failure = await Promise.race([service.analyzer.failed, stopOf(signal)]);
  if (failure)
    throw new PicketError(
      'Internal',
      `the analysis failed and must start again from a checkpoint: ${failure.message}`,
      { cause: failure },
    );
  log.info('stopping', { reason: String(signal.reason) });
}

/**
 * An operator that starts at the same time takes seconds, or minutes where its image is still to come and the machine is
 * busy; one that never comes must not keep traffic from being judged. Less than the start-up probe of the chart allows.
 */
const apiWaitMs = 300_000;
/** The operator names all its APIs at once. */
const othersMs = 1_000;

/** Waits for the first API: requests of the past that belong to none would be lost. */
async function knowsApis({ analyzer }: AnalyzerService, signal: AbortSignal): Promise<boolean> {
  const until = performance.now() + apiWaitMs;
  while (analyzer.apis().length === 0) {
    if (signal.aborted || performance.now() > until) return false;
    await sleep(200);
    if (analyzer.apis().length > 0) await sleep(othersMs);
  }
  return true;
}

/** Resolves when the process shall stop. */
async function stopOf(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, 'abort');
}

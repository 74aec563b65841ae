/** What `picket-operator` consists of, in the order it starts. Every replica serves; the holder of the Lease writes. */
import { once } from 'node:events';
import { hostname } from 'node:os';
import { kindResources } from '@picket/crds/resources.ts';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import { openNats } from '@picket/runtime/bus/open-nats.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import type { SettingValues } from '@picket/runtime/config.ts';
import { startHealth } from '@picket/runtime/health.ts';
import type { Host } from '@picket/runtime/host.ts';
import { createLogger } from '@picket/runtime/log.ts';
import { createMetrics } from '@picket/runtime/metrics.ts';
import { connectApiServer } from '@picket/runtime/objects/kubernetes/api-server.ts';
import { loadKubeConfig } from '@picket/runtime/objects/kubernetes/kube-config.ts';
import { openKubernetesStore } from '@picket/runtime/objects/kubernetes/kubernetes-store.ts';
import { holdLease, type LeaseHolder } from '@picket/runtime/objects/kubernetes/lease.ts';
import { tlsOf } from '@picket/runtime/process-settings.ts';
import { operatorChecks } from './checks.ts';
import { type operatorSettings, providersOf } from './config.ts';
import { invalidityOf } from './controllers/invalidity.ts';
import { listedResources, providerResources, referencedResources } from './controllers/object-cache.ts';
import { reportOperator } from './metrics.ts';
import { type Operator, startOperator } from './operator.ts';

/** Runs until `signal` aborts. Who loses the Lease goes on serving, and waits to write. */
export async function runOperator(
  settings: SettingValues<typeof operatorSettings>,
  host: Host,
  signal: AbortSignal,
): Promise<void> {
  const clock = systemClock;
  const random = (): number => host.random();
  const log = createLogger({
    level: settings.logLevel,
    format: settings.logFormat,
    clock,
    destination: { write: (line) => host.err(line) },
    component: 'operator',
  });
  const identity = settings.identity ?? hostname();
  const tls = tlsOf(settings, settings.xdsListen, 'xds-listen');
  const api = connectApiServer({
    config: loadKubeConfig(settings),
    userAgent: `picket-operator/0.1.0 (${identity})`,
    random,
  });
  const running: { busTrouble?: string; bus?: Bus; operator?: Operator; lease?: LeaseHolder } = {};
  const mayWrite = (): boolean => running.lease?.isLeader() ?? false;
  const objects = openKubernetesStore({
    api,
    resources: Object.assign(
      { ...kindResources, ...referencedResources, ...listedResources },
      ...settings.providers.map((provider) => providerResources[provider]),
    ),
    namespaces: settings.namespaces,
    clock,
    log,
    random,
    mayWrite,
    reporter: { component: 'picket-operator', instance: identity },
  });
  await using closing = new AsyncDisposableStack();
  closing.defer(() => objects.close());
  const metrics = createMetrics({ node: true });
  const fleetMetrics = reportOperator(metrics, () => running.operator?.envoys());
  metrics.readFrom('picket_operator_leading', () => [{ labels: {}, value: running.lease?.isLeader() ? 1 : 0 }]);
  const health = await startHealth({
    listen: settings.healthListen,
    unhealthy: () => undefined,
    unready() {
      if (signal.aborted) return 'stopping';
      return running.operator ? undefined : `waiting for ${objects.unsynced().join(', ') || 'the bus'}`;
    },
    checks: () =>
      operatorChecks({
        busTrouble: running.bus ? running.bus.trouble() : running.busTrouble,
        unsynced: objects.unsynced(),
        storeTrouble: objects.trouble(),
        failing: running.operator?.failing() ?? { objects: 0, why: '' },
        envoys: running.operator?.envoys(),
      }),
    metrics,
  });
  closing.defer(() => health.close());
  const bus = await openNats(
    { url: settings.natsUrl.href, user: settings.natsUser, password: settings.natsPassword, name: 'picket-operator' },
    log,
    {
      signal,
      onWaiting(reason) {
        running.busTrouble = reason;
      },
    },
  );
  running.bus = bus;
  closing.defer(() => bus.close());
  const operator = await startOperator({
    objects,
    bus,
    clock,
    log,
    random,
    listen: settings.xdsListen,
    fleet: settings.fleet,
    replica: identity,
    metrics: fleetMetrics,
    ja4: settings.ja4,
    providers: providersOf(settings),
    // A certificate of another fleet gets none of this one's filters.
    ...(tls ? { tls: { ...tls, allowedNames: [settings.fleet] } } : {}),
    invalidity: invalidityOf,
    mayWrite,
  });
  running.operator = operator;
  closing.defer(() => operator.close());
  log.info('serving filters', { xds: operator.xdsPort, health: health.port, replica: identity });

  // Who is not ready to serve must not lead either.
  const lease = holdLease({
    api,
    namespace: settings.leaseNamespace,
    name: settings.leaseName,
    identity,
    clock,
    log,
    random,
    onLeading: () => operator.lead(),
  });
  running.lease = lease;
  closing.defer(() => lease.close());
  if (!signal.aborted) await once(signal, 'abort');
  log.info('stopping', { reason: String(signal.reason) });
}

/** How an operator and its neighbours are, for a doctor. Pure. */
import type { EnvoyAck } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import type { HealthCheck } from '@picket/runtime/health.ts';

export interface OperatorFacts {
  /** Why nothing passes on the bus; undefined = all is well, or it is not open yet. */
  busTrouble: string | undefined;
  /** Kinds whose objects have not been listed yet. */
  unsynced: readonly string[];
  /** Why changes of objects do not arrive; undefined = they do. */
  storeTrouble: string | undefined;
  /** Objects whose reconcile failed and is tried again, and the last failure. */
  failing: { objects: number; why: string };
  /** Undefined while nothing is served. */
  envoys: readonly EnvoyAck[] | undefined;
}

export function operatorChecks({ busTrouble, unsynced, storeTrouble, failing, envoys }: OperatorFacts): HealthCheck[] {
  return [
    busTrouble
      ? { name: 'NATS', result: 'failure', message: busTrouble }
      : { name: 'NATS', result: 'ok', message: 'connected' },
    unsynced.length > 0
      ? { name: 'API server', result: 'failure', message: `these kinds could not be listed: ${unsynced.join(', ')}` }
      : storeTrouble
        ? { name: 'API server', result: 'failure', message: storeTrouble }
        : { name: 'API server', result: 'ok', message: 'all kinds are followed' },
    failing.objects > 0
      ? {
          name: 'status',
          result: 'failure',
          message: `${failing.objects} objects could not be looked at or written, and are tried further: ${failing.why}`,
        }
      : { name: 'status', result: 'ok', message: 'written' },
    ...(envoys ? envoyChecks(envoys) : []),
  ];
}

function envoyChecks(envoys: readonly EnvoyAck[]): HealthCheck[] {
  const connected = envoys.filter((envoy) => envoy.connected);
  // What Envoy said may quote a match value, which is an identity: that stays in the operator's log.
  const refusing = connected.filter(({ error }) => error !== '').map(({ envoy }) => envoy);
  if (refusing.length > 0)
    return [
      { name: 'Envoys', result: 'failure', message: `${refusing.join(', ')} refused a filter; the log says why` },
    ];
  if (connected.length === 0)
    return [{ name: 'Envoys', result: 'warning', message: 'none is connected, so nothing can be enforced' }];
  return [{ name: 'Envoys', result: 'ok', message: `${connected.length} connected, all filters acknowledged` }];
}

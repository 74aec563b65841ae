/**
 * Leader election by a Lease: whoever holds it writes, the others wait. A holder that cannot renew stops being leader
 * before anybody else may begin, so that two never write at once, and waits like the others; one that leaves gives the
 * lease back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { PicketError, toPicketError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { ApiServer } from './api-server.ts';

export interface LeaseOptions {
  api: ApiServer;
  namespace: string;
  name: string;
  /** Of this replica, unique. */
  identity: string;
  clock: Clock;
  log: Logger;
  /** 0 ≤ x < 1; spreads attempts. */
  random(): number;
  /** The lease was won, for the first time or again. */
  onLeading(): void;
}

export interface LeaseHolder {
  isLeader(): boolean;
  /** Gives the lease back when it is held. */
  close(): Promise<void>;
}

interface Lease {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; resourceVersion?: string };
  spec: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

/** A leader that vanished is replaced after this plus one attempt: within 12 s. */
const leaseMs = 10_000;
/** A holder that has not renewed for so long stops, with room for a write that is under way. */
const renewWithinMs = 6_000;
const attemptMs = 1_500;

export function holdLease(options: LeaseOptions): LeaseHolder {
  const { api, clock, identity, log } = options;
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
  const path = `${collection}/${options.name}`;
  const stopping = new AbortController();
  let leading = false;
  /** By the monotonic clock: when the last renewal that succeeded was begun. */
  let renewedAt = 0;
  /** What was last seen of another's lease, and since when by our clock: clocks of others are not believed. */
  let seen = { version: '', at: 0 };
  const work = run();
  const watchdog = setInterval(() => {
    if (leading && clock.elapsed() - renewedAt > renewWithinMs) lose('not renewed in time');
  }, 250);

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await attempt();
      } catch (thrown) {
        const error = toPicketError(thrown, 'lease');
        // Another was faster, or nothing can be reached: both are looked at again.
        if (error.code === 'Conflict') lose('taken by another');
        else if (!stopping.signal.aborted) log.warn('lease not renewed', { error });
      }
      const pauseMs = attemptMs * (0.8 + options.random() * 0.4);
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  async function attempt(): Promise<void> {
    const startedAt = clock.elapsed();
    // Old answers are worth nothing here, and a later attempt is better than a late one.
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(renewWithinMs / 2)]);
    const lease = await read(signal);
    if (!lease) {
      await api.request('POST', collection, { signal, body: leaseOf(undefined) });
      return won(startedAt);
    }
    const holder = lease.spec.holderIdentity ?? '';
    if (holder !== '' && holder !== identity) {
      lose('held by another');
      const version = lease.metadata.resourceVersion ?? '';
      if (version !== seen.version) seen = { version, at: clock.elapsed() };
      const validMs = (lease.spec.leaseDurationSeconds ?? leaseMs / 1000) * 1000;
      if (clock.elapsed() - seen.at < validMs) return;
      log.info('taking over the lease', { from: holder });
    }
    await api.request('PUT', path, { signal, body: leaseOf(lease) });
    won(startedAt);
  }

  async function read(signal: AbortSignal): Promise<Lease | undefined> {
    try {
      return await api.request<Lease>('GET', path, { signal });
    } catch (error) {
      if (error instanceof PicketError && error.code === 'NotFound') return undefined;
      throw error;
    }
  }

  /** The version that was read goes along: the server refuses it when another has written meanwhile. */
  function leaseOf(before: Lease | undefined): Lease {
    const now = microTime(clock.now());
    const mine = before?.spec.holderIdentity === identity;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: options.name,
        namespace: options.namespace,
        ...(before?.metadata.resourceVersion ? { resourceVersion: before.metadata.resourceVersion } : {}),
      },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: leaseMs / 1000,
        acquireTime: (mine ? before?.spec.acquireTime : undefined) ?? now,
        renewTime: now,
        leaseTransitions: (before?.spec.leaseTransitions ?? 0) + (before && !mine ? 1 : 0),
      },
    };
  }

  function won(startedAt: number): void {
    renewedAt = startedAt;
    if (leading || stopping.signal.aborted) return;
    leading = true;
    log.info('leading', { lease: options.name, identity });
    options.onLeading();
  }

  function lose(reason: string): void {
    if (!leading) return;
    leading = false;
    log.warn('no longer leading', { lease: options.name, reason });
  }

  return {
    isLeader: () => leading,
    async close() {
      stopping.abort();
      clearInterval(watchdog);
      await work;
      if (!leading) return;
      leading = false;
      try {
        const signal = AbortSignal.timeout(renewWithinMs / 2);
        const lease = await read(signal);
        if (lease?.spec.holderIdentity !== identity) return;
        await api.request('PUT', path, { signal, body: { ...lease, spec: { ...lease.spec, holderIdentity: '' } } });
      } catch (error) {
        log.warn('lease not given back; it runs out by itself', { error });
      }
    },
  };
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

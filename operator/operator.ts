import type { CompiledPolicy, Reputation } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { EnvoyAck } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { shapeHeaders } from '@picket/proto/access-log.ts';
import { Bucket, policyKey } from '@picket/proto/subjects.ts';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { ObjectKey, ObjectStore, StoredObject } from '@picket/runtime/objects/object-store.ts';
import * as behaviorPolicy from './controllers/behavior-policy/controller.ts';
import { reportInvalid } from './controllers/invalidity.ts';
import { type ObjectCache, ownKinds, watchObjects } from './controllers/object-cache.ts';
import * as policyExemption from './controllers/policy-exemption/controller.ts';
import * as protectedApi from './controllers/protected-api/controller.ts';
import { createDependents, type Dependents } from './controllers/dependents.ts';
import { createPolicies } from './controllers/policies.ts';
import { createWorkQueue, type WorkQueue } from './controllers/queue.ts';
import * as reputationFeed from './controllers/reputation-feed/controller.ts';
import type { LoadedFeed } from './controllers/reputation-feed/decide.ts';
import * as riskVerdict from './controllers/risk-verdict/controller.ts';
import { objectSink, policySink, statusSink } from './controllers/sinks.ts';
import * as trafficSensor from './controllers/traffic-sensor/controller.ts';
import type { ProviderSettings } from './controllers/traffic-sensor/providers/provider.ts';
import type { ServerTls } from './envoy/ecds/credentials.ts';
import type { LayerLimits } from './envoy/ecds/layers.ts';
import type { Report } from './envoy/providers/wiring.ts';
import { loggedHeaders } from './envoy/render/access-log.ts';
import { renderMatchedFlowFilter } from './envoy/render/flow-facts.ts';
import { type DecisionStanding, type Fleet, type FleetMetrics, type Programmed, startFleet } from './envoy/fleet.ts';

export interface OperatorOptions {
  objects: ObjectStore;
  bus: Bus;
  clock: Clock;
  log: Logger;
  /** 0 ≤ x < 1; spreads retries. */
  random(): number;
  /** Where Envoys fetch filters; beyond loopback only with `tls`. */
  listen: { host: string; port: number };
  tls?: ServerTls;
  /** Envoys whose node names this cluster. */
  fleet: string;
  /** Lifetime of pushed filters in Envoy without the operator, milliseconds; 5 to 15 minutes, 10 unless told. */
  ttlMs?: number;
  /** Whether the fleet's listeners compute JA4 fingerprints. */
  ja4?: boolean;
  limits?: LayerLimits;
  metrics?: FleetMetrics;
  /** Name of this replica among those that serve the fleet; "" = it is alone. */
  replica?: string;
  /** Control planes that are given objects for their Envoys; none unless told. */
  providers?: ProviderSettings | undefined;
  /** Why an object is not one that this version understands; left out where whoever stores objects has checked it. */
  invalidity?(object: StoredObject): string | undefined;
  /** Whether this replica may write now: all of them compile and serve, one writes. Always, unless told. */
  mayWrite?(): boolean;
}

/** Reconciles objects, compiles policies, serves filters. */
export interface Operator {
  /** Port of the filter server. */
  readonly xdsPort: number;
  /** Policies in force, by "<namespace>/<name>" of their API. */
  policies(): ReadonlyMap<string, CompiledPolicy>;
  /** Where a decision stands, by what Envoys acknowledged. */
  programmed(decisionId: string): Programmed;
  envoys(): EnvoyAck[];
  /** Objects whose reconcile failed and is tried again, and why the last one did. */
  failing(): { objects: number; why: string };
  /** Resolves when every present object was reconciled once and nothing waits. */
  settled(): Promise<void>;
  /** This replica writes from now on: looks at everything again, for the one before may have left off anywhere. */
  lead(): void;
  close(): Promise<void>;
}

const defaultTtlMs = 600_000;
/** Lists first: what APIs compile refers to them. */
const allKinds = ['ReputationFeed', ...ownKinds] as const;
/** What Envoys acknowledge reaches status within this time. */
const statusDelayMs = 100;
/** With very many decisions in force, or APIs, what has to look at all of them follows after so many times what it takes. */
const gatheringShare = 10;
/** A new policy reaches Envoys after this at most, whatever else changes. */
const maxProgramPauseMs = 2_000;

/** Starts the operator; resolves when the present objects were reconciled and Envoys are served. */
export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const { objects: store, clock, log } = options;
  const stopping = new AbortController();
  const policyBucket = await options.bus.bucket(Bucket.policy);
  const feeds = new Map<string, LoadedFeed>();
  // Objects call back before the cache and the queue are there.
  const late: { cache?: ObjectCache; queue?: WorkQueue; dependents?: Dependents } = {};
  let started = false;
  let statusTimer: NodeJS.Timeout | undefined;
  let programTimer: NodeJS.Timeout | undefined;
  /** Not before, by elapsed time. */
  let programAt = 0;
  let standings: Standings | undefined;
  let gatheringMs = 0;
  /** Envoys that there should be, by the sensors of the fleet, which are named like it: one for each namespace. */
  const expectedEnvoys = new Map<string, number>();
  let connectedBefore = 0;
  let lastFailure = '';

  const fleet: Fleet = await startFleet({
    fleet: options.fleet,
    replica: options.replica ?? '',
    bus: options.bus,
    clock,
    log,
    listen: options.listen,
    ...(options.tls ? { tls: options.tls } : {}),
    ...(options.limits ? { limits: options.limits } : {}),
    ...(options.metrics ? { metrics: options.metrics } : {}),
    ttlMs: options.ttlMs ?? defaultTtlMs,
    ja4: options.ja4 ?? false,
    expectedEnvoys: expected,
    onChange: refreshStatusSoon,
  });

  /** Envoys said something: the statuses that speak of them are looked at again. */
  function refreshStatusSoon(): void {
    standings = undefined;
    if (!started || statusTimer) return;
    statusTimer = setTimeout(
      () => {
        statusTimer = undefined;
        for (const kind of ['ProtectedAPI', 'BehaviorPolicy', 'RiskVerdict'] as const) refreshAll(kind);
        // Sensors count pods, which costs a request; they speak of nothing but who is connected.
        if (fleet.connectedEnvoys() === connectedBefore) return;
        connectedBefore = fleet.connectedEnvoys();
        refreshAll('TrafficSensor');
      },
      Math.max(statusDelayMs, gatheringMs * gatheringShare),
    );
    statusTimer.unref();
  }

  /** What Envoys said of each decision, gathered once per change and not once per object. */
  function standing(): Standings {
    if (standings) return standings;
    const started = clock.elapsed();
    standings = groupStandings(fleet.decisions());
    gatheringMs = clock.elapsed() - started;
    return standings;
  }

  function refreshAll(kind: (typeof ownKinds)[number]): void {
    for (const { metadata } of late.cache?.list(kind) ?? []) late.queue?.refresh(keyText({ kind, ...metadata }));
  }

  function addAll(kind: (typeof ownKinds)[number]): void {
    for (const { metadata } of late.cache?.list(kind) ?? []) late.queue?.add(keyText({ kind, ...metadata }));
  }

  /** An object changed: it and all that depend on it are looked at again. */
  function onObjectChange(key: ObjectKey): void {
    for (const again of late.dependents?.of(key) ?? []) late.queue?.add(keyText(again));
  }

  function program(api: string, policy: CompiledPolicy | undefined): void {
    if (!policies.set(api, policy) || !started) return;
    // Several APIs that change together make one push.
    programTimer ??= setTimeout(
      () => {
        programTimer = undefined;
        const startedAt = clock.elapsed();
        fleet.setPolicies([...policies.inForce().values()]);
        const endedAt = clock.elapsed();
        programAt = endedAt + Math.min(maxProgramPauseMs, (endedAt - startedAt) * gatheringShare);
        refreshStatusSoon();
      },
      Math.max(0, programAt - clock.elapsed()),
    );
  }

  const mayWrite = options.mayWrite ?? (() => true);
  const policies = createPolicies(policyBucket, mayWrite);
  const sinks = {
    objects: statusSink(store, mayWrite),
    policies: policySink(policyBucket, mayWrite),
    providerObjects: objectSink(store, mayWrite),
    program,
  };

  async function reconcile(objects: ObjectCache, dependents: Dependents, text: string): Promise<void> {
    const { kind, ...key } = parseKey(text);
    const now = clock.now();
    const strange = objects.notUnderstood({ kind, ...key });
    if (strange) return reportInvalid(sinks, strange.object, strange.message, now);
    switch (kind) {
      case 'ProtectedAPI':
        return protectedApi.reconcile(
          {
            objects,
            claims: dependents.claims,
            previous: (api) => policies.stored(api),
            fleet: options.fleet,
            reputation: (namespace) => reputationOf(feeds, namespace),
            programming: (api) => fleet.policyProgramming(api),
            enforcement: (api) => enforcementOf(standing().byApi.get(api) ?? [], totalEnvoys()),
          },
          sinks,
          key,
          now,
        );
      case 'BehaviorPolicy':
        return behaviorPolicy.reconcile(
          {
            objects,
            decisionsOf: (policy) => standing().byPolicy.get(policy) ?? [],
            envoys: totalEnvoys,
          },
          sinks,
          key,
          now,
        );
      case 'RiskVerdict':
        return riskVerdict.reconcile(
          {
            objects,
            decisionOf: (api, verdict) => fleet.decisionOf(api, verdict),
          },
          sinks,
          key,
          now,
        );
      case 'PolicyExemption': {
        const againAt = await policyExemption.reconcile(objects, sinks, key, now);
        if (againAt !== undefined) late.queue?.addAfter(text, againAt - now);
        return;
      }
      case 'ReputationFeed': {
        const name = `${key.namespace}/${key.name}`;
        const before = feeds.get(name);
        const { loaded, againAt } = await reputationFeed.reconcile(objects, before, sinks, key, now);
        if (loaded) feeds.set(name, loaded);
        else feeds.delete(name);
        if (againAt !== undefined) late.queue?.addAfter(text, againAt - now);
        if (before?.reputation.digest !== loaded?.reputation.digest)
          for (const api of objects.list('ProtectedAPI'))
            if (api.metadata.namespace === key.namespace)
              late.queue?.add(keyText({ kind: 'ProtectedAPI', ...api.metadata }));
        return;
      }
      case 'TrafficSensor': {
        // Its Envoys log what the policies in force ask for, so these come first.
        if (!started) return;
        const sources = {
          ...{ objects, store, fleet: options.fleet, providers: options.providers },
          connectedEnvoys: () => fleet.connectedEnvoys(),
          report: () => reportFor([...policies.inForce().values()], options.ja4 ?? false),
        };
        const plan = await trafficSensor.reconcile(sources, sinks, key, now);
        if (plan?.againAt !== undefined) late.queue?.addAfter(text, plan.againAt - now);
        const before = expected();
        if (plan?.expectedEnvoys === undefined) expectedEnvoys.delete(text);
        else expectedEnvoys.set(text, plan.expectedEnvoys);
        if (expected() !== before) refreshStatusSoon();
        return;
      }
      default:
        return;
    }
  }

  /** 0 = no sensor counts. */
  function expected(): number {
    return [...expectedEnvoys.values()].reduce((sum, envoys) => sum + envoys, 0);
  }

  function totalEnvoys(): number {
    return Math.max(fleet.connectedEnvoys(), expected());
  }

  const objects = await watchObjects(store, stopping.signal, onObjectChange, options.invalidity);
  const dependents = createDependents(objects);
  late.cache = objects;
  late.dependents = dependents;
  late.queue = createWorkQueue({
    process: (key) => reconcile(objects, dependents, key),
    onFailure(key, error, retryMs) {
      lastFailure = error instanceof Error ? error.message : String(error);
      log.warn('reconcile failed', { key, error: lastFailure, retryMs });
    },
    random: options.random,
    elapsed: () => clock.elapsed(),
  });
  for (const kind of allKinds) addAll(kind);
  await late.queue.idle();
  if (mayWrite()) await removeForgotten();
  started = true;
  fleet.setPolicies([...policies.inForce().values()]);
  addAll('TrafficSensor');
  refreshStatusSoon();

  /** Policies of objects that vanished while the operator was down. */
  async function removeForgotten(): Promise<void> {
    const known = new Set(
      objects
        .list('ProtectedAPI')
        .map(({ metadata }) => policyKey({ namespace: metadata.namespace, api: metadata.name })),
    );
    const gone: string[] = [];
    let synced: () => void = () => {};
    const allSeen = new Promise<void>((resolve) => {
      synced = resolve;
    });
    const subscription = await policyBucket.watch({
      onEntry: (key, value) => {
        if (value && !known.has(key)) gone.push(key);
      },
      onSynced: () => synced(),
    });
    await allSeen;
    await subscription.stop();
    for (const key of gone) await policyBucket.delete(key);
  }

  return {
    xdsPort: fleet.port,
    policies: () => policies.inForce(),
    programmed: (id) => fleet.programmed(id),
    envoys: () => fleet.envoys(),
    failing: () => ({ objects: late.queue?.failing() ?? 0, why: lastFailure }),
    settled: () => late.queue?.idle() ?? Promise.resolve(),
    lead() {
      policies.doubt();
      // What people change meanwhile goes first: there may be thousands.
      for (const kind of allKinds) refreshAll(kind);
      removeForgotten().catch((error: unknown) => log.warn('old policies not removed', { error }));
    },
    async close() {
      stopping.abort();
      clearTimeout(statusTimer);
      clearTimeout(programTimer);
      await late.queue?.close();
      await fleet.close();
    },
  };
}

function reputationOf(feeds: ReadonlyMap<string, LoadedFeed>, namespace: string): Reputation[] {
  return [...feeds]
    .filter(([name]) => name.startsWith(`${namespace}/`))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, feed]) => feed.reputation);
}

interface Standings {
  byApi: Map<string, DecisionStanding[]>;
  byPolicy: Map<string, DecisionStanding[]>;
}

function groupStandings(decisions: DecisionStanding[]): Standings {
  return {
    byApi: Map.groupBy(decisions, (decision) => decision.api),
    byPolicy: Map.groupBy(decisions, (decision) => decision.policy),
  };
}

function enforcementOf(decisions: readonly DecisionStanding[], totalEnvoys: number) {
  return {
    active: decisions.filter((decision) => decision.programmedEnvoys > 0).length,
    programmedEnvoys: decisions.reduce((least, { programmedEnvoys }) => Math.min(least, programmedEnvoys), totalEnvoys),
    totalEnvoys,
  };
}

/** In an order that does not depend on the order in which policies came: a change is a change of Envoys' listeners. */
function reportFor(policies: readonly CompiledPolicy[], ja4: boolean): Report {
  const { request, response } = loggedHeaders(policies, shapeHeaders);
  return {
    headers: { request: request.sort(), response: response.sort() },
    flowFilter: renderMatchedFlowFilter(policies),
    ja4,
  };
}

function keyText({ kind, namespace, name }: ObjectKey): string {
  return `${kind}/${namespace}/${name}`;
}

function parseKey(text: string): ObjectKey {
  const [kind = '', namespace = '', name = ''] = text.split('/');
  return { kind, namespace, name };
}

import type { Decision, EnvoyAck } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { ServerTls } from './ecds/credentials.ts';
import { type DecisionSet, watchDecisions } from './ecds/decision-set.ts';
import { createEnvoyAcks, type EnvoyAcks } from './ecds/envoy-acks.ts';
import { defaultLimits, type LayerChanges, type LayerLimits, pushGapMs } from './ecds/layers.ts';
import { createPlacement, type PlacementChanges } from './ecds/placement.ts';
import { createPublisher, type Publisher } from './ecds/publisher.ts';
import { describeRefusal } from './ecds/refusal.ts';
import { type EcdsServer, startEcdsServer } from './ecds/server.ts';
import { renderLayer } from './render/decisions.ts';
import { renderIdentify } from './render/identify.ts';
import { type LayerName, layerNames } from '@picket/proto/enforcement-metadata.ts';
import { type ResourceName, resourceNames } from './render/names.ts';

/** Counters and gauges of the filter server; label values are closed. */
export interface FleetMetrics {
  pushed(resource: ResourceName): void;
  accepted(resource: ResourceName): void;
  refused(resource: ResourceName): void;
  /** Decisions in a layer after a push. */
  held(layer: LayerName, decisions: number): void;
  malformedDecision(): void;
}

export interface FleetOptions {
  fleet: string;
  /** Name of this replica among those that serve the fleet; "" = it is alone. */
  replica: string;
  bus: Bus;
  clock: Clock;
  log: Logger;
  /** Envoys that there should be; left out, those that are connected. */
  expectedEnvoys?(): number;
  metrics?: FleetMetrics;
  listen: { host: string; port: number };
  tls?: ServerTls;
  /** Lifetime of pushed filters in Envoy without the operator, milliseconds: 5 to 15 minutes outside tests. */
  ttlMs: number;
  refusalGraceMs?: number;
  /** How long an Envoy may owe an answer; 30 s unless told. */
  answerPatienceMs?: number;
  limits?: LayerLimits;
  /** Whether the fleet's listeners compute JA4 fingerprints. */
  ja4: boolean;
  /** What Envoys hold, refuse or cannot be told changed. */
  onChange(): void;
}

/** Where a decision stands in the fleet, by what its Envoys acknowledged. */
export interface Programmed {
  programmedEnvoys: number;
  totalEnvoys: number;
  /** When every connected Envoy held it for the first time, Unix milliseconds. */
  programmedAtMs: number | undefined;
  /** Why it is not, or not everywhere. */
  problem: { reason: ProgrammingProblem; message: string } | undefined;
}

export type ProgrammingProblem =
  | 'NotInForce'
  | 'Observe'
  | 'UnknownApi'
  | 'UnsupportedAction'
  | 'BadMatch'
  | 'Capacity'
  | 'RefusedByEnvoy'
  | 'NoEnvoys'
  | 'Pending';

/** A decision in force and where it stands; without match values. */
export interface DecisionStanding extends Programmed {
  id: string;
  /** "<namespace>/<name>" */
  api: string;
  verdict: string;
  policy: string;
}

/** How far the fleet's Envoys have the identity rules of an API. */
export interface PolicyProgramming {
  /** Revision of the policy whose rules every Envoy acknowledged; "" while none did. */
  revision: string;
  programmedEnvoys: number;
  totalEnvoys: number;
  problem: { reason: ProgrammingProblem; message: string } | undefined;
}

/** Enforcement for the Envoys of one fleet. */
export interface Fleet {
  readonly port: number;
  /** Identity rules and places of the APIs; decisions on other APIs are not programmed. */
  setPolicies(policies: readonly CompiledPolicy[]): void;
  programmed(decision: string): Programmed;
  decisions(): DecisionStanding[];
  /** The decision in force that follows from a verdict of an API, "<namespace>/<name>". */
  decisionOf(api: string, verdict: string): DecisionStanding | undefined;
  policyProgramming(api: string): PolicyProgramming;
  envoys(): EnvoyAck[];
  /** How many are connected. */
  connectedEnvoys(): number;
  close(): Promise<void>;
}

const nothing: ReadonlySet<string> = new Set();
const mergeEveryMs = 60_000;
const defaultRefusalGraceMs = 30_000;
/** What a timer can count up to. */
const maxTimerMs = 2 ** 31 - 1;
/** Above what building a full resource takes on a busy machine. */
const defaultAnswerPatienceMs = 30_000;

/** Starts serving: the port is open at once, answers begin when the decisions were loaded and policies set. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { clock, log, metrics } = options;
  const placement = createPlacement({ limits: options.limits ?? defaultLimits, ja4: options.ja4 });
  const { layers } = placement;
  let policies: readonly CompiledPolicy[] | undefined;
  let apis = new Map<string, CompiledPolicy>();
  /** Of policies, by API. */
  let revisions: ReadonlyMap<string, string> = new Map();
  const programmedAt = new Map<string, number>();
  /** Decisions with a place that not every Envoy has held yet. */
  const awaited = new Set<string>();
  let ending: NodeJS.Timeout | undefined;
  // Both call back before they are there to be asked.
  const late: { server?: EcdsServer; decisions?: DecisionSet } = {};

  const acks: EnvoyAcks = await createEnvoyAcks({
    bus: options.bus,
    fleet: options.fleet,
    replica: options.replica,
    clock,
    fadeMs: options.ttlMs,
    expected: () => options.expectedEnvoys?.() ?? 0,
    onChange: () => options.onChange(),
    onWriteFailed: () => log.warn('acknowledgement not written or not read', { bucket: 'picket_acks' }),
  });
  const publishers = new Map<ResourceName, Publisher>();
  for (const name of resourceNames) {
    publishers.set(
      name,
      createPublisher({
        clock,
        wanted: () => (isLayer(name) ? layers.in(name) : nothing),
        render: (ids) => render(name, ids),
        publish() {
          metrics?.pushed(name);
          late.server?.push(name);
        },
        allAnswered: () => late.server?.allAnswered(name) ?? true,
        changed: () => options.onChange(),
      }),
    );
  }

  function render(name: ResourceName, ids: ReadonlySet<string>) {
    if (name === 'picket.identify') return renderIdentify(policies ?? [], { ja4: options.ja4 });
    const inForce = late.decisions?.inForce();
    const decisions = [...ids].map((id) => inForce?.get(id)).filter((d) => d !== undefined);
    metrics?.held(name, decisions.length);
    return renderLayer(name, decisions, apis, clock.now());
  }

  /** Decisions or policies changed: pushes the layers that changed with them. */
  function follow({ layers, entered, left }: PlacementChanges): void {
    for (const id of [...entered, ...left]) programmedAt.delete(id);
    for (const id of entered) awaited.add(id);
    for (const id of left) awaited.delete(id);
    pushLayers(layers);
    options.onChange();
  }

  /**
   * An exemption that ends leaves its layers then: one without other pushes would keep it for as long as it stands.
   *
   * @param now before the layers were rendered: a timer may be early, and what ends while they are is to be seen again
   */
  function watchExemptionEnds(now: number): void {
    clearTimeout(ending);
    const ends = [...apis.values()].flatMap(({ exemptions }) => exemptions.map((e) => Number(e.expiresAtMs)));
    const next = Math.min(...ends.filter((end) => end > now));
    if (next === Number.POSITIVE_INFINITY) return;
    ending = setTimeout(
      () => {
        const at = clock.now();
        for (const layer of layerNames) publishers.get(layer)?.refresh();
        watchExemptionEnds(at);
      },
      Math.min(next - now, maxTimerMs),
    );
    ending.unref();
  }

  function pushLayers(changes: LayerChanges): void {
    for (const [layer, why] of changes) publishers.get(layer)?.want(pushGapMs(layer, why, layers.in(layer).size));
  }

  function noteProgrammed(): void {
    const { total, holdersOf } = acks.holding();
    if (total === 0) return;
    for (const id of awaited) {
      if (holdersOf(id) < total) continue;
      programmedAt.set(id, clock.now());
      awaited.delete(id);
    }
  }

  late.server = await startEcdsServer({
    host: options.listen.host,
    port: options.listen.port,
    ...(options.tls ? { tls: options.tls } : {}),
    fleet: options.fleet,
    ttlMs: options.ttlMs,
    refusalGraceMs: options.refusalGraceMs ?? defaultRefusalGraceMs,
    answerPatienceMs: options.answerPatienceMs ?? defaultAnswerPatienceMs,
    known: (name) => resourceNames.some((known) => known === name),
    current: (name) => publishers.get(name as ResourceName)?.current(),
    elapsed: () => clock.elapsed(),
    onConnected(envoy) {
      log.info('envoy connected', { envoy, fleet: options.fleet });
      acks.connected(envoy);
    },
    onDisconnected(envoy) {
      log.info('envoy disconnected', { envoy, fleet: options.fleet });
      acks.disconnected(envoy);
    },
    onAccepted(envoy, resource, hash) {
      const name = resource as ResourceName;
      metrics?.accepted(name);
      acks.acceptedContent(envoy, name, hash);
      const publisher = publishers.get(name);
      const ids = publisher?.decisionsIn(hash);
      if (isLayer(name) && ids) {
        acks.accepted(envoy, name, ids);
        noteProgrammed();
        pushLayers(layers.settled(name, acks.heldByAll(name)));
      } else acks.cleared(envoy, name);
      publisher?.accepted(hash);
    },
    onRefused(envoy, resource, hash, message) {
      const name = resource as ResourceName;
      metrics?.refused(name);
      const words = describeRefusal(message, late.decisions?.inForce().values() ?? []);
      log.warn('envoy refused a filter', { envoy, resource, error: words });
      acks.refused(envoy, name, words);
      publishers.get(name)?.refused(hash, words);
    },
    onNewerElsewhere: (resource, revision) => publishers.get(resource as ResourceName)?.outdated(revision),
    onForeign: (envoy, reason) => log.warn('envoy turned away', { envoy, reason }),
    onDropped: (envoy, reason) => log.warn('stream to an envoy ended: it connects again', { envoy, reason }),
  });

  late.decisions = await watchDecisions({
    bus: options.bus,
    fleet: options.fleet,
    clock,
    onChange(ids) {
      // Before there are policies nothing has a place; then everything is looked at.
      if (policies && late.decisions) follow(placement.change(ids, late.decisions.inForce()));
    },
    onMalformed(key, reason) {
      metrics?.malformedDecision();
      log.error('decision dropped', { key, reason });
    },
  });
  const merge = setInterval(() => pushLayers(layers.mergeCold()), mergeEveryMs);
  merge.unref();

  return {
    port: late.server.port,
    setPolicies(next) {
      const first = policies === undefined;
      const at = clock.now();
      policies = next;
      apis = new Map(next.map((policy) => [policy.apiUid, policy]));
      revisions = new Map(next.map((policy) => [policy.api, policy.revision]));
      follow(placement.setApis(apis, late.decisions?.inForce() ?? new Map()));
      if (first) for (const layer of layerNames) publishers.get(layer)?.want(0);
      else for (const layer of layerNames) publishers.get(layer)?.refresh();
      publishers.get('picket.identify')?.want(0);
      watchExemptionEnds(at);
    },
    programmed: (id) => {
      const decision = late.decisions?.inForce().get(id);
      if (decision) return createStanding()(decision);
      const problem = { reason: 'NotInForce' as const, message: 'no such decision is in force' };
      return { programmedEnvoys: 0, totalEnvoys: acks.connectedEnvoys(), programmedAtMs: undefined, problem };
    },
    decisions() {
      const standing = createStanding();
      return Array.from(late.decisions?.inForce().values() ?? [], standing);
    },
    decisionOf(api, verdict) {
      const decision = late.decisions?.ofVerdict(api, verdict);
      return decision && createStanding()(decision);
    },
    policyProgramming(api) {
      const current = publishers.get('picket.identify')?.current();
      const { programmed, total, error } = acks.contentHolders('picket.identify', current?.hash ?? '');
      const complete = total > 0 && programmed === total;
      const problem: PolicyProgramming['problem'] = error
        ? { reason: 'RefusedByEnvoy', message: error }
        : total === 0
          ? { reason: 'NoEnvoys', message: `no Envoy of fleet ${options.fleet} is connected` }
          : complete
            ? undefined
            : { reason: 'Pending', message: `${programmed} of ${total} Envoys acknowledged the identity rules` };
      return {
        revision: complete ? (revisions.get(api) ?? '') : '',
        programmedEnvoys: programmed,
        totalEnvoys: total,
        problem,
      };
    },
    envoys: () => acks.snapshot(),
    connectedEnvoys: () => acks.connectedEnvoys(),
    async close() {
      clearInterval(merge);
      clearTimeout(ending);
      await late.decisions?.close();
      for (const publisher of publishers.values()) publisher.close();
      await late.server?.close();
      await acks.close();
    },
  };

  /** What is true of all decisions is asked once: there may be a hundred thousand. */
  function createStanding(): (decision: Decision) => DecisionStanding {
    const { total, holdersOf } = acks.holding();
    const refusals = [...publishers.values()]
      .map((publisher) => publisher.refusedDecisions())
      .filter((m) => m.size > 0);
    const nowhere = { reason: 'NoEnvoys', message: `no Envoy of fleet ${options.fleet} is connected` } as const;
    function problemOf(id: string, holders: number): Programmed['problem'] {
      const unplaced = placement.problemOf(id);
      if (unplaced) return unplaced;
      for (const refused of refusals) {
        const message = refused.get(id);
        if (message !== undefined) return { reason: 'RefusedByEnvoy', message };
      }
      if (total === 0) return nowhere;
      if (holders === total) return undefined;
      return { reason: 'Pending', message: `${holders} of ${total} Envoys acknowledged the decision` };
    }
    return ({ id, api, verdict, policy }) => {
      const holders = holdersOf(id);
      return {
        id,
        api,
        verdict,
        policy,
        programmedEnvoys: holders,
        totalEnvoys: total,
        programmedAtMs: programmedAt.get(id),
        problem: problemOf(id, holders),
      };
    };
  }
}

function isLayer(name: ResourceName): name is LayerName {
  return layerNames.some((layer) => layer === name);
}

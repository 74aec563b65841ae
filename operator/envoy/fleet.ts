import { create, equals } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema, type EnvoyAck } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { ServerTls } from './ecds/credentials.ts';
import { type DecisionSet, watchDecisions } from './ecds/decision-set.ts';
import { createEnvoyAcks, type EnvoyAcks } from './ecds/envoy-acks.ts';
import { admit, createLayers, defaultLimits, type LayerLimits, pushGapMs } from './ecds/layers.ts';
import { createPublisher, type Publisher } from './ecds/publisher.ts';
import { describeRefusal } from './ecds/refusal.ts';
import { type EcdsServer, startEcdsServer } from './ecds/server.ts';
import { renderLayer, whyUnprogrammable } from './render/decisions.ts';
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
  policyProgramming(api: string): PolicyProgramming;
  envoys(): EnvoyAck[];
  close(): Promise<void>;
}

const mergeEveryMs = 60_000;
/** The next planning starts after so many times what the last one took. */
const planningShare = 4;
const defaultRefusalGraceMs = 30_000;
/** What a timer can count up to. */
const maxTimerMs = 2 ** 31 - 1;
/** Above what building a full resource takes on a busy machine. */
const defaultAnswerPatienceMs = 30_000;

/** Starts serving: the port is open at once, answers begin when the decisions were loaded and policies set. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { clock, log, metrics } = options;
  const limits = options.limits ?? defaultLimits;
  const layers = createLayers(limits);
  let policies: readonly CompiledPolicy[] | undefined;
  let apis = new Map<string, CompiledPolicy>();
  const planned: { at: number; tookMs: number; timer: NodeJS.Timeout | undefined } = {
    at: Number.NEGATIVE_INFINITY,
    tookMs: 0,
    timer: undefined,
  };
  const problems = new Map<string, Programmed['problem']>();
  const programmedAt = new Map<string, number>();
  const placed = new Map<string, Decision>();
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

  /** Planning takes a share of the time and no more: with a hundred thousand decisions those of a moment are one change. */
  function replanSoon(): void {
    const waitMs = planned.at + planned.tookMs * planningShare - clock.elapsed();
    if (waitMs <= 0) replan();
    else planned.timer ??= setTimeout(replan, waitMs).unref();
  }

  /** Decisions or policies changed: places every decision and pushes the layers that changed. */
  function replan(): void {
    clearTimeout(planned.timer);
    planned.timer = undefined;
    if (!policies || !late.decisions) return;
    const started = clock.elapsed();
    placeAll(late.decisions);
    planned.at = clock.elapsed();
    planned.tookMs = planned.at - started;
  }

  function placeAll(known: DecisionSet): void {
    const inForce = known.inForce();
    const possible: Decision[] = [];
    problems.clear();
    for (const decision of inForce.values()) {
      const problem = whyUnprogrammable(decision, apis) ?? (options.ja4 ? undefined : whyNotByJa4(decision));
      if (problem) problems.set(decision.id, problem);
      else possible.push(decision);
    }
    const { admitted, overflow } = admit(possible, limits);
    for (const { id } of overflow) {
      problems.set(id, { reason: 'Capacity', message: 'the filters are full and higher scores come first' });
    }
    for (const id of programmedAt.keys()) if (!inForce.has(id)) programmedAt.delete(id);
    wantLayers(layers.update(admitted, replacedIn(admitted)));
    options.onChange();
  }

  /** Decisions that ask something else of Envoy than they did under the same id before. */
  function replacedIn(admitted: readonly Decision[]): Set<string> {
    const replaced = new Set<string>();
    const before = new Map(placed);
    placed.clear();
    for (const decision of admitted) {
      const earlier = before.get(decision.id);
      placed.set(decision.id, decision);
      // Unchanged entries are the same objects, so the comparison is for the few that were written again.
      if (earlier === undefined || earlier === decision || asksTheSame(earlier, decision)) continue;
      replaced.add(decision.id);
      programmedAt.delete(decision.id);
    }
    return replaced;
  }

  /** An exemption that ends leaves its layers then: one without other pushes would keep it for as long as it stands. */
  function watchExemptionEnds(): void {
    clearTimeout(ending);
    const now = clock.now();
    const ends = [...apis.values()].flatMap(({ exemptions }) => exemptions.map((e) => Number(e.expiresAtMs)));
    const next = Math.min(...ends.filter((end) => end > now));
    if (next === Number.POSITIVE_INFINITY) return;
    ending = setTimeout(
      () => {
        for (const layer of layerNames) publishers.get(layer)?.refresh();
        watchExemptionEnds();
      },
      Math.min(next - now, maxTimerMs),
    );
    ending.unref();
  }

  function wantLayers(changes: Map<LayerName, { grew: boolean }>): void {
    for (const [layer, { grew }] of changes) {
      const ids = new Set(layers.in(layer));
      publishers.get(layer)?.want(ids, pushGapMs(layer, grew, ids.size));
    }
  }

  function noteProgrammed(): void {
    if (!late.decisions) return;
    for (const id of late.decisions.inForce().keys()) {
      if (programmedAt.has(id)) continue;
      const { programmed, total } = acks.holders(id);
      if (total > 0 && programmed === total) programmedAt.set(id, clock.now());
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
        wantLayers(layers.settled(name, acks.heldByAll(name)));
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
    onChange: replanSoon,
    onMalformed(key, reason) {
      metrics?.malformedDecision();
      log.error('decision dropped', { key, reason });
    },
  });
  const merge = setInterval(() => wantLayers(layers.mergeCold()), mergeEveryMs);
  merge.unref();

  return {
    port: late.server.port,
    setPolicies(next) {
      const first = policies === undefined;
      policies = next;
      apis = new Map(next.map((policy) => [policy.apiUid, policy]));
      replan();
      if (first) for (const layer of layerNames) publishers.get(layer)?.want(new Set(layers.in(layer)), 0);
      else for (const layer of layerNames) publishers.get(layer)?.refresh();
      publishers.get('picket.identify')?.want(new Set(), 0);
      watchExemptionEnds();
    },
    programmed: standing,
    decisions: () =>
      [...(late.decisions?.inForce().values() ?? [])].map(({ id, api, verdict, policy }) => ({
        ...{ id, api, verdict, policy },
        ...standing(id),
      })),
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
      const known = policies?.find((policy) => policy.api === api);
      return {
        revision: complete ? (known?.revision ?? '') : '',
        programmedEnvoys: programmed,
        totalEnvoys: total,
        problem,
      };
    },
    envoys: () => acks.snapshot(),
    async close() {
      clearInterval(merge);
      clearTimeout(planned.timer);
      clearTimeout(ending);
      await late.decisions?.close();
      for (const publisher of publishers.values()) publisher.close();
      await late.server?.close();
      await acks.close();
    },
  };

  function standing(decision: string): Programmed {
    const { programmed, total } = acks.holders(decision);
    return {
      programmedEnvoys: programmed,
      totalEnvoys: total,
      programmedAtMs: programmedAt.get(decision),
      problem: problemOf(decision, programmed, total),
    };
  }

  function problemOf(decision: string, programmed: number, total: number): Programmed['problem'] {
    if (!late.decisions?.inForce().has(decision)) {
      return { reason: 'NotInForce', message: 'no such decision is in force' };
    }
    const known = problems.get(decision);
    if (known) return known;
    for (const publisher of publishers.values()) {
      const refusal = publisher.refusedDecisions().get(decision);
      if (refusal !== undefined) return { reason: 'RefusedByEnvoy', message: refusal };
    }
    if (total === 0) return { reason: 'NoEnvoys', message: `no Envoy of fleet ${options.fleet} is connected` };
    if (programmed < total) {
      return { reason: 'Pending', message: `${programmed} of ${total} Envoys acknowledged the decision` };
    }
    return undefined;
  }
}

/** Without the state that Envoy would compare, such a decision would be in force and meet nobody. */
function whyNotByJa4({ match }: Decision): Programmed['problem'] {
  if (!match.some(({ predicate }) => predicate.case === 'ja4')) return undefined;
  return { reason: 'BadMatch', message: 'it names a JA4 fingerprint: start with --ja4 where all listeners compute it' };
}

function asksTheSame(a: Decision, b: Decision): boolean {
  const pick = ({ apiUid, kind, pseudonym, action, mode, level, throttleRequestsPerMinute, match }: Decision) =>
    create(DecisionSchema, { apiUid, kind, pseudonym, action, mode, level, throttleRequestsPerMinute, match });
  return equals(DecisionSchema, pick(a), pick(b));
}

function isLayer(name: ResourceName): name is LayerName {
  return layerNames.some((layer) => layer === name);
}

/**
 * The analyzer of a running deployment: takes records, keeps the analysis going tick by tick, and sends what comes of it
 * to the store, the bus and the object store. Everything slow is behind bounded buffers; nothing here waits for it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import {
  type CompiledPolicy,
  CompiledPolicySchema,
  PrincipalKind,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Bucket, decisionKey, parseApiName } from '@picket/proto/subjects.ts';
import type { Bus, Bucket as BusBucket } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Ledger } from '@picket/runtime/ledger.ts';
import type { Logger } from '@picket/runtime/log.ts';
import { type AnalysisOutcome, createAnalysis, type Disposition } from './analysis.ts';
import type { Coordinator, DecisionChange, DecisionEvent } from './decide/coordinator.ts';
import type { MatchValues } from './decide/match.ts';
import type { ClosedTick } from './engine/engine.ts';
import type { Usage } from './engine/partition.ts';
import type { Escrow } from './identify/escrow.ts';
import { createIdentifier } from './identify/identifier.ts';
import type { KeyRing } from './identify/key-ring.ts';
import { ValueKind } from './identify/pseudonym.ts';
import type { AccessRecord } from './ingest/access-record.ts';
import { createSourceClocks, type SourceClock } from './ingest/clock-skew.ts';
import { createIntake } from './intake.ts';
import { F, methods, type ObservationBatch } from './observation.ts';
import { createOperationRegistry } from './operations/registry.ts';
import { apiIdOf } from './operations/template.ts';
import { watchPolicies } from './policy-watch.ts';
import { createDecisionSender } from './publish/decision-sender.ts';
import type { Publisher } from './publish/publisher.ts';
import { apiConditions, apiStatus, policyActivity, type StatusView, withinSafety } from './publish/api-status.ts';
import { createTraffic, type Traffic } from './publish/traffic.ts';
import type { Checkpoints } from './replay/checkpoint.ts';
import { answerToRow, inputToRow } from './replay/rerun.ts';
import { type Restored, restore } from './replay/restore.ts';
import type { Store, Told } from './store/store.ts';
import type { StoreWriter } from './store/writer.ts';
import type { DetectorId, Verdict } from './verdict.ts';

/** What is only seen in passing; everything else can be asked for. */
export interface AnalyzerMetrics {
  tickTook(durationMs: number): void;
  finding(detector: DetectorId): void;
  decision(event: DecisionEvent): void;
}

export interface AnalyzerOptions {
  workers: number;
  keys: KeyRing;
  escrow: Escrow;
  store: Store;
  writer: StoreWriter;
  checkpoints: Checkpoints;
  checkpointIntervalMs: number;
  bus: Bus;
  publisher: Publisher;
  ledger: Ledger;
  clock: Clock;
  log: Logger;
  metrics: AnalyzerMetrics;
  /** Seen by expected requests of an API, where Envoy's own counters tell; undefined = unknown. */
  completeness(api: string): number | undefined;
}

export interface ApiView extends StatusView {
  activity: ReturnType<Coordinator['activity']>;
}

export interface Analyzer {
  /** Policies have arrived and what was stored after the last checkpoint has been caught up with. */
  restored: Restored;
  /** Resolves when a tick failed: the state is half applied, and only a start from a checkpoint can go on. */
  failed: Promise<Error>;
  onRecord(record: AccessRecord): void;
  /** Learns from records of the past, in order, before live traffic runs; what an earlier run knew is skipped. */
  learn(
    records: AsyncIterable<AccessRecord>,
    onProgress: (records: number) => void,
  ): Promise<{ taken: number; skipped: number }>;
  /** No more history comes: decisions expire and reviews take effect though no Envoy has spoken yet. */
  goLive(): void;
  /** Takes effect unless it is the one that last did. */
  review(verdict: string, disposition: Disposition): void;
  /** The verdict's object is gone: a review of the next one by its name is new. */
  forgetReview(verdict: string): void;
  verdicts(): Verdict[];
  apis(): ApiView[];
  sources(): SourceClock[];
  usage(): Promise<Usage>;
  tick(): { number: number; at: number; lastSeq: number };
  /** What keeps requests from being judged now; undefined = nothing does. */
  stuck(): string | undefined;
  /** Ends the open tick, writes a checkpoint and stops. */
  close(): Promise<void>;
}

const tickPollMs = 40;
/** A tick that runs, or a request that waits for one, this long is stuck. */
const stuckMs = 30_000;
/** Reviews remembered, so that those still on their objects are not taken for new ones at a start. */
const maxReviewed = 10_000;
const statusIntervalMs = 5_000;
/** A checkpoint waits this long for the rows behind it; then it is written ahead of them, for the store may be dead. */
const storeWaitMs = 5_000;

export async function startAnalyzer(options: AnalyzerOptions): Promise<Analyzer> {
  const { bus, clock, ledger, log, metrics, publisher, store, writer, checkpoints } = options;
  const registry = createOperationRegistry();
  const identifier = createIdentifier({
    keys: options.keys,
    operations: registry,
    escrow: options.escrow,
    ledger,
    onInvalidCidr: (api, text) => log.warn('prefix in a list is none', { api, text }),
  });
  const valuesOf = (api: string): MatchValues => ({
    keyOf: (kind, pseudonym) => identifier.matchKey(api, kind as ValueKind, low(pseudonym), high(pseudonym)),
    traitOf: (trait, pseudonym) =>
      options.escrow.reveal(trait === 'ja4' ? ValueKind.Ja4 : ValueKind.UserAgent, low(pseudonym), high(pseudonym))
        ?.value,
    matchInForce: (kind, pseudonym) => sentBefore.get(`${api} ${kind}:${pseudonym}`)?.match,
  });
  const clocks = createSourceClocks();
  const policies = new Map<string, CompiledPolicy>();
  const apiNames = new Map<number, string>();
  const traffic = new Map<number, Traffic>();
  const counts = new Map<number, number>();
  /** Reviews that took effect or wait for the next tick. */
  const reviewed = new Map<string, Disposition>();
  const decisions = await bus.bucket(Bucket.decisions);
  const sender = createDecisionSender({ bucket: decisions, clock, ledger, log });
  const sentBefore = await readDecisions(decisions, (key, error) =>
    log.error('decision on the bus cannot be read and is left out', { key, error }),
  );
  let lastCheckpointAt = clock.now();
  let lastTickAt = 0;
  let running: Promise<void> = Promise.resolve();
  let queued = 0;
  let closing = false;
  let isLive = false;
  /** By the monotonic clock; undefined = none does. */
  let runningSince: number | undefined;
  let openSince: number | undefined;
  let failure: Error | undefined;
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  let writing: Promise<void> | undefined;
  /** Records of the open tick that were stored before a restart. */
  let storedOpen = 0;

  const describing = { api: '', method: '', template: '' };
  const describe = (batch: { u32: Uint32Array }, index: number): typeof describing => {
    const base = index * 64;
    const found = registry.byId(batch.u32[base + F.operation] as number, batch.u32[base + F.operation + 1] as number);
    describing.api = apiNames.get(batch.u32[base + F.api] as number) ?? '';
    describing.method = methods[(batch.u32[base + F.kinds] as number) & 0xff] ?? 'OTHER';
    describing.template = found?.operation.template ?? '';
    return describing;
  };

  const observe = (batch: ObservationBatch, base: number): void => {
    openSince ??= clock.elapsed();
    const api = batch.u32[base + F.api] as number;
    counts.set(api, (counts.get(api) ?? 0) + 1);
    traffic
      .get(api)
      ?.add(
        batch.f64[(base + F.eventAt) >> 1] as number,
        batch.u32[base + F.status] as number,
        batch.f64[(base + F.durationMs) >> 1] as number,
      );
  };

  /** Follows what took effect, at a tick or when it is caught up with. */
  const follow = (outcome: AnalysisOutcome): void => {
    for (const input of outcome.inputs) {
      if (input.kind === 'review') remember(input.verdict, input.disposition);
      if (input.kind !== 'policyDeleted' || policies.has(input.api)) continue;
      const hash = apiIdOf(input.api).lo;
      for (const known of [counts, traffic, apiNames]) known.delete(hash);
      publisher.forget(input.api);
    }
  };
  const remember = (verdict: string, disposition: Disposition): void => {
    reviewed.delete(verdict);
    reviewed.set(verdict, disposition);
    if (reviewed.size > maxReviewed) reviewed.delete(reviewed.keys().next().value as string);
  };

  const enter = (policy: CompiledPolicy): void => {
    policies.set(policy.api, policy);
    const hash = apiIdOf(policy.api).lo;
    apiNames.set(hash, policy.api);
    if (!traffic.has(hash)) traffic.set(hash, createTraffic());
  };

  const close = (at: number): ClosedTick => {
    const closed = analysis.closeTick(at);
    intake.closed(at);
    openSince = undefined;
    if (closed.batch.length > storedOpen) writer.observations(closed.batch, storedOpen, closed.batch.length, describe);
    storedOpen = 0;
    return closed;
  };

  const run = async (closed: ClosedTick): Promise<void> => {
    const started = clock.elapsed();
    runningSince = started;
    const outcome = await analysis.run(closed);
    runningSince = undefined;
    metrics.tickTook(clock.elapsed() - started);
    lastTickAt = outcome.at;
    for (const input of outcome.inputs) writer.input({ seq: outcome.lastSeq, at: outcome.at, ...inputToRow(input) });
    for (const answer of outcome.answers)
      writer.input({ seq: outcome.lastSeq, at: outcome.at, ...answerToRow(answer) });
    writer.tick({ tick: outcome.tick, at: outcome.at, lastSeq: outcome.lastSeq });
    follow(outcome);
    emit(outcome, { findingTick: 0, verdictTick: 0, decisionAt: 0 });
    if (!writing && clock.now() - lastCheckpointAt >= options.checkpointIntervalMs) await checkpoint();
  };

  /** Sends what a tick led to where it has not been told before: while catching up, most of it has been. */
  const emit = (outcome: AnalysisOutcome, told: Told): void => {
    if (outcome.tick > told.findingTick)
      for (const finding of outcome.findings) {
        writer.finding(finding);
        metrics.finding(finding.detector);
      }
    for (const verdict of outcome.verdicts) {
      const fresh = outcome.tick > told.verdictTick;
      if (fresh) writer.verdict(verdict);
      publisher.verdict(verdict);
      if (fresh) publisher.event('verdict', verdict.api, verdict.name, `${verdict.name}-${outcome.tick}`, verdict);
    }
    // The last word of the tick alone is sent: a decision that replaces another must leave no moment without one.
    const last = new Map<string, DecisionChange>();
    for (const change of outcome.decisions) {
      if (outcome.at > told.decisionAt) recordDecision(change, outcome);
      if (change.event === 'suppressed') publisher.warn(change.decision.policy, 'SafetyLimit', change.reason);
      else last.set(keyOfDecision(change.decision), change);
    }
    for (const [key, change] of last) send(key, change);
  };

  const recordDecision = (change: DecisionChange, outcome: AnalysisOutcome): void => {
    metrics.decision(change.event);
    const d = change.decision;
    const row = {
      id: d.id,
      at: outcome.at,
      api: d.api,
      kind: d.kind as number,
      pseudonym: d.pseudonym,
      action: d.action as number,
      mode: d.mode as number,
      verdict: d.verdict,
      policy: d.policy,
      policyRevision: d.policyRevision,
      decidedAt: Number(d.decidedAtMs),
      expiresAt: Number(d.expiresAtMs),
      evidenceCompleteAt: Number(d.evidenceCompleteAtMs),
      event: change.event,
      reason: change.reason,
    };
    writer.decision(row);
    publisher.event('decision', d.api, d.verdict, `${d.id || d.verdict}-${change.event}-${outcome.tick}`, row);
  };

  const send = (key: string, change: DecisionChange): void => {
    const d = change.decision;
    const ttlMs = Number(d.expiresAtMs) - clock.now();
    const over = change.event === 'lifted' || change.event === 'expired';
    // Decisions that history alone led to may be over before they are made.
    if (!over && (ttlMs <= 0 || d.match.length === 0)) return;
    sender.send(key, over ? undefined : toBinary(DecisionSchema, d), Number(d.expiresAtMs));
  };

  /** Resolves when the state is taken; the file follows when the rows behind it are stored. */
  const checkpoint = async (): Promise<void> => {
    lastCheckpointAt = clock.now();
    const started = clock.elapsed();
    const state = {
      analysis: await analysis.save(),
      operations: registry.toJSON(),
      identifier: identifier.toJSON(),
      learnedUpTo: Math.max(restored.knownUpTo, intake.latestPast(), 0),
      counts: [...counts],
      reviewed: [...reviewed],
    };
    const stored = Promise.race([writer.flush(), delay(storeWaitMs, undefined, { ref: false })]);
    writing = checkpoints
      .save(state, stored)
      .then((info) => log.debug('checkpoint written', { ...info, durationMs: Math.round(clock.elapsed() - started) }))
      .catch((error: unknown) => log.error('checkpoint not written', { error }))
      .finally(() => {
        writing = undefined;
      });
  };

  const { analysis, restored } = await restore({
    create: () => createAnalysis({ workers: options.workers, valuesOf }),
    checkpoints,
    store,
    clock,
    log,
    onCheckpoint(found) {
      registry.restore(found.operations);
      identifier.restore(found.identifier);
      for (const [api, count] of found.counts) counts.set(api, count);
      for (const [verdict, disposition] of found.reviewed) remember(verdict, disposition);
      for (const { policy } of found.analysis.coordinators) enter(fromBinary(CompiledPolicySchema, policy));
    },
    onOutcome(outcome, told) {
      follow(outcome);
      emit(outcome, told);
    },
    onObservation: observe,
  });
  const intake = createIntake({
    analysis,
    identifier,
    clocks,
    ledger,
    onObservation: observe,
  });

  lastTickAt = restored.at;
  intake.closed(lastTickAt);
  storedOpen = restored.open;
  const onPolicy = (policy: CompiledPolicy | undefined, api: string): void => {
    if (policy) {
      enter(policy);
      analysis.input({ kind: 'policy', policy: withoutLists(policy) });
      publisher.event('policy', api, api, `${api}-${policy.revision}`, { api, revision: policy.revision });
    } else {
      policies.delete(api);
      analysis.input({ kind: 'policyDeleted', api });
    }
    identifier.setPolicies([...policies.values()]);
    liftExempted(api);
  };
  const subscription = await watchPolicies(await bus.bucket(Bucket.policy), onPolicy, (key, error) =>
    log.error('policy on the bus cannot be read, the one before stays in force', { key, error }),
  );

  // What a crash left in force without the rows that led to it: it must be there to be lifted.
  for (const decision of sentBefore.values()) {
    const { api, kind, pseudonym } = decision;
    const known = analysis.coordinator(api)?.actedOn() ?? [];
    if (Number(decision.expiresAtMs) > clock.now() && !known.some((k) => k.kind === kind && k.pseudonym === pseudonym))
      analysis.input({ kind: 'adoption', decision: create(DecisionSchema, { ...decision, match: [] }) });
  }

  /** Nobody who is refused sends the request that would show the exemption, so those in force are looked at. */
  function liftExempted(api: string): void {
    for (const { kind, pseudonym } of analysis.coordinator(api)?.actedOn() ?? []) {
      const [lo, hi] = [low(pseudonym), high(pseudonym)];
      const held = kind === PrincipalKind.ADDRESS ? identifier.matchKey(api, kind, lo, hi) : undefined;
      const address = held?.ok ? held.value : addressIn(sentBefore.get(`${api} ${kind}:${pseudonym}`));
      if (identifier.exemptUntil(api, kind as ValueKind, lo, hi, address) > clock.now())
        analysis.input({ kind: 'exemption', api, principal: kind, pseudonym });
    }
  }

  /** Ends the open tick when it is due and none is being run: a slow tick makes the next ones longer, not more. */
  const step = (): void => {
    if (queued > 0 || failure) return;
    const at = intake.due(clock.now());
    if (at !== undefined && !analysis.idle(at)) runNext(close(at));
  };
  const runNext = (closed: ClosedTick): void => {
    queued++;
    running = run(closed)
      .catch((error: unknown) => {
        log.error('tick failed', { error, tick: closed.tick });
        failure ??= error instanceof Error ? error : new Error(String(error));
        fail(failure);
      })
      .finally(() => queued--);
  };

  ledger.holds('detect', () => analysis.engine.batch.length - storedOpen);
  const ticker = setInterval(step, tickPollMs);
  const flusher = setInterval(() => void publisher.flush(), 100);
  const reporter = setInterval(() => report(), statusIntervalMs);

  const apis = (): ApiView[] =>
    [...policies.values()].map((policy) => {
      const hash = apiIdOf(policy.api).lo;
      return {
        api: policy.api,
        policy,
        traffic: traffic.get(hash)?.read(Math.max(clock.now(), lastTickAt)),
        operations: registry.list(policy.api),
        learning: identifier.learning(policy.api),
        observations: counts.get(hash) ?? 0,
        completeness: options.completeness(policy.api),
        since: analysis.engine.snapshot().get(hash)?.since ?? 0,
        activity: analysis.coordinator(policy.api)?.activity() ?? {
          acting: 0,
          wouldAct: 0,
          suppressed: 0,
          eased: 0,
          risks: 0,
          evicted: 0,
          displaced: 0,
        },
      };
    });

  const report = (): void => {
    const views = apis();
    const now = Math.max(clock.now(), lastTickAt);
    const byPolicy = new Map<string, ApiView[]>();
    for (const view of views) {
      publisher.status(
        'ProtectedAPI',
        view.api,
        apiStatus(view, analysis.verdicts(view.api), now),
        apiConditions(view, now),
      );
      const policy = view.policy.behavior?.policy ?? '';
      if (policy !== '') byPolicy.set(policy, [...(byPolicy.get(policy) ?? []), view]);
    }
    for (const [policy, of] of byPolicy) {
      const activity = policyActivity(of);
      publisher.status('BehaviorPolicy', policy, { activity }, [withinSafety(of)]);
    }
  };

  return {
    restored,
    failed,
    onRecord: (record) => {
      if (!closing && !failure) intake.live(record);
    },
    async learn(records, onProgress) {
      let taken = 0;
      let skipped = 0;
      for await (const record of records) {
        if (failure) break;
        if (record.startedAtMs + (Number.isNaN(record.durationMs) ? 0 : record.durationMs) <= restored.knownUpTo) {
          skipped++;
          continue;
        }
        const due = intake.past(record, clock.now());
        taken++;
        if (due) {
          await running;
          const at = intake.due(clock.now());
          if (at !== undefined && !analysis.idle(at)) {
            runNext(close(at));
            await running;
          } else if (at !== undefined) intake.closed(at);
        }
        if (taken % 1000 === 0) onProgress(taken);
      }
      onProgress(taken);
      return { taken, skipped };
    },
    goLive() {
      intake.goLive();
      isLive = true;
      openSince = undefined;
    },
    review(verdict, disposition) {
      if (reviewed.get(verdict) === disposition) return;
      remember(verdict, disposition);
      analysis.input({ kind: 'review', verdict, disposition });
    },
    forgetReview: (verdict) => void reviewed.delete(verdict),
    verdicts: () => analysis.verdicts(),
    apis,
    sources: () => clocks.sources(),
    stuck() {
      const now = clock.elapsed();
      if (failure) return `the analysis failed: ${failure.message}`;
      if (runningSince !== undefined && now - runningSince > stuckMs) return 'a tick has not ended for half a minute';
      if (isLive && openSince !== undefined && now - openSince > stuckMs)
        return 'requests have waited for half a minute to be judged';
      return undefined;
    },
    usage: () => analysis.engine.usage(),
    tick: () => ({ number: analysis.engine.tick, at: lastTickAt, lastSeq: analysis.engine.lastSeq }),
    async close() {
      closing = true;
      clearInterval(ticker);
      clearInterval(flusher);
      clearInterval(reporter);
      await subscription.stop();
      await running;
      const at = intake.due(clock.now()) ?? lastTickAt + 1;
      if (!failure && !analysis.idle(at)) runNext(close(at));
      await running;
      await sender.close();
      await publisher.close();
      await writing;
      // What a failed tick left behind must not become what the next start goes on from.
      if (!failure) await checkpoint();
      await writing;
      await analysis.close();
    },
  };
}

function keyOfDecision({ fleet, api, kind, pseudonym }: Decision): string {
  return decisionKey({ fleet, ...parseApiName(api), kind, pseudonym });
}

/** Decisions that an earlier run sent, by API and principal: their match outlives what the border knows. */
async function readDecisions(
  bucket: BusBucket,
  onMalformed: (key: string, error: Error) => void,
): Promise<Map<string, Decision>> {
  const found = new Map<string, Decision>();
  let synced: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    synced = resolve;
  });
  const subscription = await bucket.watch({
    onEntry(key, value) {
      if (!value) return;
      try {
        const decision = fromBinary(DecisionSchema, value);
        found.set(`${decision.api} ${decision.kind}:${decision.pseudonym}`, decision);
      } catch (error) {
        onMalformed(key, error as Error);
      }
    },
    onSynced: () => synced(),
  });
  await all;
  await subscription.stop();
  return found;
}

function addressIn(decision: Decision | undefined): string | undefined {
  const predicate = decision?.match[0]?.predicate;
  return predicate?.case === 'addresses' ? predicate.value.cidrs[0] : undefined;
}

/** What the coordinator needs of a policy: lists of identities and addresses stay out of checkpoints and stored rows. */
function withoutLists(policy: CompiledPolicy): CompiledPolicy {
  return create(CompiledPolicySchema, { ...policy, exemptions: [], reputation: [], operations: [] });
}

function low(pseudonym: string): number {
  return Number.parseInt(pseudonym.slice(8), 16);
}

function high(pseudonym: string): number {
  return Number.parseInt(pseudonym.slice(0, 8), 16);
}

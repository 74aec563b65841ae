/**
 * The analyzer of a running deployment: takes records, keeps the analysis going tick by tick, and sends what comes of it
 * to the store, the bus and the object store. Everything slow is behind bounded buffers; nothing here waits for it.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { create, fromBinary } from '@bufbuild/protobuf';
import { DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import {
  type CompiledPolicy,
  CompiledPolicySchema,
  PrincipalKind,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Bucket } from '@picket/proto/subjects.ts';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import type { SteadyClock } from '@picket/runtime/clock.ts';
import type { Ledger } from '@picket/runtime/ledger.ts';
import type { Logger } from '@picket/runtime/log.ts';
import { type AnalysisOutcome, createAnalysis, type Disposition } from './analysis.ts';
import { createApiFigures } from './api-figures.ts';
import type { CoordinatorActivity } from './decide/coordinator.ts';
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
import type { ObservationBatch } from './observation.ts';
import { createOperationRegistry } from './operations/registry.ts';
import { apiIdOf } from './operations/template.ts';
import { watchPolicies } from './policy-watch.ts';
import { createDecisionSender } from './publish/decision-sender.ts';
import { policyEvent } from './publish/events.ts';
import { createOutcomeSender, nothingTold, type OutcomeMetrics } from './publish/outcome-sender.ts';
import type { Publisher } from './publish/publisher.ts';
import type { StatusView } from './publish/api-status.ts';
import { readSentDecisions } from './publish/sent-decisions.ts';
import { reportStatus } from './publish/status-report.ts';
import type { Checkpoints } from './replay/checkpoint.ts';
import { answerToRow, inputToRow, unreadAtStart } from './replay/rerun.ts';
import { type LoggedRenaming, maxRenamingsPerRow, renamingsToRow } from './replay/renamings.ts';
import { type Restored, restore } from './replay/restore.ts';
import type { Store } from './store/store.ts';
import type { StoreWriter } from './store/writer.ts';
import { createTickLoop } from './tick-loop.ts';
import type { Verdict } from './verdict.ts';

export interface AnalyzerMetrics extends OutcomeMetrics {
  tickTook(durationMs: number): void;
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
  clock: SteadyClock;
  log: Logger;
  metrics: AnalyzerMetrics;
  /** Seen by expected requests of an API, where Envoy's own counters tell; undefined = unknown. */
  completeness(api: string): number | undefined;
}

export interface ApiView extends StatusView {
  activity: CoordinatorActivity;
}

export interface Analyzer {
  /** Policies have arrived and what was stored after the last checkpoint has been caught up with. */
  restored: Restored;
  /** Resolves when a tick failed: the state is half applied, and only a start from a checkpoint can go on. */
  failed: Promise<Error>;
  /** A finished request. Answers which API it belongs to, "" for none, and when it completed, on our clock, Unix ms. */
  onRecord(record: AccessRecord): { api: string; completedAtMs: number };
  /** "<namespace>/<name>" of the API that a request belongs to, "" for none. */
  apiOf(record: AccessRecord): string;
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
  /** Takes a rotated ring into use: who is known stays known. */
  useKeys(ring: KeyRing): void;
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
/** Reviews remembered, so that those still on their objects are not taken for new ones at a start. */
const maxReviewed = 10_000;
const statusIntervalMs = 5_000;
/** A checkpoint waits this long for the rows behind it; then it is written ahead of them, for the store may be dead. */
const storeWaitMs = 5_000;
const noActivity: CoordinatorActivity = {
  ...{ acting: 0, wouldAct: 0, suppressed: 0, eased: 0 },
  ...{ risks: 0, evicted: 0, displaced: 0 },
};

export async function startAnalyzer(options: AnalyzerOptions): Promise<Analyzer> {
  const { bus, clock, ledger, log, metrics, publisher, store, writer, checkpoints } = options;
  const registry = createOperationRegistry();
  let { keys } = options;
  /** Since the last tick was closed. */
  let renamings: LoggedRenaming[] = [];
  const identifier = createIdentifier({
    keys,
    operations: registry,
    escrow: options.escrow,
    ledger,
    onRename(renaming, at) {
      if (analysis.rename(renaming, at)) renamings.push({ ...renaming, seq: analysis.engine.lastSeq + 1, at });
    },
    onInvalidCidr: (api, text) => log.warn('prefix in a list is none', { api, text }),
  });
  const decisions = await bus.bucket(Bucket.decisions);
  const sentBefore = await readSentDecisions(decisions, (key, error) =>
    log.error('decision on the bus cannot be read and is left out', { key, error }),
  );
  const sender = createDecisionSender({ bucket: decisions, clock, ledger, log });
  const emit = createOutcomeSender({ writer, publisher, decisions: sender, clock, metrics });
  const valuesOf = (api: string): MatchValues => ({
    keyOf: (kind, pseudonym) => identifier.matchKey(api, kind as ValueKind, low(pseudonym), high(pseudonym)),
    traitOf: (trait, pseudonym) =>
      options.escrow.reveal(trait === 'ja4' ? ValueKind.Ja4 : ValueKind.UserAgent, low(pseudonym), high(pseudonym))
        ?.value,
    matchInForce: (kind, pseudonym) => sentBefore.match(api, kind, pseudonym),
  });
  const clocks = createSourceClocks();
  const figures = createApiFigures(registry);
  const policies = new Map<string, CompiledPolicy>();
  /** Reviews that took effect or wait for the next tick. */
  const reviewed = new Map<string, Disposition>();
  let lastCheckpointAt = clock.now();
  let lastTickAt = 0;
  let closing = false;
  let isLive = false;
  let writing: Promise<void> | undefined;
  /** Records of the open tick that were stored before a restart. */
  let storedOpen = 0;

  const observe = (batch: ObservationBatch, base: number): void => {
    loop.waits();
    figures.observe(batch, base);
  };

  /** Follows what took effect, at a tick or when it is caught up with. */
  const follow = (outcome: AnalysisOutcome): void => {
    for (const input of outcome.inputs) {
      if (input.kind === 'review') remember(input.verdict, input.disposition);
      if (input.kind !== 'policyDeleted' || policies.has(input.api)) continue;
      figures.forget(input.api);
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
    figures.enter(policy);
  };

  const close = (at: number): ClosedTick => {
    const closed = analysis.closeTick(at);
    intake.closed(at);
    const { batch } = closed;
    // Before the rows: of those that a crash leaves without their tick, it must be known who they are.
    for (let i = 0; i < renamings.length; i += maxRenamingsPerRow) {
      const row = renamingsToRow(renamings.slice(i, i + maxRenamingsPerRow), keys.active, randomBytes(12));
      writer.input({ seq: closed.lastSeq, at, ...row });
    }
    renamings = [];
    if (batch.length > storedOpen) writer.observations(batch, storedOpen, batch.length, figures.describe);
    storedOpen = 0;
    return closed;
  };

  const run = async (closed: ClosedTick): Promise<void> => {
    const started = clock.elapsed();
    const outcome = await analysis.run(closed);
    metrics.tickTook(clock.elapsed() - started);
    lastTickAt = outcome.at;
    const { lastSeq: seq, at } = outcome;
    for (const input of outcome.inputs) writer.input({ seq, at, ...inputToRow(input) });
    for (const answer of outcome.answers) writer.input({ seq, at, ...answerToRow(answer) });
    writer.tick({ tick: outcome.tick, at, lastSeq: seq });
    follow(outcome);
    emit(outcome, nothingTold);
    if (!writing && clock.now() - lastCheckpointAt >= options.checkpointIntervalMs) await checkpoint();
  };
  const loop = createTickLoop({ clock, log, close, run });

  /** Resolves when the state is taken; the file follows when the rows behind it are stored. */
  const checkpoint = async (): Promise<void> => {
    lastCheckpointAt = clock.now();
    const started = clock.elapsed();
    const state = {
      analysis: await analysis.save(),
      operations: registry.toJSON(),
      identifier: identifier.toJSON(),
      learnedUpTo: Math.max(restored.knownUpTo, intake.latestPast(), 0),
      counts: figures.counts(),
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
    keys,
    clock,
    log,
    onCheckpoint(found) {
      registry.restore(found.operations);
      identifier.restore(found.identifier);
      figures.restore(found.counts);
      for (const [verdict, disposition] of found.reviewed) remember(verdict, disposition);
      for (const { policy } of found.analysis.coordinators) enter(fromBinary(CompiledPolicySchema, policy));
    },
    onOutcome(outcome, told) {
      follow(outcome);
      emit(outcome, told);
    },
    onObservation: observe,
    onUnread: (fromSeq, toSeq) => writer.gap(fromSeq, toSeq, unreadAtStart),
  });
  // What cannot be read again must soon be part of a checkpoint.
  if (restored.unread) lastCheckpointAt = 0;
  const intake = createIntake({
    analysis,
    identifier,
    clocks,
    ledger,
    onObservation: observe,
  });

  lastTickAt = restored.at;
  // Ticks go on from there though the wall clock may have been set back meanwhile.
  clock.notBefore(restored.at);
  intake.closed(lastTickAt);
  storedOpen = restored.open;
  const onPolicy = (policy: CompiledPolicy | undefined, api: string): void => {
    if (policy) {
      enter(policy);
      analysis.input({ kind: 'policy', policy: withoutLists(policy) });
      publisher.event('policy', api, api, `${api}-${policy.revision}`, policyEvent(api, policy.revision));
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
  for (const decision of sentBefore.all()) {
    const { api, kind, pseudonym } = decision;
    const known = analysis.coordinator(api)?.actedOn() ?? [];
    if (Number(decision.expiresAtMs) > clock.now() && !known.some((k) => k.kind === kind && k.pseudonym === pseudonym))
      analysis.input({ kind: 'adoption', decision: create(DecisionSchema, { ...decision, match: [] }) });
  }

  /** Nobody who is refused sends the request that would show the exemption, so those in force are looked at. */
  function liftExempted(api: string): void {
    for (const { kind, pseudonym } of analysis.coordinator(api)?.actedOn() ?? []) {
      const latest = analysis.latestOf(pseudonym);
      const [lo, hi] = [low(latest), high(latest)];
      const held = kind === PrincipalKind.ADDRESS ? identifier.matchKey(api, kind, lo, hi) : undefined;
      const address = held?.ok ? held.value : sentBefore.address(api, kind, pseudonym);
      if (identifier.exemptUntil(api, kind as ValueKind, lo, hi, address) > clock.now())
        analysis.input({ kind: 'exemption', api, principal: kind, pseudonym });
    }
  }

  /** When the open tick should end now, if anything would happen. */
  const dueAt = (): number | undefined => {
    const at = intake.due(clock.now());
    return at === undefined || analysis.idle(at) ? undefined : at;
  };

  ledger.holds('detect', () => analysis.engine.batch.length - storedOpen);
  const ticker = setInterval(() => loop.step(dueAt), tickPollMs);
  const flusher = setInterval(() => void publisher.flush(), 100);
  const reporter = setInterval(() => report(), statusIntervalMs);

  const apis = (): ApiView[] =>
    [...policies.values()].map((policy) => ({
      api: policy.api,
      policy,
      traffic: figures.traffic(policy.api, Math.max(clock.now(), lastTickAt)),
      operations: registry.list(policy.api),
      learning: identifier.learning(policy.api),
      observations: figures.observations(policy.api),
      completeness: options.completeness(policy.api),
      since: analysis.engine.snapshot().get(apiIdOf(policy.api).lo)?.since ?? 0,
      activity: analysis.coordinator(policy.api)?.activity() ?? noActivity,
    }));

  const report = (): void =>
    reportStatus(publisher, apis(), (api) => analysis.verdicts(api), Math.max(clock.now(), lastTickAt));

  return {
    restored,
    failed: loop.failed,
    onRecord(record) {
      if (closing || loop.failure) return { api: '', completedAtMs: record.arrivedAtMs };
      const { api, completedAtMs } = intake.live(record);
      return { api: figures.nameOf(api), completedAtMs };
    },
    apiOf: (record) => identifier.apiOf(record),
    async learn(records, onProgress) {
      let taken = 0;
      let skipped = 0;
      for await (const record of records) {
        if (loop.failure) break;
        if (record.startedAtMs + (Number.isNaN(record.durationMs) ? 0 : record.durationMs) <= restored.knownUpTo) {
          skipped++;
          continue;
        }
        const due = intake.past(record, clock.now());
        taken++;
        if (due) {
          await loop.settled();
          const at = intake.due(clock.now());
          if (at !== undefined && !analysis.idle(at)) {
            loop.next(at);
            await loop.settled();
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
      loop.startWaiting();
    },
    review(verdict, disposition) {
      if (reviewed.get(verdict) === disposition) return;
      remember(verdict, disposition);
      analysis.input({ kind: 'review', verdict, disposition });
    },
    useKeys(ring) {
      keys = ring;
      identifier.setKeyRing(ring);
    },
    forgetReview: (verdict) => void reviewed.delete(verdict),
    verdicts: () => analysis.verdicts(),
    apis,
    sources: () => clocks.sources(),
    stuck: () => loop.stuck(isLive),
    usage: () => analysis.engine.usage(),
    tick: () => ({ number: analysis.engine.tick, at: lastTickAt, lastSeq: analysis.engine.lastSeq }),
    async close() {
      closing = true;
      clearInterval(ticker);
      clearInterval(flusher);
      clearInterval(reporter);
      await subscription.stop();
      await loop.settled();
      const at = intake.due(clock.now()) ?? lastTickAt + 1;
      if (!analysis.idle(at)) loop.next(at);
      await loop.settled();
      await sender.close();
      await publisher.close();
      await writing;
      // What a failed tick left behind must not become what the next start goes on from.
      if (!loop.failure) await checkpoint();
      await writing;
      await analysis.close();
    },
  };
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

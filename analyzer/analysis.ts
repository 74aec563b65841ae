/**
 * From observations to verdicts and decisions: the engine and one coordinator per API, driven by ticks. Live traffic, a
 * replay and `picket analyze` all run this; only where observations come from and where outcomes go differs.
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Decision } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import {
  type CompiledPolicy,
  CompiledPolicySchema,
  type PrincipalKind,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { CoordinatorOutput, DecisionChange } from './decide/coordinator-output.ts';
import { type Coordinator, type CoordinatorState, createCoordinator } from './decide/coordinator.ts';
import type { MatchRecord, MatchValues } from './decide/match.ts';
import { limitsOf } from './decide/safety.ts';
import {
  type ClosedTick,
  createEngine,
  type Engine,
  type EngineOptions,
  type EngineState,
  type TickOutcome,
} from './engine/engine.ts';
import type { Sighting } from './engine/sighting.ts';
import { createFirstNames, type Turned, turn } from './first-names.ts';
import { F, type ObservationBatch, STRIDE } from './observation.ts';
import type { AliasesState, Renaming } from './profile/aliases.ts';
import { hex16 } from './profile/hash.ts';
import { apiIdOf } from './operations/template.ts';
import { detectorIds, type Finding, type Verdict } from './verdict.ts';

export type Disposition = 'TruePositive' | 'FalsePositive' | 'BenignTrigger';

/** What changes verdicts besides traffic. Takes effect after a tick has run, and is logged with that tick's time. */
export type AnalysisInput =
  | { kind: 'policy'; policy: CompiledPolicy }
  | { kind: 'policyDeleted'; api: string }
  | { kind: 'review'; verdict: string; disposition: Disposition }
  /** A decision of an earlier run is in force; its match is not part of it. */
  | { kind: 'adoption'; decision: Decision }
  /** An exemption now covers a principal that is acted on. */
  | { kind: 'exemption'; api: string; principal: PrincipalKind; pseudonym: string };

export interface AnalysisOutcome {
  tick: number;
  at: number;
  lastSeq: number;
  findings: Finding[];
  verdicts: Verdict[];
  decisions: DecisionChange[];
  /** What the border answered in this tick: part of what a rerun needs. */
  answers: MatchRecord[];
  /** Inputs that took effect after this tick. */
  inputs: AnalysisInput[];
}

export interface AnalysisState {
  engine: EngineState;
  /** Each API's policy in force, as protobuf bytes, and what its coordinator knew. */
  coordinators: { policy: Uint8Array; state: CoordinatorState }[];
  aliases: AliasesState;
  /** Request ids of the samples that findings name, by sequence number. */
  sampleIds: [number, string][];
}

export interface Analysis {
  readonly engine: Engine;
  /** Numbers the record at `base` of the engine's open batch and takes it in. */
  accept(base: number): number;
  /** Records accepted from now on may carry another pseudonym of somebody. False when that is known already. */
  rename(renaming: Renaming, at: number): boolean;
  /** The pseudonym under which a principal of verdicts and decisions comes now. */
  latestOf(pseudonym: string): string;
  /** Queued until the next tick has run. */
  input(input: AnalysisInput): void;
  /** While on, match answers are those of `recall`, given before the tick they were given in. */
  recalling(on: boolean): void;
  recall(record: MatchRecord): void;
  /** True when ending a tick at `at` would change nothing. */
  idle(at: number): boolean;
  closeTick(at: number): ClosedTick;
  /** At once where no worker thread takes part: a promise for each second of a log costs more than most of them hold. */
  run(closed: ClosedTick): AnalysisOutcome | Promise<AnalysisOutcome>;
  /** Everything at `Low` or above, by API, highest score first. */
  verdicts(api?: string): Verdict[];
  coordinator(api: string): Coordinator | undefined;
  /** State after the last `run`, between two of them. Shares parts with the running analysis: serialise it at once. */
  save(): Promise<AnalysisState>;
  load(state: AnalysisState): Promise<void>;
  close(): Promise<void>;
}

/** Request ids remembered for evidence, by sequence number. */
const rememberedIds = 1 << 16;

/** @param valuesOf what the border knows of an API's values; a replay knows none */
export function createAnalysis(options: EngineOptions & { valuesOf(api: string): MatchValues }): Analysis {
  const engine = createEngine(options);
  const coordinators = new Map<string, Coordinator>();
  const apiNames = new Map<number, string>();
  const policies = new Map<string, CompiledPolicy>();
  const names = createFirstNames();
  /** By tick that is closed and not yet run. */
  const turned = new Map<number, Turned>();
  const requestIds: string[] = Array.from({ length: rememberedIds }, () => '');
  let recalling = false;
  let inputs: AnalysisInput[] = [];
  /** Adopted before their API was known. */
  let orphans: Decision[] = [];

  const keep = (policy: CompiledPolicy): void => {
    policies.set(policy.api, policy);
    engine.standsAfter(apiIdOf(policy.api).lo, limitsOf(policy.behavior?.safety).minBaselineMs);
  };
  const enter = (policy: CompiledPolicy): Coordinator => {
    const values = options.valuesOf(policy.api);
    const coordinator = createCoordinator({
      policy,
      // The border knows people by their latest pseudonym only.
      values: { ...values, keyOf: (kind, pseudonym) => values.keyOf(kind, names.latest(pseudonym)) },
      requestIdOf: (seq) => requestIds[seq & (rememberedIds - 1)] ?? '',
    });
    coordinator.recalling(recalling);
    keep(policy);
    coordinators.set(policy.api, coordinator);
    apiNames.set(apiIdOf(policy.api).lo, policy.api);
    return coordinator;
  };

  const apply = (input: AnalysisInput, at: number, outcome: AnalysisOutcome): void => {
    if (input.kind === 'policy') {
      const { api } = input.policy;
      keep(input.policy);
      const known = coordinators.get(api);
      if (known) {
        add(outcome, known.setPolicy(input.policy, at));
        return;
      }
      const entered = enter(input.policy);
      for (const decision of orphans) if (decision.api === api) add(outcome, entered.adopt(decision));
      orphans = orphans.filter((decision) => decision.api !== api);
    } else if (input.kind === 'policyDeleted') {
      const coordinator = coordinators.get(input.api);
      if (coordinator) add(outcome, coordinator.retire());
      coordinators.delete(input.api);
      policies.delete(input.api);
      apiNames.delete(apiIdOf(input.api).lo);
    } else if (input.kind === 'adoption') {
      const coordinator = coordinators.get(input.decision.api);
      if (coordinator) add(outcome, coordinator.adopt(input.decision));
      else orphans.push(input.decision);
    } else if (input.kind === 'exemption') {
      const coordinator = coordinators.get(input.api);
      if (coordinator) add(outcome, coordinator.exempt(input.principal, input.pseudonym, at));
    } else
      for (const [api, coordinator] of coordinators) {
        const review = coordinator.review(input.verdict, input.disposition, at);
        if (!review.found) continue;
        add(outcome, review.output);
        for (const lesson of review.lessons)
          engine.teach(
            apiIdOf(api).lo,
            detectorIds.indexOf(lesson.detector),
            lesson.kind,
            lesson.surprise,
            lesson.weight,
          );
      }
  };

  /** Shows each coordinator its observations of a tick, in order. */
  const see = ({ u32, f64, length }: ObservationBatch): void => {
    for (let base = 0; base < length * STRIDE; base += STRIDE)
      coordinators.get(apiNames.get(u32[base + F.api] as number) ?? '')?.see(u32, f64, base);
  };

  const sampleIds = (states: readonly CoordinatorState[]): [number, string][] => {
    const ids = new Map<number, string>();
    for (const { suspects } of states)
      for (const [, { findings, kin }] of suspects.risks)
        for (const seq of [...[...findings.values()].flatMap((f) => f.finding.sampleSeqs), ...kin.map((k) => k.seq)]) {
          const id = engine.lastSeq - seq < rememberedIds ? requestIds[seq & (rememberedIds - 1)] : '';
          if (id) ids.set(seq, id);
        }
    return [...ids];
  };

  const conclude = (ran: TickOutcome): AnalysisOutcome => {
    const outcome: AnalysisOutcome = {
      tick: ran.tick,
      at: ran.at,
      lastSeq: ran.lastSeq,
      findings: [],
      verdicts: [],
      decisions: [],
      answers: [],
      inputs,
    };
    const byApi = ran.sightings.length > 0 ? sightingsByApi(ran.sightings) : undefined;
    for (const { api, lo, hi, sharedBy } of ran.shared)
      coordinators.get(apiNames.get(api) ?? '')?.shared(hex16(lo, hi), sharedBy);
    for (const [hash, name] of apiNames) {
      const sightings = byApi?.get(hash);
      const coordinator = coordinators.get(name) as Coordinator;
      if (!sightings && !ran.merged && !coordinator.hasNews()) continue;
      const view = {
        tick: ran.tick,
        at: ran.at,
        population: ran.snapshot.get(hash),
        standing: ran.standing?.get(hash),
        reconsider: ran.merged,
      };
      add(outcome, coordinator.take(view, sightings ?? []));
    }
    inputs = [];
    for (const input of outcome.inputs) apply(input, ran.at, outcome);
    return outcome;
  };

  return {
    engine,
    accept(base) {
      const { u32, f64 } = engine.batch;
      names.enter(u32, base, f64[(base + F.eventAt) >> 1] as number);
      const seq = engine.accept(base);
      names.leave(u32);
      requestIds[seq & (rememberedIds - 1)] = engine.batch.requestIds[base / STRIDE] ?? '';
      return seq;
    },
    rename: (renaming, at) => names.rename(renaming, at),
    latestOf: (pseudonym) => names.latest(pseudonym),
    input(input) {
      inputs.push(input);
    },
    recalling(on) {
      recalling = on;
      for (const coordinator of coordinators.values()) coordinator.recalling(on);
    },
    recall: (record) => coordinators.get(record.api)?.recall(record),
    idle: (at) => inputs.length === 0 && engine.idle(at),
    closeTick(at) {
      const closed = engine.closeTick(at);
      turned.set(closed.tick, names.takeTurned());
      return closed;
    },
    run(closed) {
      turn(closed.batch.u32, turned.get(closed.tick) ?? []);
      turned.delete(closed.tick);
      const running = engine.run(closed);
      see(closed.batch);
      return running instanceof Promise ? running.then(conclude) : conclude(running);
    },
    verdicts: (api) =>
      [...coordinators]
        .filter(([name]) => api === undefined || name === api)
        .flatMap(([, c]) => c.verdicts())
        .sort((a, b) => b.score - a.score),
    coordinator: (api) => coordinators.get(api),
    async save() {
      const saved = [...coordinators].map(([api, c]) => ({
        policy: toBinary(CompiledPolicySchema, policies.get(api) as CompiledPolicy),
        state: c.save(),
      }));
      return {
        engine: await engine.save(),
        coordinators: saved,
        aliases: names.save(),
        sampleIds: sampleIds(saved.map(({ state }) => state)),
      };
    },
    async load(state) {
      await engine.load(state.engine);
      names.load(state.aliases);
      for (const [seq, id] of state.sampleIds) requestIds[seq & (rememberedIds - 1)] = id;
      for (const saved of state.coordinators) enter(fromBinary(CompiledPolicySchema, saved.policy)).load(saved.state);
    },
    close: () => engine.close(),
  };
}

function sightingsByApi(sightings: readonly Sighting[]): Map<number, Sighting[]> {
  const byApi = new Map<number, Sighting[]>();
  for (const sighting of sightings) {
    const list = byApi.get(sighting.api);
    if (list) list.push(sighting);
    else byApi.set(sighting.api, [sighting]);
  }
  return byApi;
}

function add(outcome: AnalysisOutcome, output: CoordinatorOutput): void {
  // Item by item: an attack makes more of them in a tick than a call takes arguments.
  for (const finding of output.findings) outcome.findings.push(finding);
  for (const verdict of output.verdicts) outcome.verdicts.push(verdict);
  for (const decision of output.decisions) outcome.decisions.push(decision);
  for (const answer of output.answers) outcome.answers.push(answer);
}

/** The engine behind `picket analyze`: the same identification, detection and scoring as live traffic, on a log's own time. */
import { createHash, randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { type AnalysisOutcome, createAnalysis } from '@picket/analyzer/analysis.ts';
import type { MatchValues } from '@picket/analyzer/decide/match.ts';
import { createEscrow } from '@picket/analyzer/identify/escrow.ts';
import { createGenerationMap, hashKey } from '@picket/analyzer/identify/generation-map.ts';
import { createIdentifier, type Identifier } from '@picket/analyzer/identify/identifier.ts';
import { createKeyRing, type RandomBytes } from '@picket/analyzer/identify/key-ring.ts';
import { ValueKind } from '@picket/analyzer/identify/pseudonym.ts';
import type { LogEntry } from '@picket/analyzer/logs/file-cursor.ts';
import { inferFromLogs, type LogInference } from '@picket/analyzer/logs/infer.ts';
import { LogInputError, type LogSet, openLogs } from '@picket/analyzer/logs/open.ts';
import { F, Flag, methods, type ObservationBatch, Outcome, STRIDE } from '@picket/analyzer/observation.ts';
import { createOperationRegistry, type OperationRegistry } from '@picket/analyzer/operations/registry.ts';
import { apiIdOf } from '@picket/analyzer/operations/template.ts';
import type { CampaignTrait } from '@picket/analyzer/verdict.ts';
import {
  Action,
  BehaviorSchema,
  type CompiledPolicy,
  CompiledPolicySchema,
  Level,
  Mode,
  PrincipalKind,
  ResponseSchema,
  SafetySchema,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { wordsOf } from '@picket/analyzer/profile/hash.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { createLedger } from '@picket/runtime/ledger.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import type { Host } from '@picket/runtime/host.ts';
import { type ActedOn, type AnalyzeCollector, createCollector, type SeenRequest } from './collector.ts';
import { createDryRun } from './dry-run.ts';
import type { AnalyzeOptions } from './options.ts';
import type { EvidenceKey } from './principal-evidence.ts';
import { writeManifests } from './outputs.ts';
import { createProgress, noProgress } from './progress.ts';
import { type AnalyzeResult, type ApiSummary, instant } from './result.ts';
import { UnusableInput } from './unusable-input.ts';

/** Lines may be this much out of order before a tick closes over them. */
const lagMs = 2_000;
/** Nobody waits for a decision here, and most logs tell whole seconds: shorter ticks would only cost. */
const tickMs = 1_000;
/** Some 90,000 callers that are active at a time; past it those not seen for longest make room. */
const tableBytes = 96 << 20;
/** What the report supposes where no policy is given. */
const assumedPolicy = 'the default responses (Tag at Elevated, Throttle at High, Deny at Critical), dry run';

export async function runAnalyze(options: AnalyzeOptions, stop: AbortSignal, host: Host): Promise<AnalyzeResult> {
  const progress = { bytes: 0, total: null as number | null };
  let bar = noProgress;
  const logs = await open(options, stop, host, (p) => {
    progress.bytes = p.bytesRead;
    bar.update(p.bytesRead, p.records);
  });
  const total = logs.files.some((f) => f.sizeBytes === undefined)
    ? null
    : logs.files.reduce((sum, f) => sum + (f.sizeBytes ?? 0), 0);
  const { policies, inference, apis, notes, policyText } = await policiesFor(options, logs, host);
  if (options.progress)
    bar = createProgress({
      totalBytes: total,
      clock: systemClock,
      tty: process.stderr.isTTY === true,
      columns: process.stderr.columns || 80,
      write: (text) => host.err(text),
    });
  const collector = createCollector();
  // Where values are shown a secret hides nothing, and the same log should give the same report.
  const random = options.pseudonymise ? (count: number) => randomBytes(count) : knownBytes();
  const run = createRun(policies, options.workers ?? 0, collector, random);
  let ahead = inference?.sampled ?? 0;
  const span = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
  try {
    for await (const batch of logs.read()) {
      for (const entry of batch) {
        // The inference goes on behind its sample: a login may be tried for the first time at the end of the log.
        if (inference && --ahead < 0) {
          const changed = inference.follow(entry.record);
          if (changed) run.change(dryRun(changed.policy, true));
        }
        inference?.crowds.blur(entry.record);
        span.from = Math.min(span.from, entry.at);
        span.to = Math.max(span.to, entry.at);
        if (options.sinceMs !== undefined && entry.at < options.sinceMs) continue;
        if (options.untilMs !== undefined && entry.at >= options.untilMs) continue;
        if (!run.begun) await run.begin(entry.at);
        if (run.due(entry.at)) {
          const ticking = run.tick(entry.at);
          if (ticking) await ticking;
        }
        run.take(entry, logs.files[entry.file]?.name ?? '');
      }
    }
    await run.finish();
  } finally {
    bar.end();
    await run.close();
  }
  const report = logs.report();
  if (report.accepted === 0) throw new UnusableInput(nothingRead(logs, options.format));
  if (!run.begun && !report.aborted)
    throw new UnusableInput(
      `No request lies in the chosen time; the log goes from ${instant(span.from)} to ${instant(span.to)}.`,
    );
  if (inference && options.manifestsOut !== undefined) {
    const kept = await writeManifests(options.manifestsOut, inference);
    for (const sentence of kept) host.err(`picket analyze: ${sentence}\n`);
    notes.push(...kept);
  }
  for (const sample of report.samples)
    collector.onRejected({ line: sample.line, file: sample.file, reason: sample.reason });
  for (const [reason, count] of Object.entries(report.byReason)) {
    const unsampled = (count ?? 0) - report.samples.filter((s) => s.reason === reason).length;
    if (unsampled > 0) collector.onRejectedMore(reason, unsampled);
  }
  return collector.build({
    inputs: report.files.map((f) => ({
      file: f.name,
      format: f.format,
      lines: f.accepted + f.rejected,
      bytes: logs.files.find((l) => l.name === f.name)?.sizeBytes ?? null,
    })),
    apis,
    interrupted: report.aborted,
    policy: policyText,
    principalValue: (kind, pseudonym) => run.valueOf(kind as number, pseudonym),
    traitValue: (trait) => run.traitOf(trait),
    notes,
  });
}

async function open(
  options: AnalyzeOptions,
  stop: AbortSignal,
  host: Host,
  onProgress: (p: { bytesRead: number; records: number }) => void,
): Promise<LogSet> {
  try {
    return await openLogs({
      paths: options.files,
      cwd: host.cwd,
      stdin: process.stdin,
      ...(options.format === undefined ? {} : { format: options.format }),
      signal: stop,
      onProgress,
    });
  } catch (error) {
    if (error instanceof LogInputError) throw new UnusableInput(error.message);
    throw error;
  }
}

function nothingRead(logs: LogSet, format: string | undefined): string {
  const names = logs.files.map((f) => f.name).join(', ');
  if (format !== undefined) return `Nothing in ${names} is an access record of --format ${format}.`;
  return `Nothing in ${names} is an access record; name the format with --format if it is one.`;
}

interface Policies {
  policies: CompiledPolicy[];
  /** Absent with manifests. */
  inference: LogInference | undefined;
  apis: Omit<ApiSummary, 'requests'>[];
  notes: string[];
  policyText: string;
}

/** Policies as stated by manifests, else as inferred from the first records. */
async function policiesFor(options: AnalyzeOptions, logs: LogSet, host: Host): Promise<Policies> {
  if (options.manifests !== undefined) {
    // Half of the time to start, and few state their manifests.
    const { compileManifests } = await import('../up/compile-manifests.ts');
    const { policies, problems } = await compileManifests(options.manifests, 'analyze').catch((error: unknown) => {
      if (error instanceof PicketError) throw new UnusableInput(error.message, { cause: error });
      throw error;
    });
    for (const problem of problems) host.err(`${problem}\n`);
    if (policies.length === 0) throw new UnusableInput(`No ProtectedAPI in ${options.manifests} is valid.`);
    return {
      policies: policies.map((p) => dryRun(p, false)),
      inference: undefined,
      apis: policies.map((p) => ({ name: p.api, hosts: p.hosts, source: 'manifests', facts: [] })),
      notes: [],
      policyText: 'the policies of the manifests, dry run',
    };
  }
  const inference = await inferFromLogs(logs);
  return {
    policies: inference.apis.map((a) => dryRun(a.policy, true)),
    inference,
    apis: inference.apis.map((a) => ({
      name: a.policy.api,
      hosts: a.policy.hosts,
      source: 'inferred',
      facts: a.notes,
    })),
    notes: inference.notes,
    policyText: assumedPolicy,
  };
}

/** Defaults of a BehaviorPolicy: see its reference. */
const assumedSafety = { maxShareOfPrincipals: 0.01, maxShareOfRequests: 0.02, maxPrincipalsPerAddress: 5 } as const;

/** The policy as if it acted, so that the report can say what would have happened. A log has no day of baseline to wait for. */
function dryRun(policy: CompiledPolicy, assumed: boolean): CompiledPolicy {
  const behavior = policy.behavior ?? create(BehaviorSchema, {});
  const responses =
    behavior.responses.length > 0 && !assumed
      ? behavior.responses
      : [
          create(ResponseSchema, { level: Level.ELEVATED, action: Action.TAG, forMs: 1_800_000n }),
          create(ResponseSchema, {
            level: Level.HIGH,
            action: Action.THROTTLE,
            forMs: 600_000n,
            throttleRequestsPerMinute: 30,
          }),
          create(ResponseSchema, { level: Level.CRITICAL, action: Action.DENY, forMs: 900_000n }),
        ];
  return create(CompiledPolicySchema, {
    ...policy,
    behavior: {
      ...behavior,
      mode: Mode.DRY_RUN,
      responses,
      // The log is all there is: its first day counts as the baseline. The other limits are the defaults.
      ...(assumed
        ? { safety: create(SafetySchema, { ...(behavior.safety ?? assumedSafety), minBaselineMs: 1n }) }
        : {}),
    },
  });
}

interface Run {
  readonly begun: boolean;
  /** Puts the policies into force before the first record, which is at `at`. */
  begin(at: number): Promise<void>;
  /** Takes a later revision of a policy into use. */
  change(policy: CompiledPolicy): void;
  /** Ticks must end before a record at `at` is taken. */
  due(at: number): boolean;
  tick(at: number): void | Promise<void>;
  take(entry: LogEntry, file: string): void;
  finish(): Promise<void>;
  close(): Promise<void>;
  valueOf(kind: ValueKind, pseudonym: string): string | undefined;
  traitOf(trait: CampaignTrait): string | undefined;
}

function createRun(policies: CompiledPolicy[], workers: number, collector: AnalyzeCollector, random: RandomBytes): Run {
  const escrow = createEscrow({ retain: 'all', capacityPerKind: 65_536 });
  const registry = createOperationRegistry();
  const identifier: Identifier = createIdentifier({
    keys: createKeyRing(random, 0),
    operations: registry,
    escrow,
    ledger: createLedger(),
  });
  let current = policies;
  identifier.setPolicies(current);
  const valueOf = (kind: ValueKind, pseudonym: string): string | undefined => {
    const { lo, hi } = wordsOf(pseudonym);
    return escrow.reveal(kind, lo, hi)?.value;
  };
  const values: MatchValues = {
    // Nothing is sent to an Envoy here: every principal counts as one that could be named.
    keyOf: (kind, pseudonym) => ({
      ok: true,
      value: valueOf(kind as number, pseudonym) ?? pseudonym,
      as: 'value',
    }),
    traitOf: (trait, pseudonym) =>
      valueOf(trait === 'ja4' ? ValueKind.Ja4 : ValueKind.UserAgent, pseudonym) ?? pseudonym,
  };
  const analysis = createAnalysis({ workers, tableBytes, valuesOf: () => values });
  for (const policy of policies) analysis.input({ kind: 'policy', policy });
  const apiNames = new Map(policies.map((p) => [apiIdOf(p.api).lo, p.api]));
  const see = createSight(collector, apiNames, registry);
  const dry = createDryRun();
  let tickAt = Number.NEGATIVE_INFINITY;
  let latest = Number.NEGATIVE_INFINITY;
  let begun = false;

  const runTick = (at: number): void | Promise<void> => {
    tickAt = at;
    if (analysis.idle(at)) return;
    const outcome = analysis.run(analysis.closeTick(at));
    return outcome instanceof Promise ? outcome.then(show) : show(outcome);
  };
  const show = (outcome: AnalysisOutcome): void => {
    for (const verdict of outcome.verdicts) collector.onVerdict(verdict, outcome.at);
    for (const change of outcome.decisions) {
      const about = outcome.verdicts.findLast((v) => v.name === change.decision.verdict);
      dry.apply(change, about?.campaign?.traits ?? []);
    }
  };

  const inTurn = async (ends: readonly number[]): Promise<void> => {
    for (const end of ends) await runTick(end);
  };

  return {
    get begun() {
      return begun;
    },
    async begin(at) {
      begun = true;
      latest = at;
      // Inputs take effect when a tick has run.
      await runTick(Math.floor((at - lagMs) / tickMs) * tickMs - tickMs);
    },
    change(policy) {
      current = current.map((p) => (p.api === policy.api ? policy : p));
      identifier.setPolicies(current);
      analysis.input({ kind: 'policy', policy });
    },
    take(entry, file) {
      const { batch } = analysis.engine;
      if (identifier.identify(entry.record, batch, entry.at, 0) !== undefined) return;
      const base = (batch.length - 1) * STRIDE;
      analysis.accept(base);
      see(batch, base, entry, file, dry.meets(batch, base, entry.at));
      latest = Math.max(latest, entry.at);
    },
    due: (at) => at - lagMs >= tickAt + tickMs,
    tick(at) {
      const end = Math.floor((at - lagMs) / tickMs) * tickMs;
      // Judged when it happened: after a gap in the log the evidence would have decayed before anyone looked at it.
      const settled = Math.ceil((latest + 1) / tickMs) * tickMs;
      const next = settled + tickMs;
      if (settled < end) return inTurn(next < end ? [settled, next, end] : [settled, next]);
      return end > tickAt ? runTick(end) : undefined;
    },
    async finish() {
      if (!Number.isFinite(latest)) return;
      // Twice: what keys told each other in the last tick arrives in the next.
      const end = Math.ceil(latest / tickMs) * tickMs;
      await inTurn([end, end + tickMs, end + 2 * tickMs]);
      for (const verdict of analysis.verdicts()) collector.onVerdict(verdict, latest);
    },
    close: () => analysis.close(),
    valueOf,
    traitOf(trait) {
      switch (trait.trait) {
        case 'address':
          return valueOf(ValueKind.Address, trait.value);
        case 'network':
          return valueOf(ValueKind.Network, trait.value);
        case 'userAgent':
          return valueOf(ValueKind.UserAgent, trait.value);
        case 'ja4':
          return valueOf(ValueKind.Ja4, trait.value);
        default:
          return trait.value;
      }
    },
  };
}

const principalFields: readonly [PrincipalKind, number][] = [
  [PrincipalKind.ADDRESS, F.address],
  [PrincipalKind.NETWORK, F.network],
  [PrincipalKind.USER, F.user],
  [PrincipalKind.SESSION, F.session],
  [PrincipalKind.TOKEN, F.token],
  [PrincipalKind.APP, F.app],
];

/** Shows observations to the collector: one request, refilled for each. */
function createSight(
  collector: AnalyzeCollector,
  apiNames: ReadonlyMap<number, string>,
  registry: OperationRegistry,
): (batch: ObservationBatch, base: number, entry: LogEntry, file: string, acted: ActedOn | undefined) => void {
  const templates = createGenerationMap<number, string>(4096);
  const keys = principalFields.map(([kind]) => ({ kind, lo: 0, hi: 0 }));
  /** Those that a request has, by which of the fields it has: a list filled anew would be new memory each time. */
  const lists = new Map<number, EvidenceKey[]>();
  const seen: SeenRequest = {
    ...{ seq: 0, eventAtMs: 0, api: '', method: '', template: '', status: 0, durationMs: 0, responseBytes: 0 },
    ...{ failedFlow: false, signals: 0, principals: keys, acted: undefined, file: '', line: 0, text: '' },
  };

  function templateOf(lo: number, hi: number): string {
    const key = hashKey(lo, hi);
    let template = templates.get(key);
    if (template === undefined) {
      template = registry.byId(lo, hi)?.operation.template ?? '';
      templates.set(key, template);
    }
    return template;
  }

  return ({ u32, f64 }, base, entry, file, acted) => {
    const kinds = u32[base + F.kinds] as number;
    const unknown = ((u32[base + F.flags] as number) & Flag.unknownOperation) !== 0;
    seen.seq = f64[(base + F.seq) >> 1] as number;
    seen.eventAtMs = entry.at;
    seen.api = apiNames.get(u32[base + F.api] as number) ?? '';
    seen.method = methods[kinds & 0xff] ?? 'OTHER';
    seen.template = unknown ? '' : templateOf(u32[base + F.operation] as number, u32[base + F.operation + 1] as number);
    seen.status = u32[base + F.status] as number;
    seen.durationMs = f64[(base + F.durationMs) >> 1] as number;
    seen.responseBytes = f64[(base + F.responseBytes) >> 1] as number;
    seen.failedFlow = ((kinds >>> 16) & 0xff) === Outcome.failure;
    seen.signals = u32[base + F.signals] as number;
    let present = 0;
    for (let i = 0; i < principalFields.length; i++) {
      const field = (principalFields[i] as [PrincipalKind, number])[1];
      const key = keys[i] as EvidenceKey;
      key.lo = u32[base + field] as number;
      key.hi = u32[base + field + 1] as number;
      if ((key.lo | key.hi) !== 0) present |= 1 << i;
    }
    let principals = lists.get(present);
    if (principals === undefined) lists.set(present, (principals = keys.filter((_, i) => present & (1 << i))));
    seen.principals = principals;
    seen.acted = acted;
    seen.file = file;
    seen.line = entry.line;
    seen.text = entry.raw === '' ? asLine(entry) : entry.raw;
    collector.onObservation(seen);
  };
}

/** Stands for the line of a request that has none of its own. */
function asLine({ record, at }: LogEntry): string {
  return `${instant(at)} ${record.remoteAddress || '-'} ${record.method} ${record.path} ${record.status}`;
}

/** Bytes that look random and are the same in each run. */
function knownBytes(): RandomBytes {
  let drawn = 0;
  return (count) => createHash('shake256', { outputLength: count }).update(`picket analyze ${drawn++}`).digest();
}

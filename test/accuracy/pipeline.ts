/**
 * The real path from bytes to verdicts, at event time: access log messages as Envoy sends them, decoder, identifier,
 * analysis. No clock is read: ticks follow the entries. The store is left out of this loop, since no verdict reads it;
 * that stored rows give the same verdicts is proved by `picket replay` and its tests.
 */
import { type Analysis, type AnalysisOutcome, createAnalysis } from '@picket/analyzer/analysis.ts';
import { createEscrow } from '@picket/analyzer/identify/escrow.ts';
import { createIdentifier, type IdentifierState } from '@picket/analyzer/identify/identifier.ts';
import { ValueKind } from '@picket/analyzer/identify/pseudonym.ts';
import { createAlsDecoder } from '@picket/analyzer/ingest/als-decoder.ts';
import type { AccessRecord } from '@picket/analyzer/ingest/access-record.ts';
import { createSourceClocks } from '@picket/analyzer/ingest/clock-skew.ts';
import { createIntake } from '@picket/analyzer/intake.ts';
import type { ObservationBatch } from '@picket/analyzer/observation.ts';
import { createOperationRegistry, type RegistryState } from '@picket/analyzer/operations/registry.ts';
import type { AnalysisState } from '@picket/analyzer/analysis.ts';
import type { CompiledPolicy } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { createLedger } from '@picket/runtime/ledger.ts';
import type { Shop, ShopReply } from '../../examples/shop/shop.ts';
import { answerEvent, encodeMessage } from '../scenarios/drivers/als-entry.ts';
import type { EventStream, RequestEvent } from '../scenarios/request-event.ts';
import type { Stage } from './world.ts';

/** What a finished warm-up knows; every scenario of a seed starts from a copy. */
export interface PipelineState {
  analysis: AnalysisState;
  operations: RegistryState;
  identifier: IdentifierState;
}

export interface Pipeline {
  readonly analysis: Analysis;
  /** Plays a stream to its end. */
  play(stream: EventStream, shop: Shop, watch: Watch): Promise<void>;
  save(): Promise<PipelineState>;
  /** Sum of dropped entries: 0, or the run means nothing. */
  dropped(): number;
  close(): Promise<void>;
}

export interface Watch {
  onObservation?(event: RequestEvent, batch: ObservationBatch, base: number): void;
  onReply?(event: RequestEvent, reply: ShopReply): void;
  onOutcome?(outcome: AnalysisOutcome): void;
}

/** The same in every run, so that pseudonyms, partitions and figures are. */
const secret = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(11);
const entriesPerMessage = 32;

export async function createPipeline(
  stage: Stage,
  policies: readonly CompiledPolicy[],
  from?: PipelineState,
): Promise<Pipeline> {
  const ledger = createLedger();
  const escrow = createEscrow();
  const registry = createOperationRegistry();
  const keys = {
    active: { id: '0'.repeat(16), secret: secret(32), createdAtMs: 0 },
    overlapUntilMs: 0,
    contentSecret: secret(32),
  };
  const identifier = createIdentifier({ keys, operations: registry, escrow, ledger });
  identifier.setPolicies(policies);
  const analysis = createAnalysis({
    workers: 0,
    valuesOf: (api) => ({
      keyOf: (kind, pseudonym) => identifier.matchKey(api, kind as number, low(pseudonym), high(pseudonym)),
      traitOf: (trait, pseudonym) =>
        escrow.reveal(trait === 'ja4' ? ValueKind.Ja4 : ValueKind.UserAgent, low(pseudonym), high(pseudonym))?.value,
    }),
  });
  if (from) {
    const copy = structuredClone(from);
    registry.restore(copy.operations);
    identifier.restore(copy.identifier);
    await analysis.load(copy.analysis);
  } else for (const policy of policies) analysis.input({ kind: 'policy', policy });
  const decoder = createAlsDecoder();
  const source = { source: 'envoy' };
  let onObservation: Watch['onObservation'];
  let current: RequestEvent | undefined;
  const intake = createIntake({
    analysis,
    identifier,
    clocks: createSourceClocks(),
    ledger,
    onObservation: (batch, base) => onObservation?.(current as RequestEvent, batch, base),
  });
  const random = stage.world.random.fork('entries');

  const tick = async (watch: Watch): Promise<void> => {
    const at = intake.due(Number.POSITIVE_INFINITY);
    if (at === undefined) return;
    intake.closed(at);
    if (analysis.idle(at)) return;
    watch.onOutcome?.(await analysis.run(analysis.closeTick(at)));
  };

  return {
    analysis,
    async play(stream, shop, watch) {
      onObservation = watch.onObservation;
      let events: RequestEvent[] = [];
      let entries: Parameters<typeof encodeMessage>[0] = [];
      let due = false;
      const flush = async (): Promise<void> => {
        let index = 0;
        const take = (record: AccessRecord): void => {
          current = events[index++];
          due = intake.past(record, Number.POSITIVE_INFINITY) || due;
        };
        decoder.decode(encodeMessage(entries, undefined), source, stage.clock.now, { finished: take });
        if (index !== events.length) throw new Error(`${events.length - index} entries were not decoded`);
        events = [];
        entries = [];
        if (!due) return;
        due = false;
        await tick(watch);
      };
      let bucket = Number.NaN;
      for (let next = stream.next(); !next.done; next = stream.next()) {
        const event = next.value;
        const at = Math.floor(event.at / 250);
        // One message never spans two ticks, so that ticks are as fine as in live traffic.
        if (entries.length > 0 && (at !== bucket || entries.length >= entriesPerMessage)) await flush();
        bucket = at;
        const answered = answerEvent(event, { shop, clock: stage.clock, flows: stage.flows, random });
        watch.onReply?.(event, answered.reply);
        events.push(event);
        entries.push(answered.entry);
      }
      if (entries.length > 0) await flush();
      await tick(watch);
    },
    save: async () => ({
      analysis: await analysis.save(),
      operations: registry.toJSON(),
      identifier: identifier.toJSON(),
    }),
    dropped: () => ledger.snapshot().dropped,
    close: () => analysis.close(),
  };
}

function low(pseudonym: string): number {
  return Number.parseInt(pseudonym.slice(8), 16);
}

function high(pseudonym: string): number {
  return Number.parseInt(pseudonym.slice(0, 8), 16);
}

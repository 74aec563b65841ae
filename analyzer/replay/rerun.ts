/**
 * Stored rows back through the same stages: after a restart to catch up with what was stored after the checkpoint, and
 * for `picket replay` to show that the same rows give the same verdicts.
 */
import { fromJsonString, toJsonString } from '@bufbuild/protobuf';
import { DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { CompiledPolicySchema, type PrincipalKind } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Analysis, AnalysisInput, AnalysisOutcome, Disposition } from '../analysis.ts';
import { F, ObservationBatch, STRIDE } from '../observation.ts';
import type { KeyRing } from '../identify/key-ring.ts';
import type { MatchRecord, MatchStatement } from '../decide/match.ts';
import type { GapRow, InputRow, Store } from '../store/store.ts';
import { type LoggedRenaming, RENAMED, renamingsFromRow } from './renamings.ts';

export interface RerunResult {
  observations: number;
  ticks: number;
  /** Observations after the last stored tick: they wait in the open batch. */
  open: number;
  /** Event time of the latest observation, 0 = there was none. */
  latestAt: number;
  /** Keys whose renamings could not be read: those they name are strangers. */
  lostKeys: string[];
}

/** Processed but never stored: nobody can know what they did to the state. */
export class NotReproducible extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotReproducible';
  }
}

/**
 * Runs everything stored after the analysis' last sequence number.
 *
 * @param onOutcome gets each tick's outcome in order
 * @throws NotReproducible when `strict` is set and rows or ticks of the range are missing; otherwise what is missing is
 *   skipped, and numbers go on where the stored ones do
 */
export async function rerun(
  analysis: Analysis,
  store: Store,
  options: {
    strict: boolean;
    untilTick?: number;
    /** Opens what a key rotation has logged; without its keys a strict rerun across one is not possible. */
    keys?: KeyRing | undefined;
    onOutcome(outcome: AnalysisOutcome): void;
    onProgress?(observations: number): void;
    /** Sees each observation once. */
    onObservation?(batch: ObservationBatch, base: number): void;
  },
): Promise<RerunResult> {
  const from = analysis.engine.lastSeq;
  const fromTick = analysis.engine.tick;
  const gaps = await store.readGaps(from);
  const gap = gaps[0];
  if (gap && options.strict) throw new NotReproducible(whyGap(gap));
  const rows = await store.readInputs(from);
  const { inputs, answers } = byTick(rows);
  analysis.recalling(true);
  const result: RerunResult = { observations: 0, ticks: 0, open: 0, latestAt: 0, lostKeys: [] };
  const reader = createReader(store, from, renamingsOf(rows, options, result.lostKeys), options);
  for await (const ticks of store.readTicks(from)) {
    for (const row of ticks) {
      if (row.tick <= fromTick) continue;
      if (options.untilTick !== undefined && row.tick > options.untilTick) return result;
      result.observations += await reader.upTo(row.lastSeq, analysis, result);
      if (analysis.engine.lastSeq < row.lastSeq) {
        if (options.strict) throw missingRows(analysis.engine.lastSeq + 1, row.lastSeq);
        analysis.engine.resumeAfter(row.lastSeq);
      }
      for (const input of inputs.get(tickKey(row.lastSeq, row.at)) ?? []) analysis.input(input);
      if (analysis.engine.tick + 1 !== row.tick) {
        if (options.strict)
          throw new NotReproducible(`ticks ${analysis.engine.tick + 1} to ${row.tick - 1} were run but are not stored`);
        analysis.engine.resumeAfterTick(row.tick - 1);
      }
      for (const answer of answers.get(tickKey(row.lastSeq, row.at)) ?? []) analysis.recall(answer);
      options.onOutcome(await analysis.run(analysis.closeTick(row.at)));
      result.ticks++;
      options.onProgress?.(result.observations);
    }
  }
  analysis.recalling(false);
  if (options.untilTick === undefined) result.open = await reader.upTo(Number.MAX_SAFE_INTEGER, analysis, result);
  return result;
}

/** Reason of the gap that a start without a store leaves. */
export const unreadAtStart = 'unread_at_start';

function whyGap({ fromSeq, toSeq, reason, at }: GapRow): string {
  return reason === unreadAtStart
    ? `the store did not answer when Picket started at ${new Date(at).toISOString()}: what came before was left out (${reason})`
    : `rows ${fromSeq} to ${toSeq} were processed but not stored (${reason})`;
}

/** In the order in which they took effect. */
function renamingsOf(
  rows: readonly InputRow[],
  { keys, strict }: { keys?: KeyRing | undefined; strict: boolean },
  lostKeys: string[],
): LoggedRenaming[] {
  const renamings: LoggedRenaming[] = [];
  for (const row of rows) {
    if (row.kind !== RENAMED) continue;
    const opened = renamingsFromRow(row, keys);
    if (!opened && strict)
      throw new NotReproducible(
        `pseudonyms changed at row ${row.seq}, and key ${row.key}, which tells how, is not in the key ring (any more)`,
      );
    if (!opened && !lostKeys.includes(row.key)) lostKeys.push(row.key);
    renamings.push(...(opened ?? []));
  }
  return renamings.sort((a, b) => a.seq - b.seq);
}

function missingRows(from: number, to: number): NotReproducible {
  return new NotReproducible(`rows ${from} to ${to} are not stored any more, or never were`);
}

/** Event time alone may come twice when a clock that was ahead is set right. */
function tickKey(lastSeq: number, at: number): string {
  return `${lastSeq} ${at}`;
}

function byTick(rows: readonly InputRow[]): {
  inputs: Map<string, AnalysisInput[]>;
  answers: Map<string, MatchRecord[]>;
} {
  const inputs = new Map<string, AnalysisInput[]>();
  const answers = new Map<string, MatchRecord[]>();
  for (const row of rows) {
    const key = tickKey(row.seq, row.at);
    const input = inputFromRow(row);
    if (input) push(inputs, key, input);
    else if (row.kind === 'match') push(answers, key, answerFromRow(row));
  }
  return { inputs, answers };
}

function push<T>(map: Map<string, T[]>, key: string, item: T): void {
  const list = map.get(key);
  if (list) list.push(item);
  else map.set(key, [item]);
}

/** A match answer as it is logged among the inputs. */
export function answerToRow({ api, kind, pseudonym, statement }: MatchRecord): Pick<InputRow, 'kind' | 'key' | 'body'> {
  return { kind: 'match', key: api, body: JSON.stringify([kind, pseudonym, statement]) };
}

export function answerFromRow(row: Pick<InputRow, 'key' | 'body'>): MatchRecord {
  const [kind, pseudonym, statement] = JSON.parse(row.body) as [PrincipalKind, string, MatchStatement];
  return { api: row.key, kind, pseudonym, statement };
}

/** An input as it is logged; `inputFromRow` reads it back. */
export function inputToRow(input: AnalysisInput): Pick<InputRow, 'kind' | 'key' | 'body'> {
  switch (input.kind) {
    case 'policy':
      return { kind: 'policy', key: input.policy.api, body: toJsonString(CompiledPolicySchema, input.policy) };
    case 'policyDeleted':
      return { kind: 'policyDeleted', key: input.api, body: '' };
    case 'review':
      return { kind: 'review', key: input.verdict, body: input.disposition };
    case 'adoption':
      return { kind: 'adoption', key: input.decision.api, body: toJsonString(DecisionSchema, input.decision) };
    case 'exemption':
      return { kind: 'exemption', key: input.api, body: JSON.stringify([input.principal, input.pseudonym]) };
  }
}

function inputFromRow(row: InputRow): AnalysisInput | undefined {
  switch (row.kind) {
    case 'policy':
      return { kind: 'policy', policy: fromJsonString(CompiledPolicySchema, row.body) };
    case 'policyDeleted':
      return { kind: 'policyDeleted', api: row.key };
    case 'review':
      return { kind: 'review', verdict: row.key, disposition: row.body as Disposition };
    case 'adoption':
      return { kind: 'adoption', decision: fromJsonString(DecisionSchema, row.body) };
    case 'exemption': {
      const [principal, pseudonym] = JSON.parse(row.body) as [PrincipalKind, string];
      return { kind: 'exemption', api: row.key, principal, pseudonym };
    }
    default:
      return undefined;
  }
}

interface Reader {
  /** Moves rows up to `seq` into the open batch and notes the latest event time; returns how many. */
  upTo(seq: number, analysis: Analysis, notes: { latestAt: number }): Promise<number>;
}

function createReader(
  store: Store,
  after: number,
  renamings: LoggedRenaming[],
  { strict, onObservation }: { strict: boolean; onObservation?(batch: ObservationBatch, base: number): void },
): Reader {
  const pages = store
    .readObservations(after, Number.MAX_SAFE_INTEGER, new ObservationBatch(1024))
    [Symbol.asyncIterator]();
  let page: ObservationBatch | undefined;
  let next = 0;
  let renamed = 0;
  const renameUpTo = (seq: number, analysis: Analysis): void => {
    for (; renamed < renamings.length && (renamings[renamed] as LoggedRenaming).seq <= seq; renamed++)
      analysis.rename(renamings[renamed] as LoggedRenaming, (renamings[renamed] as LoggedRenaming).at);
  };
  return {
    async upTo(seq, analysis, notes) {
      let moved = 0;
      for (;;) {
        if (!page || next >= page.length) {
          const more = await pages.next();
          if (more.done) return moved;
          page = more.value;
          next = 0;
          if (page.length === 0) continue;
        }
        const base = next * STRIDE;
        const rowSeq = page.f64[(base + F.seq) >> 1] as number;
        if (rowSeq > seq) return moved;
        const { lastSeq } = analysis.engine;
        if (rowSeq !== lastSeq + 1) {
          if (strict) throw missingRows(lastSeq + 1, rowSeq - 1);
          analysis.engine.resumeAfter(rowSeq - 1);
        }
        const batch = analysis.engine.batch;
        const into = batch.append();
        notes.latestAt = Math.max(notes.latestAt, page.f64[(base + F.eventAt) >> 1] as number);
        batch.u32.set(page.u32.subarray(base, base + STRIDE), into);
        batch.requestIds[into / STRIDE] = page.requestIds[next] ?? '';
        renameUpTo(rowSeq, analysis);
        analysis.accept(into);
        onObservation?.(batch, into);
        next++;
        moved++;
      }
    },
  };
}

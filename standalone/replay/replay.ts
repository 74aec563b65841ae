/** `picket replay`: stored rows through the same build again, and whether they give the same verdicts. */
import { Command, Option } from 'commander';
import { join } from 'node:path';
import { type AnalysisOutcome, createAnalysis } from '@picket/analyzer/analysis.ts';
import type { MatchValues } from '@picket/analyzer/decide/match.ts';
import { type KeyRing, readKeyRing } from '@picket/analyzer/identify/key-ring.ts';
import { createCheckpoints, type CheckpointInfo } from '@picket/analyzer/replay/checkpoint.ts';
import { NotReproducible, rerun } from '@picket/analyzer/replay/rerun.ts';
import type { Store } from '@picket/analyzer/store/store.ts';
import type { Verdict } from '@picket/analyzer/verdict.ts';
import { levelNames } from '@picket/analyzer/publish/names.ts';
import { systemClock } from '@picket/runtime/clock.ts';
import { PicketError } from '@picket/runtime/errors.ts';
import { createLogger } from '@picket/runtime/log.ts';
import type { Host } from '@picket/runtime/host.ts';
import { renderTable } from '@picket/kubectl-risk/table.ts';
import { openStoreForReading } from './open-store.ts';

interface ReplayOptions {
  data: string;
  storeUrl?: string;
  verdict?: string;
  from?: string;
  workers: number;
  output?: 'json';
}

export interface ReplayReport {
  checkpoint: string;
  observations: number;
  ticks: number;
  verdicts: number;
  same: number;
  /** Stored and recomputed statements that differ. */
  different: { name: string; tick: number; stored: string; recomputed: string }[];
}

/** The newest statements are compared, up to this many. */
const maxCompared = 10_000;

/** A replay knows no values behind pseudonyms: whether there were any is among the stored inputs. */
const noValues: MatchValues = {
  keyOf: () => ({ ok: false, reason: 'ValueForgotten', message: 'a replay knows no values' }),
  traitOf: () => undefined,
};

export function replayCommand(host: Host): Command {
  return new Command('replay')
    .description('Compute verdicts again from stored rows and compare them with what was said then.')
    .requiredOption('--data <dir>', 'data folder of the Picket that stored them')
    .option('--store-url <url>', 'the ClickHouse server it stored to, when it was not the embedded one')
    .option('--verdict <name>', 'compare this verdict only')
    .option('--from <checkpoint>', 'start at this checkpoint; default: the oldest from which all rows are stored')
    .addOption(new Option('--workers <n>', 'worker threads').default(0).argParser(Number))
    .addOption(new Option('-o, --output <format>').choices(['json']))
    .addHelpText(
      'after',
      '\nExit codes: 0 the same verdicts, 1 different ones, 10 not reproducible: rows are missing (the message says which).\n',
    )
    .action(async (options: ReplayOptions) => {
      const log = createLogger({
        level: 'warn',
        format: 'text',
        clock: systemClock,
        destination: { write: (line) => host.err(line) },
        component: 'replay',
      });
      const opened = await openStoreForReading(options, host, log);
      try {
        const report = await replay(opened.store, options);
        await host.out(options.output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : describe(report));
        if (report.different.length > 0) host.setExitCode(1);
      } catch (error) {
        if (error instanceof NotReproducible)
          throw new PicketError('NotReproducible', `NotReproducible: ${error.message}`, { cause: error });
        throw error;
      } finally {
        await opened.close();
      }
    });
}

export async function replay(store: Store, options: ReplayOptions): Promise<ReplayReport> {
  const checkpoints = createCheckpoints(join(options.data, 'checkpoints'), process.versions.node.split('.')[0] ?? '');
  const extent = await store.extent();
  if (extent.observations === 0) throw new NotReproducible('no observations are stored');
  const start = await chooseStart(await checkpoints.list(), extent.firstSeq, options.from);
  const analysis = createAnalysis({ workers: options.workers, valuesOf: () => noValues });
  const recomputed = new Map<string, Verdict>();
  let fromTick = 0;
  try {
    if (start) {
      await analysis.load((await checkpoints.read(start.file)).analysis);
      fromTick = start.tick;
    }
    const result = await rerun(analysis, store, {
      strict: true,
      keys: keysOf(options.data),
      onOutcome: (outcome: AnalysisOutcome) => {
        for (const verdict of outcome.verdicts) recomputed.set(`${verdict.name} ${verdict.tick}`, verdict);
      },
    });
    // A running Picket may have said more since the last tick that was read.
    const upTo = analysis.engine.tick;
    const filter = { limit: maxCompared, ...(options.verdict ? { verdict: options.verdict } : {}) };
    const stored = (await store.readVerdicts(filter)).filter((v) => v.tick > fromTick && v.tick <= upTo);
    if (
      options.verdict &&
      stored.length === 0 &&
      (await store.readVerdicts({ verdict: options.verdict, limit: 1 })).length === 0
    )
      throw new PicketError(
        'NotFound',
        `no verdict ${options.verdict} is stored; "picket risk top" lists those in force`,
      );
    if (options.verdict && stored.length === 0)
      throw new NotReproducible(`no stored statement about ${options.verdict} lies after the start of the replay`);
    const report: ReplayReport = {
      checkpoint: start?.file ?? 'the beginning',
      observations: result.observations,
      ticks: result.ticks,
      verdicts: stored.length,
      same: 0,
      different: [],
    };
    for (const verdict of stored) {
      const again = recomputed.get(`${verdict.name} ${verdict.tick}`);
      if (again && essence(again) === essence(verdict)) report.same++;
      else
        report.different.push({
          name: verdict.name,
          tick: verdict.tick,
          stored: summary(verdict),
          recomputed: again ? summary(again) : 'nothing',
        });
    }
    return report;
  } finally {
    await analysis.close();
  }
}

/** Undefined without a ring, as beside another host's store: only a replay across a key rotation needs it. */
function keysOf(data: string): KeyRing | undefined {
  try {
    return readKeyRing(join(data, 'keys.json'));
  } catch (error) {
    throw new PicketError('InvalidConfig', (error as Error).message, { cause: error });
  }
}

async function chooseStart(
  list: readonly CheckpointInfo[],
  firstSeq: number,
  from: string | undefined,
): Promise<CheckpointInfo | undefined> {
  if (from !== undefined) {
    const chosen = list.find((c) => c.file === from);
    if (!chosen)
      throw new PicketError(
        'NotFound',
        `there is no checkpoint ${from}; there are ${list.map((c) => c.file).join(', ') || 'none'}`,
      );
    return chosen;
  }
  if (firstSeq <= 1) return undefined;
  const usable = list.find((c) => c.lastSeq >= firstSeq - 1);
  if (!usable) throw new NotReproducible(`rows before ${firstSeq} have expired and no checkpoint is as old as that`);
  return usable;
}

/** What must be equal: who, how much, why, and what was done about it. */
function essence(verdict: Verdict): string {
  return JSON.stringify([
    verdict.name,
    verdict.score,
    verdict.level,
    verdict.firstSeen,
    verdict.lastSeen,
    verdict.decision
      ? [verdict.decision.id, verdict.decision.action, verdict.decision.mode, verdict.decision.expiresAt]
      : [],
    verdict.enforceable.reason,
    verdict.findings.map((f) => [f.detector, f.pValue, f.observed, f.expected, f.since, f.until, f.seq]),
  ]);
}

function summary(verdict: Verdict): string {
  return `${levelNames[verdict.level]} ${verdict.score}: ${verdict.findings.map((f) => `${f.detector} ${f.observed}`).join(', ')}`;
}

function describe(report: ReplayReport): string {
  const head = `Replayed ${report.observations} observations in ${report.ticks} ticks from ${report.checkpoint}.\n`;
  if (report.different.length === 0) return `${head}All ${report.verdicts} stored statements came out the same.\n`;
  return `${head}${report.different.length} of ${report.verdicts} stored statements came out differently:\n${renderTable(
    ['VERDICT', 'TICK', 'STORED', 'RECOMPUTED'],
    report.different.slice(0, 50).map((d) => [d.name, String(d.tick), d.stored, d.recomputed]),
  )}`;
}

/**
 * What an access log entry costs from the socket to the stored row: a whole analyzer with every detector on the embedded
 * store, fed over gRPC by another process. Beside it the ceiling, a server that only counts, and what decoding alone
 * costs with protobuf-es. All of them take turns, so that what else the machine does hits all alike.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { fromBinary } from '@bufbuild/protobuf';
import { StreamAccessLogsMessageSchema } from '@picket/proto/gen/envoy/service/accesslog/v3/als_pb.js';
import { cpuMicroseconds } from './load.ts';
import { createAlsMessages } from './als-entries.ts';
import type { ReceiverReply, ReceiverRequest } from './ingest-receiver.ts';
import type { SenderRequest } from './ingest-sender.ts';
import type { StageShares } from './stage-shares.ts';
import { type Estimate, estimate } from './statistics.ts';

export interface IngestFigures {
  entryBytes: number;
  rounds: number;
  entriesPerRound: number;
  loads: LoadFigures[];
  /** Entries per core-second of a server that only counts them, and of decoding all of a message with protobuf-es. */
  countOnlyPerCoreSecond: Estimate;
  protobufDecodePerCoreSecond: Estimate;
}

export interface LoadFigures {
  principals: number;
  /** All threads of the analyzer; without the store's process, and with it. */
  entriesPerCoreSecond: Estimate;
  entriesPerCoreSecondWithStore: Estimate;
  microsecondsPerEntry: number;
  storeMicrosecondsPerEntry: number;
  /** Of the count-only server's pace in the same round. */
  shareOfCountOnly: Estimate;
  /** Microseconds per entry by stage, from a profile of one round. */
  stages: Record<string, number>;
  rssBytes: number;
  sent: number;
  /** Rows counted in the store afterwards; what is missing was dropped and counted. */
  stored: number;
  dropped: number;
}

/** Entries on their way at most: more would only test how a full buffer drops. */
const window = { received: 40_000, stored: 120_000 };

export async function runIngest(quick: boolean): Promise<IngestFigures> {
  const rounds = quick ? 1 : 5;
  const entriesPerRound = quick ? 30_000 : 100_000;
  const warmUp = quick ? 30_000 : 150_000;
  const sender = fork(fileURLToPath(new URL('./ingest-sender.ts', import.meta.url)));
  const ends: End[] = [];
  try {
    const counting = await openEnd('count', 1000, sender);
    ends.push(counting);
    const loads: { principals: number; end: End; runs: Run[]; profile: Run | undefined }[] = [];
    for (const principals of quick ? [1_000, 100_000] : [1_000, 100_000, 1_000_000]) {
      const end = await openEnd('analyzer', principals, sender);
      ends.push(end);
      loads.push({ principals, end, runs: [], profile: undefined });
    }
    for (const end of ends) await end.run(warmUp, false);
    const counted: number[] = [];
    const decoded: number[] = [];
    for (let round = 0; round < rounds; round++) {
      counted.push(perCoreSecond(await counting.run(entriesPerRound, false)));
      decoded.push(decodePace(entriesPerRound));
      for (const load of loads) load.runs.push(await load.end.run(entriesPerRound, false));
    }
    for (const load of loads) load.profile = await load.end.run(entriesPerRound, true);
    const figures = {
      entryBytes: Math.round(createAlsMessages(1, 1).meanEntryBytes),
      ...{ rounds, entriesPerRound },
      loads: loads.map(({ principals, end, runs, profile }) => figuresOf(principals, end, runs, profile, counted)),
      countOnlyPerCoreSecond: estimate(counted, 0),
      protobufDecodePerCoreSecond: estimate(decoded, 0),
    };
    for (const load of figures.loads)
      if (load.stored + load.dropped !== load.sent)
        throw new Error(`sent ${load.sent}, but ${load.stored} rows are stored and ${load.dropped} were dropped`);
    return figures;
  } finally {
    await Promise.all(ends.map((end) => end.close()));
    sender.kill();
  }
}

interface Run {
  entries: number;
  cpuMicroseconds: number;
  storeMicroseconds: number;
  rows: number;
  dropped: number;
  rssBytes: number;
  shares: StageShares | undefined;
}

interface End {
  readonly sent: number;
  run(entries: number, profile: boolean): Promise<Run>;
  close(): Promise<void>;
}

async function openEnd(kind: 'analyzer' | 'count', principals: number, sender: ChildProcess): Promise<End> {
  const child = fork(fileURLToPath(new URL('./ingest-receiver.ts', import.meta.url)), [kind]);
  const tell = (request: ReceiverRequest): void => void child.send(request);
  const order = (request: SenderRequest): void => void sender.send(request);
  const waiting: { reply: ReceiverReply['reply']; resolve(reply: ReceiverReply): void; reject(e: Error): void }[] = [];
  const answer = (reply: ReceiverReply['reply']): Promise<ReceiverReply> =>
    new Promise((resolve, reject) => waiting.push({ reply, resolve, reject }));
  let target = 0;
  let port = 0;
  child.on('message', (message: ReceiverReply) => {
    if (message.reply === 'progress' && port > 0) {
      const allowed = Math.min((message.entries ?? 0) + window.received, (message.stored ?? 0) + window.stored);
      order({ ask: 'send', port, upTo: Math.min(target, allowed) });
      return;
    }
    const at = waiting.findIndex(({ reply }) => reply === message.reply);
    if (at >= 0) waiting.splice(at, 1)[0]?.resolve(message);
  });
  const ended = new Promise<void>((resolve) =>
    child.once('exit', (code) => {
      for (const { reject } of waiting) reject(new Error(`the receiver ended with ${code}`));
      resolve();
    }),
  );
  const ready = await answer('ready');
  const { enginePid } = ready;
  port = ready.port ?? 0;
  order({ ask: 'open', port, principals });
  return {
    get sent() {
      return target;
    },
    async run(entries, profile) {
      const begun = answer('begun');
      tell({ ask: 'begin', profile });
      await begun;
      const storeBefore = enginePid === undefined ? 0 : cpuMicroseconds(enginePid);
      target += entries;
      const done = answer('ended');
      tell({ ask: 'end', entries: target });
      const reply = await done;
      return {
        entries,
        cpuMicroseconds: reply.cpuMicroseconds ?? Number.NaN,
        storeMicroseconds: enginePid === undefined ? 0 : cpuMicroseconds(enginePid) - storeBefore,
        rows: reply.rows ?? 0,
        dropped: reply.dropped ?? 0,
        rssBytes: reply.rssBytes ?? 0,
        shares: reply.shares,
      };
    },
    async close() {
      if (child.connected) tell({ ask: 'close' });
      await ended;
    },
  };
}

function figuresOf(
  principals: number,
  end: End,
  runs: readonly Run[],
  profile: Run | undefined,
  counted: readonly number[],
): LoadFigures {
  const mean = (of: (run: Run) => number): number => estimate(runs.map((run) => of(run) / run.entries)).median;
  const microsecondsPerEntry = mean((run) => run.cpuMicroseconds);
  return {
    principals,
    entriesPerCoreSecond: estimate(runs.map(perCoreSecond), 0),
    entriesPerCoreSecondWithStore: estimate(
      runs.map((run) => (run.entries * 1e6) / (run.cpuMicroseconds + run.storeMicroseconds)),
      0,
    ),
    microsecondsPerEntry,
    storeMicrosecondsPerEntry: mean((run) => run.storeMicroseconds),
    shareOfCountOnly: estimate(runs.map((run, i) => perCoreSecond(run) / (counted[i] as number))),
    stages: Object.fromEntries(
      Object.entries(profile?.shares ?? {}).map(([stage, share]) => [
        stage,
        Number((share * microsecondsPerEntry).toFixed(2)),
      ]),
    ),
    rssBytes: runs.at(-1)?.rssBytes ?? 0,
    sent: end.sent,
    stored: profile?.rows ?? 0,
    dropped: profile?.dropped ?? 0,
  };
}

function perCoreSecond(run: Run): number {
  return (run.entries * 1e6) / run.cpuMicroseconds;
}

function decodePace(entries: number): number {
  const source = createAlsMessages(1000, 7);
  const messages = Array.from({ length: 20 }, () => source.next(100, 1_790_000_000_000));
  const before = process.cpuUsage();
  let decoded = 0;
  for (let i = 0; decoded < entries; i++) {
    const { logEntries } = fromBinary(StreamAccessLogsMessageSchema, messages[i % messages.length] as Buffer);
    decoded += logEntries.case === 'httpLogs' ? logEntries.value.logEntry.length : 0;
  }
  const { user, system } = process.cpuUsage(before);
  return (decoded * 1e6) / (user + system);
}

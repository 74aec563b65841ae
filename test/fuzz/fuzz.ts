/** Feeds one parser with inputs and keeps what broke it. */
import { type Corpus, mutatedInput } from './mutate.ts';

export interface FuzzTarget extends Corpus {
  /** Reads one input; throws when something that must hold for every input does not. */
  check(input: Buffer): void | Promise<void>;
  close?(): Promise<void>;
}

export interface Finding {
  index: number;
  input: Buffer;
  error: Error;
}

export interface FuzzReport {
  inputs: number;
  bytes: number;
  findings: Finding[];
}

export interface FuzzOptions {
  seed: number;
  /** Number of the first input. */
  from?: number;
  inputs: number;
  /** Gives up after this many findings; 5 unless told. */
  maxFindings?: number;
  onProgress?(done: number): void;
  stop?: AbortSignal;
}

/** An input that takes longer by the clock is read once more, for its CPU time: the machine may have been busy. */
const suspiciousMs = 1_000;
/** No input of at most 64 KiB may cost more than this. */
const maxCpuMs = 750;
const progressEvery = 2_000;

export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzReport> {
  const { seed, from = 0, maxFindings = 5 } = options;
  const report: FuzzReport = { inputs: 0, bytes: 0, findings: [] };
  for (let index = from; index < from + options.inputs; index++) {
    if (options.stop?.aborted || report.findings.length >= maxFindings) break;
    const input = index < target.seeds.length ? (target.seeds[index] as Buffer) : mutatedInput(target, seed, index);
    report.inputs++;
    report.bytes += input.length;
    try {
      const started = performance.now();
      const pending = target.check(input);
      if (pending) await pending;
      if (performance.now() - started > suspiciousMs) await checkCost(target, input);
    } catch (error) {
      report.findings.push({ index, input, error: error instanceof Error ? error : new Error(String(error)) });
    }
    if (report.inputs % progressEvery === 0) {
      options.onProgress?.(report.inputs);
      // Parsers are synchronous: without this a signal would never be heard.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return report;
}

async function checkCost(target: FuzzTarget, input: Buffer): Promise<void> {
  const before = process.cpuUsage();
  await target.check(input);
  const { user, system } = process.cpuUsage(before);
  const ms = Math.round((user + system) / 1000);
  if (ms > maxCpuMs) throw new Error(`${input.length} bytes took ${ms} ms of CPU`);
}

/** Throws unless `holds`. */
export function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

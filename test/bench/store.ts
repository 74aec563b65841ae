/** Cost of storing observations: encoding, inserting into the embedded engine, reading back. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ObservationBatch } from '@picket/analyzer/observation.ts';
import { encodeObservationRows } from '@picket/analyzer/store/observation-row.ts';
import { openEmbeddedStore } from '@picket/analyzer/store/embedded-store.ts';
import { rowsOf, sampleObservations } from '../support/observations.ts';

export interface StoreFigures {
  batchRows: number;
  rounds: number;
  bytesPerRow: number;
  /** CPU of this process, medians. */
  encodeMicrosecondsPerRow: number;
  insertMicrosecondsPerRow: number;
  /** CPU of the engine process with the three aggregates; absent where /proc is. */
  engineMicrosecondsPerRow?: number;
  /** Elapsed time, one insert after the other. */
  insertedRowsPerSecond: number;
  readRowsPerSecond: number;
  /** Rows found afterwards, to show that they are there. */
  storedRows: number;
}

/** @param elapsed milliseconds from any start. */
export async function runStore(elapsed: () => number, rounds = 15, batchRows = 10_000): Promise<StoreFigures> {
  const dataDir = mkdtempSync(join(tmpdir(), 'picket-bench-store-'));
  const store = await openEmbeddedStore({ dataDir, log: { info() {}, warn() {}, error() {} } });
  try {
    const encode: number[] = [];
    const insert: number[] = [];
    const engine: number[] = [];
    const pace: number[] = [];
    let bytes = 0;
    for (let round = 0; round < rounds; round++) {
      const rows = rowsOf(
        sampleObservations({
          count: batchRows,
          seed: round,
          firstSeq: round * batchRows + 1,
          at: Date.UTC(2026, 6, 1),
        }),
      );
      let cpu = process.cpuUsage();
      bytes = encodeObservationRows(rows).length;
      encode.push(microsecondsSince(cpu) / batchRows);
      cpu = process.cpuUsage();
      const engineBefore = cpuSecondsOf(store.engine().pid);
      const startedAt = elapsed();
      await store.insertObservations(rows, `bench-${round}`);
      pace.push((batchRows / (elapsed() - startedAt)) * 1000);
      insert.push(microsecondsSince(cpu) / batchRows);
      const engineAfter = cpuSecondsOf(store.engine().pid);
      if (engineBefore !== undefined && engineAfter !== undefined) {
        engine.push(((engineAfter - engineBefore) * 1e6) / batchRows);
      }
    }
    const startedAt = elapsed();
    let storedRows = 0;
    for await (const page of store.readObservations(0, rounds * batchRows, new ObservationBatch(batchRows))) {
      storedRows += page.length;
    }
    const readRowsPerSecond = Math.round((storedRows / (elapsed() - startedAt)) * 1000);
    return {
      batchRows,
      rounds,
      bytesPerRow: Math.round(bytes / batchRows),
      encodeMicrosecondsPerRow: rounded(median(encode)),
      insertMicrosecondsPerRow: rounded(median(insert)),
      ...(engine.length > 0 ? { engineMicrosecondsPerRow: rounded(median(engine)) } : {}),
      insertedRowsPerSecond: Math.round(median(pace)),
      readRowsPerSecond,
      storedRows,
    };
  } finally {
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function microsecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** User and system time from Linux's /proc, in clock ticks of 10 ms. */
function cpuSecondsOf(pid: number | undefined): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

const rounded = (value: number): number => Number(value.toFixed(2));

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/**
 * What is known of everybody: sufficient statistics per API, detector and kind of key, mergeable by addition.
 * Partitions collect partials; at each population tick the merged result becomes the snapshot that everyone reads
 * during the next. Only windows that did not look anomalous are learned from (invariant 11).
 */
import { detectorIds } from '../verdict.ts';

const KINDS = 16;

/** Numbers per (detector, kind). Each detector says what it keeps in them. */
export const SUMS = 9;

const SUMS_LENGTH = detectorIds.length * KINDS * SUMS;
const DETECTOR_SUMS = KINDS * SUMS;

/** Bins of the histogram of window surprises: 0.25 decades each. */
export const BINS = 160;
const BIN_WIDTH = 0.25;

/** Login attempts and failures since ever: what lies between two readings is a window's traffic, to compare traits with. */
export const LOGINS = { attempts: 0, failures: 1 } as const;

/** Per operation: object touches, foreign touches, transitions between objects, sequential transitions. */
export const OPERATION_SUMS = 4;
const maxOperations = 4096;

/** What one partition learned of one API since the last merge: mostly next to nothing, so its histograms are sparse. */
export interface Partial {
  /** Written through `sumsOf`. */
  sums: Float64Array;
  /** Bit by detector: those that may have written to their part of the sums. */
  written: number;
  /** Weight by cell and bin, `cell × BINS + bin`. */
  surprises: Map<number, number>;
  /** Likewise, what was claimed of each closed window after calibration, anomalous ones included. */
  claims: Map<number, number>;
  logins: Float64Array;
  operations: Map<number, Float64Array>;
  /** Windows closed: how many chances for a false alert there were. */
  tests: number;
}

export function createPartial(): Partial {
  return {
    sums: new Float64Array(SUMS_LENGTH),
    written: 0,
    surprises: new Map(),
    claims: new Map(),
    logins: new Float64Array(2),
    operations: new Map(),
    tests: 0,
  };
}

/** The sums, of which the detector writes its own cells. */
export function sumsOf(partial: Partial, detector: number): Float64Array {
  partial.written |= 1 << detector;
  return partial.sums;
}

/** Empties a partial for another use: at a merge every ten seconds and 64 partitions, making new ones is what costs. */
export function clearPartial(partial: Partial): void {
  if (partial.written !== 0) partial.sums.fill(0);
  partial.written = 0;
  partial.logins.fill(0);
  // Clearing a map makes it new tables, empty or not.
  if (partial.surprises.size > 0) partial.surprises.clear();
  if (partial.claims.size > 0) partial.claims.clear();
  if (partial.operations.size > 0) partial.operations.clear();
  partial.tests = 0;
}

/**
 * Exceedances of a surprise over a high threshold. Surprise is a logarithm of a probability, so an exponential tail here
 * is a power law in the probability itself: the generalised Pareto form with shape 0, whose one parameter few windows
 * can fit (Pickands–Balkema–de Haan; peaks over threshold as in SPOT, Siffer et al. 2017).
 */
export interface Tail {
  /** Windows behind it. */
  n: number;
  threshold: number;
  /** Share of windows over the threshold. */
  share: number;
  /** The same with the bin just below it, which may hold many windows where counts are small and whole. */
  shareBelow: number;
  /** Mean exceedance. 1/ln 10 when the model is exact. */
  scale: number;
}

/** One API's population at one tick; immutable. */
export interface ApiPopulation {
  sums: Float64Array;
  tails: ReadonlyMap<number, Tail>;
  logins: Float64Array;
  operations: ReadonlyMap<number, Float64Array>;
  /** Windows closed per day, the number of chances for a false alert. */
  testsPerDay: number;
  /** Event time the statistics go back to. */
  since: number;
}

/** By API hash. */
export type Snapshot = ReadonlyMap<number, ApiPopulation>;

export function cellOf(detector: number, kind: number): number {
  return detector * KINDS + (kind & (KINDS - 1));
}

export function addSurprise(partial: Partial, cell: number, surprise: number, weight = 1): void {
  count(partial.surprises, cell, surprise, weight);
}

/** Counts what was claimed of a closed window, so that p-values can be held against how often they came about. */
export function addClaim(partial: Partial, cell: number, calibrated: number): void {
  count(partial.claims, cell, calibrated);
}

function count(histogram: Map<number, number>, cell: number, surprise: number, weight = 1): void {
  const key = cell * BINS + Math.min(BINS - 1, Math.floor(surprise / BIN_WIDTH));
  histogram.set(key, (histogram.get(key) ?? 0) + weight);
}

export function addOperation(partial: Partial, operation: number, index: number, amount: number): void {
  let sums = partial.operations.get(operation);
  if (!sums) {
    if (partial.operations.size >= maxOperations) return;
    partial.operations.set(operation, (sums = new Float64Array(OPERATION_SUMS)));
  }
  sums[index] = (sums[index] as number) + amount;
}

const minTailWindows = 200;

/**
 * Calibrated surprise: what the model claims, held against how often windows in good standing reached as much.
 * A model may be too timid, which only delays; it may not be bolder than the population allows.
 */
export function calibrate(population: ApiPopulation | undefined, cell: number, surprise: number): number {
  const tail = population?.tails.get(cell);
  if (!tail || tail.n < minTailWindows) return surprise;
  // At or below the threshold nothing is rarer than what lies from there on.
  if (surprise <= tail.threshold) return Math.min(surprise, -Math.log10(Math.max(tail.shareBelow, 1 / tail.n)));
  const survival = -(surprise - tail.threshold) / tail.scale / Math.LN10;
  // The empirical share cannot be known better than one in n.
  const share = Math.log10(Math.max(tail.share, 1 / tail.n));
  return Math.min(surprise, -(share + survival));
}

/** Fits the tail of a histogram of surprises over its 98 % point. */
export function fitTail(bins: Float64Array): Tail {
  let n = 0;
  for (const count of bins) n += count;
  let over = 0;
  let at = BINS;
  while (at > 1 && over + (bins[at - 1] as number) <= Math.max(10, n * 0.02)) over += bins[--at] as number;
  const below = at > 1 ? (bins[at - 1] as number) : 0;
  let sum = 0;
  for (let i = at; i < BINS; i++) sum += (bins[i] as number) * (i - at + 0.5) * BIN_WIDTH;
  // Five pseudo-exceedances of the scale that an exact model would have, so that a handful of windows cannot mislead.
  const prior = 5;
  return {
    n,
    threshold: at * BIN_WIDTH,
    share: (over + 1) / (n + 2),
    shareBelow: (over + below + 1) / (n + 2),
    scale: (sum + prior / Math.LN10) / (over + prior),
  };
}

const halfLifeMs = 7 * 86_400_000;

/** What is left of a count after so long. */
export function remainderOf(elapsedMs: number): number {
  return 2 ** (-Math.max(0, elapsedMs) / halfLifeMs);
}

interface Merged {
  sums: Float64Array;
  surprises: Map<number, Float64Array>;
  /** Never fades: a record of the whole past, not a model of the present. */
  claims: Map<number, Float64Array>;
  logins: Float64Array;
  operations: Map<number, Float64Array>;
  tests: number;
  since: number;
  at: number;
}

export interface PopulationState {
  apis: [
    number,
    Omit<Merged, 'surprises' | 'claims' | 'operations'> & {
      surprises: [number, Float64Array][];
      claims: [number, Float64Array][];
      operations: [number, Float64Array][];
    },
  ][];
}

/** The merged population of all partitions; owned by one thread. */
export class Population {
  #apis = new Map<number, Merged>();
  snapshot: Snapshot = new Map();

  /** Adds partials (in partition order) and makes the next snapshot. */
  merge(partials: readonly ReadonlyMap<number, Partial>[], at: number): Snapshot {
    // Nothing was learned: what is known fades by the time since it was last touched, whenever that is computed.
    if (partials.every((byApi) => byApi.size === 0)) return this.snapshot;
    for (const merged of this.#apis.values()) fade(merged, at);
    for (const byApi of partials)
      for (const [api, partial] of byApi) {
        let merged = this.#apis.get(api);
        if (!merged) {
          merged = {
            ...{ sums: new Float64Array(SUMS_LENGTH), surprises: new Map(), claims: new Map() },
            ...{ logins: new Float64Array(2), operations: new Map(), tests: 0, since: at, at },
          };
          this.#apis.set(api, merged);
        }
        addInto(merged, partial);
      }
    this.#publish();
    return this.snapshot;
  }

  save(): PopulationState {
    return {
      apis: [...this.#apis].map(([api, m]) => [
        api,
        { ...m, surprises: [...m.surprises], claims: [...m.claims], operations: [...m.operations] },
      ]),
    };
  }

  load(state: PopulationState): void {
    this.#apis = new Map(
      state.apis.map(([api, m]) => [
        api,
        { ...m, surprises: new Map(m.surprises), claims: new Map(m.claims), operations: new Map(m.operations) },
      ]),
    );
    this.#publish();
  }

  #publish(): void {
    const next = new Map<number, ApiPopulation>();
    for (const [api, merged] of this.#apis) {
      const days = Math.max(1 / 24, (merged.at - merged.since) / 86_400_000);
      next.set(api, {
        sums: merged.sums.slice(),
        tails: new Map([...merged.surprises].map(([cell, bins]) => [cell, fitTail(bins)])),
        logins: merged.logins.slice(),
        operations: new Map([...merged.operations].map(([operation, sums]) => [operation, sums.slice()])),
        testsPerDay: merged.tests / days,
        since: merged.since,
      });
    }
    this.snapshot = next;
  }
}

function fade(merged: Merged, at: number): void {
  const elapsed = Math.max(0, at - merged.at);
  merged.at = Math.max(merged.at, at);
  const slow = 2 ** (-elapsed / halfLifeMs);
  scale(merged.sums, slow);
  for (const bins of merged.surprises.values()) scale(bins, slow);
  for (const sums of merged.operations.values()) scale(sums, slow);
}

function scale(values: Float64Array, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * factor;
}

function addInto(merged: Merged, partial: Partial): void {
  // Of 1,440 sums few are written between two merges, and there are 64 partials.
  for (let detector = 0; detector < detectorIds.length; detector++)
    if (partial.written & (1 << detector))
      add(merged.sums, partial.sums, detector * DETECTOR_SUMS, (detector + 1) * DETECTOR_SUMS);
  add(merged.logins, partial.logins, 0, partial.logins.length);
  merged.tests += partial.tests;
  addBins(merged.surprises, partial.surprises);
  addBins(merged.claims, partial.claims);
  for (const [operation, sums] of partial.operations) {
    if (merged.operations.size >= maxOperations && !merged.operations.has(operation)) continue;
    add(obtain(merged.operations, operation, OPERATION_SUMS), sums, 0, OPERATION_SUMS);
  }
}

function addBins(merged: Map<number, Float64Array>, histogram: ReadonlyMap<number, number>): void {
  for (const [key, weight] of histogram) {
    const bins = obtain(merged, Math.floor(key / BINS), BINS);
    bins[key % BINS] = (bins[key % BINS] as number) + weight;
  }
}

function obtain(map: Map<number, Float64Array>, key: number, length: number): Float64Array {
  let values = map.get(key);
  if (!values) map.set(key, (values = new Float64Array(length)));
  return values;
}

/** Mostly nothing: what is not written costs half. */
function add(into: Float64Array, values: Float64Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const value = values[i] as number;
    if (value !== 0) into[i] = (into[i] as number) + value;
  }
}

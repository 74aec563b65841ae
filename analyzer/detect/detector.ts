/** What a detector is, and what it sees of one update. */
import type { DetectorId, Family } from '../verdict.ts';
import type { ApiPopulation, Partial } from './population.ts';
import type { WindowTable } from './window-table.ts';

/** One update of one key, refilled for each; a detector keeps nothing of it. */
export interface Scene {
  u32: Uint32Array;
  f64: Float64Array;
  /** Base word of the observation. */
  record: number;
  /** Key code: kind and, for traits, the trait set. */
  code: number;
  kind: number;
  /** The key's own value, before mixing. */
  valueLo: number;
  valueHi: number;
  keyLo: number;
  keyHi: number;
  api: number;
  at: number;
  seq: number;
  /** Distinct principals in good standing that share this key; 1 for keys that are one principal. */
  sharedBy: number;
  /** Requests of this principal so far, this one included; its first may be missing. 0 for keys that are none. */
  requests: number;
  population: ApiPopulation | undefined;
  readonly partial: Partial;
  /** States a surprise about the open window at `base`; what becomes of it is the partition's business. */
  say(table: WindowTable, base: number, statement: Statement): void;
  /** Sends an update to another key; it arrives at the next tick. */
  derive(update: DerivedUpdate): void;
}

export interface Statement {
  detector: DetectorId;
  family: Family;
  /** −log10 of the model's probability. */
  surprise: number;
  observed: number;
  expected: number;
  unit: string;
  /** Samples behind the expectation; 0 = a prior stood in. */
  baseline: number;
  /** Share of the evidence that succeeded: logins that worked, foreign objects that were served. */
  successShare: number;
  campaign?: CampaignFacts & { traitSet: number };
}

export interface CampaignFacts {
  /** Share of what carries the traits that is attack. */
  precision: number;
  /** Attempts beyond what is usual. */
  coverage: number;
  addresses: number;
  accounts: number;
  /** People who logged in with the same traits before: the bystanders of a decision. */
  standing: number;
}

/** A message from one key to another. */
export interface DerivedUpdate {
  detector: number;
  code: number;
  valueLo: number;
  valueHi: number;
  api: number;
  at: number;
  seq: number;
  operation: number;
  /** Meaning is the detector's own. */
  object: number;
  foreign: boolean;
  /** Nobody had been served the object before. */
  first: boolean;
  success: boolean;
  delta: number;
  surprise: number;
  count: number;
  /** `F.flags` of the observation that led to it: an exempt caller is one at the other key too. */
  flags: number;
}

export interface Detector {
  readonly id: DetectorId;
  /** Kinds of keys it looks at. */
  readonly kinds: readonly number[];
  /** One set of tables per partition. */
  readonly tables: readonly WindowTable[];
  update(scene: Scene): void;
  /** Takes a derived update; `scene` holds its key, time and API, but no observation. */
  receive?(scene: Scene, update: DerivedUpdate): void;
}

/** Makes a detector's state for one partition. `close` hands each ended window to the partition. */
export type DetectorFactory = (
  close: (table: WindowTable, base: number, learn: (partial: Partial, kind: number) => void) => void,
) => Detector;

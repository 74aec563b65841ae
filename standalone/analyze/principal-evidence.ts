/**
 * Sample lines and a small timeline per principal, in bounded memory. Who will turn out to matter is not known when a
 * line passes, so everyone is remembered until the table is full; then those with the least to tell make room. A
 * principal that a verdict names is pinned and stays.
 */
import { createTimeBuckets, type TimeBuckets } from './time-buckets.ts';

/** A line kept as evidence. */
export interface EvidenceLine {
  file: string;
  line: number;
  atMs: number;
  method: string;
  template: string;
  status: number;
  text: string;
}

export interface TimelineBucket {
  requests: number;
  errors: number;
}

export interface PrincipalEvidence {
  requests: number;
  errors: number;
  lastAtMs: number;
  pinned: boolean;
  first: EvidenceLine | undefined;
  last: EvidenceLine | undefined;
  /** The most telling lines between, at most `maxTelling`. */
  telling: { weight: number; line: EvidenceLine }[];
  timeline: TimeBuckets<TimelineBucket>;
}

export interface EvidenceTable {
  /** Counts one request. `line` is only called when the line is kept. */
  add(key: string, atMs: number, error: boolean, weight: number, line: () => EvidenceLine): void;
  /** Keeps the principal from now on; false when too many are kept already. */
  pin(key: string): boolean;
  /** Adds lines that a finding points at. */
  attach(key: string, lines: readonly EvidenceLine[]): void;
  get(key: string): PrincipalEvidence | undefined;
  /** Principals that made room for others. */
  readonly forgotten: number;
}

const maxTelling = 4;
const maxTimelineBuckets = 48;
const evictionTries = 8;

const timelineKind = {
  create: (): TimelineBucket => ({ requests: 0, errors: 0 }),
  merge(into: TimelineBucket, from: TimelineBucket) {
    into.requests += from.requests;
    into.errors += from.errors;
  },
};

export function createEvidenceTable(maxPrincipals: number, maxPinned = maxPrincipals >> 1): EvidenceTable {
  const table = new Map<string, PrincipalEvidence>();
  let pinned = 0;
  let forgotten = 0;

  /** Looks at the oldest few: the least telling goes, the others move to the back. */
  function makeRoom(): void {
    let worst: string | undefined;
    let least = Number.POSITIVE_INFINITY;
    const passed: [string, PrincipalEvidence][] = [];
    for (const [key, entry] of table) {
      if (passed.length >= evictionTries && worst !== undefined) break;
      passed.push([key, entry]);
      const interest = entry.pinned ? Number.POSITIVE_INFINITY : entry.requests + 4 * entry.errors;
      if (interest < least) {
        least = interest;
        worst = key;
      }
    }
    for (const [key, entry] of passed) {
      table.delete(key);
      if (key !== worst) table.set(key, entry);
    }
    forgotten++;
  }

  function entryOf(key: string): PrincipalEvidence {
    let entry = table.get(key);
    if (entry === undefined) {
      if (table.size >= maxPrincipals) makeRoom();
      entry = {
        requests: 0,
        errors: 0,
        lastAtMs: 0,
        pinned: false,
        first: undefined,
        last: undefined,
        telling: [],
        timeline: createTimeBuckets(maxTimelineBuckets, timelineKind),
      };
      table.set(key, entry);
    }
    return entry;
  }

  function keepTelling(entry: PrincipalEvidence, weight: number, line: () => EvidenceLine): void {
    if (entry.telling.length < maxTelling) {
      entry.telling.push({ weight, line: line() });
      return;
    }
    let weakest = 0;
    for (let i = 1; i < entry.telling.length; i++)
      if ((entry.telling[i]?.weight ?? 0) < (entry.telling[weakest]?.weight ?? 0)) weakest = i;
    if (weight > (entry.telling[weakest]?.weight ?? 0)) entry.telling[weakest] = { weight, line: line() };
  }

  return {
    get forgotten() {
      return forgotten;
    },
    add(key, atMs, error, weight, line) {
      const entry = entryOf(key);
      entry.requests++;
      if (error) entry.errors++;
      entry.lastAtMs = atMs;
      const bucket = entry.timeline.at(atMs);
      bucket.requests++;
      if (error) bucket.errors++;
      if (entry.first === undefined) entry.first = line();
      else if (weight > 0) keepTelling(entry, weight, line);
      // The last line is kept for those under suspicion, and now and then for the others: it costs a copy.
      if (entry.pinned || (entry.requests & 63) === 0) entry.last = line();
    },
    pin(key) {
      const entry = entryOf(key);
      if (entry.pinned) return true;
      if (pinned >= maxPinned) return false;
      entry.pinned = true;
      pinned++;
      return true;
    },
    attach(key, lines) {
      const entry = table.get(key);
      if (entry === undefined) return;
      for (const line of lines)
        if (!entry.telling.some((t) => t.line.line === line.line && t.line.file === line.file))
          keepTelling(entry, 10, () => line);
    },
    get: (key) => table.get(key),
  };
}

/** The lines of a principal in order of time, no line twice. */
export function evidenceLines(entry: PrincipalEvidence): EvidenceLine[] {
  const all = [entry.first, ...entry.telling.map((t) => t.line), entry.last].filter((l) => l !== undefined);
  const unique = new Map(all.map((l) => [`${l.line} ${l.file}`, l]));
  return [...unique.values()].sort((a, b) => a.atMs - b.atMs || a.line - b.line);
}

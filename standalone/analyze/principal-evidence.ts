/**
 * Sample lines and a small timeline per principal, in bounded memory. Who will turn out to matter is not known when a
 * line passes, so everyone is remembered until the table is full; then a newcomer needs more to tell than somebody who
 * makes room. A principal that a verdict names is pinned and stays.
 */
import { fold } from '@picket/analyzer/profile/hash.ts';
import { KeyIndex } from '@picket/analyzer/profile/key-index.ts';
import { createTimelines, type Timelines } from './timelines.ts';

/** A principal: its kind and the two words of its pseudonym. */
export interface EvidenceKey {
  kind: number;
  lo: number;
  hi: number;
}

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

export interface PrincipalEvidence {
  requests: number;
  errors: number;
  /** Its place among the entries, and in `timelines`; until the next change. */
  place: number;
  pinned: boolean;
  first: EvidenceLine | undefined;
  last: EvidenceLine | undefined;
  /** The most telling lines between, at most `maxTelling`. */
  telling: { weight: number; line: EvidenceLine }[];
}

export interface EvidenceTable {
  /** Counts one request. `line` is only called when the line is kept. The key may be reused. */
  add(key: EvidenceKey, atMs: number, error: boolean, weight: number, line: () => EvidenceLine): void;
  /** Keeps the principal from now on; false when too many are kept already. */
  pin(key: EvidenceKey): boolean;
  /** Adds lines that a finding points at. */
  attach(key: EvidenceKey, lines: readonly EvidenceLine[]): void;
  get(key: EvidenceKey): PrincipalEvidence | undefined;
  /** Times that a principal made room or found none. */
  readonly forgotten: number;
  readonly timelines: Timelines;
}

const maxTelling = 4;
const maxTimelineBuckets = 48;
const evictionTries = 6;
/** An error tells as much as this many ordinary requests. */
const errorInterest = 4;
/** With a full table, less than this is not worth an entry: most keys of a flood come once. */
const admitAt = 4;

export function createEvidenceTable(maxPrincipals: number, maxPinned = maxPrincipals >> 1): EvidenceTable {
  // Most principals of a large log are looked for in vain.
  const places = new KeyIndex();
  const timelines = createTimelines(maxTimelineBuckets);
  const entries: PrincipalEvidence[] = [];
  /** By place: requests and errors, those before its entry included; decides who makes room, no pinned one does. */
  const interests = new Float64Array(maxPrincipals + maxPinned);
  const visits = new Uint8Array(2 ** 18);
  let hand = 0;
  let pinned = 0;
  let forgotten = 0;

  function find(key: EvidenceKey): PrincipalEvidence | undefined {
    const place = places.find(key.lo, tagged(key));
    return place < 0 ? undefined : entries[place];
  }

  /** Moves a hand over a few entries: the one with least to tell goes if it has less than the newcomer. */
  function makeRoom(interest: number): boolean {
    let worst = -1;
    let least = interest;
    for (let i = 0; i < evictionTries; i++) {
      hand = (hand + 1) % entries.length;
      if ((interests[hand] as number) < least) {
        least = interests[hand] as number;
        worst = hand;
      }
    }
    forgotten++;
    if (worst < 0) return false;
    places.remove(worst);
    timelines.move(entries.length - 1, worst);
    const last = entries.pop();
    if (worst < entries.length && last !== undefined) {
      entries[worst] = last;
      interests[worst] = interests[last.place] as number;
      last.place = worst;
    }
    return true;
  }

  /** How often the key was seen before it had an entry; shared by keys that collide, which only lets them in early. */
  function seenBefore({ lo, hi }: EvidenceKey): number {
    const slot = fold(lo, hi) & (visits.length - 1);
    const before = visits[slot] ?? 0;
    if (before < 255) visits[slot] = before + 1;
    return before;
  }

  function admit(key: EvidenceKey, interest: number): PrincipalEvidence {
    const entry: PrincipalEvidence = {
      requests: 0,
      errors: 0,
      place: places.add(key.lo, tagged(key)),
      pinned: false,
      first: undefined,
      last: undefined,
      telling: [],
    };
    timelines.clear(entry.place);
    interests[entries.length] = interest;
    entries.push(entry);
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
      let entry = find(key);
      if (entry === undefined) {
        let interest = 0;
        if (entries.length >= maxPrincipals) {
          interest = seenBefore(key) + (error ? errorInterest : 0) + weight;
          if (interest < admitAt || !makeRoom(interest)) return;
        }
        entry = admit(key, interest);
      }
      entry.requests++;
      if (error) entry.errors++;
      if (!entry.pinned) interests[entry.place] = (interests[entry.place] as number) + (error ? 1 + errorInterest : 1);
      timelines.add(entry.place, atMs, error);
      if (entry.first === undefined) entry.first = line();
      else if (weight > 0) keepTelling(entry, weight, line);
      // The last line is kept for those under suspicion, and now and then for the others: it costs a copy.
      if (entry.pinned || (entry.requests & 63) === 0) entry.last = line();
    },
    pin(key) {
      let entry = find(key);
      if (entry?.pinned) return true;
      if (pinned >= maxPinned) return false;
      if (entry === undefined) {
        if (entries.length >= maxPrincipals) makeRoom(Number.POSITIVE_INFINITY);
        entry = admit(key, 0);
      }
      entry.pinned = true;
      interests[entry.place] = Number.POSITIVE_INFINITY;
      pinned++;
      return true;
    },
    attach(key, lines) {
      const entry = find(key);
      if (entry === undefined) return;
      for (const line of lines)
        if (!entry.telling.some((t) => nameOf(t.line) === nameOf(line))) keepTelling(entry, 10, () => line);
    },
    get: find,
    timelines,
  };
}

/** The high word with the kind in it. */
function tagged({ kind, hi }: EvidenceKey): number {
  return (hi ^ kind) >>> 0;
}

/** The lines of a principal in order of time, no line twice. */
export function evidenceLines(entry: PrincipalEvidence): EvidenceLine[] {
  const all = [entry.first, ...entry.telling.map((t) => t.line), entry.last].filter((l) => l !== undefined);
  const unique = new Map(all.map((l) => [nameOf(l), l]));
  return [...unique.values()].sort((a, b) => a.atMs - b.atMs || a.line - b.line);
}

/** Tells a line from others; a document may hold many. */
function nameOf({ line, file, atMs, text }: EvidenceLine): string {
  return `${line} ${atMs} ${file} ${text}`;
}

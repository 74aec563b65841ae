import { fromBinary } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Bucket } from '@picket/proto/subjects.ts';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import { createHeap, type HeapNode } from './heap.ts';

/** Decisions in force for one fleet: what the bucket holds, less what expired. */
export interface DecisionSet {
  /** By decision id. */
  inForce(): ReadonlyMap<string, Decision>;
  /** The one that follows from a verdict of an API; both "<namespace>/<name>" and name. */
  ofVerdict(api: string, verdict: string): Decision | undefined;
  close(): Promise<void>;
}

export interface DecisionSetOptions {
  bus: Bus;
  fleet: string;
  clock: Clock;
  /** After the first complete load and after every change; `ids` of those that came, changed or went. */
  onChange(ids: ReadonlySet<string>): void;
  /** An entry that is no decision; `reason` names no value. */
  onMalformed(key: string, reason: string): void;
}

/** No timer waits longer: Node's take 32 bits, and a stepped clock is noticed. */
const maxTimerMs = 30_000;
/** Decisions that end within this time go together. */
const endTogetherMs = 10;

interface Entry {
  decision: Decision;
  /** Among those that are still to end. */
  end: HeapNode<Decision>;
}

/** Watches the bucket; resolves once everything present was read. */
export async function watchDecisions(options: DecisionSetOptions): Promise<DecisionSet> {
  const { clock } = options;
  const byKey = new Map<string, Entry>();
  const inForce = new Map<string, Decision>();
  const byVerdict = new Map<string, Decision>();
  const sharedIds = new Set<string>();
  const ends = createHeap<Decision>((a, b) => a.expiresAtMs < b.expiresAtMs);
  let changed = new Set<string>();
  let synced = false;
  let timer: NodeJS.Timeout | undefined;
  let soon: NodeJS.Immediate | undefined;

  /** Entries that arrive together make one change. */
  function changeSoon(): void {
    soon ??= setImmediate(() => {
      soon = undefined;
      change();
    });
  }

  function change(): void {
    if (!synced) return;
    watchNextEnd();
    const ids = changed;
    changed = new Set();
    options.onChange(ids);
  }

  function drop(key: string): boolean {
    const before = byKey.get(key);
    if (!before) return false;
    byKey.delete(key);
    ends.remove(before.end);
    withdraw(before.decision);
    return true;
  }

  function withdraw(decision: Decision): void {
    const { id } = decision;
    if (inForce.get(id) !== decision) return;
    inForce.delete(id);
    if (byVerdict.get(verdictKey(decision)) === decision) byVerdict.delete(verdictKey(decision));
    changed.add(id);
    // Two keys with one id is nobody's intent; what stands under the other one still counts.
    if (sharedIds.has(id))
      for (const { decision: other } of byKey.values())
        if (other !== decision && other.id === id && Number(other.expiresAtMs) > clock.now()) inForce.set(id, other);
  }

  function take(key: string, decision: Decision): void {
    drop(key);
    if (Number(decision.expiresAtMs) <= clock.now()) return;
    byKey.set(key, { decision, end: ends.add(decision) });
    if (inForce.has(decision.id)) sharedIds.add(decision.id);
    inForce.set(decision.id, decision);
    byVerdict.set(verdictKey(decision), decision);
    changed.add(decision.id);
  }

  function end(): void {
    const now = clock.now();
    for (let next = ends.top(); next && Number(next.value.expiresAtMs) <= now; next = ends.top()) {
      ends.remove(next);
      withdraw(next.value);
    }
    if (changed.size > 0) change();
    else watchNextEnd();
  }

  function watchNextEnd(): void {
    clearTimeout(timer);
    const next = ends.top();
    if (!next) return;
    const waitMs = Math.max(endTogetherMs, Number(next.value.expiresAtMs) - clock.now());
    timer = setTimeout(end, Math.min(maxTimerMs, waitMs));
    timer.unref();
  }

  const bucket = await options.bus.bucket(Bucket.decisions);
  let ready: () => void = () => {};
  const loaded = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const subscription = await bucket.watch({
    onEntry(key, value) {
      if (value === undefined) {
        if (!drop(key)) return;
      } else {
        const decision = decode(value);
        if (typeof decision === 'string') {
          // What stood there before was replaced by something we cannot read: do not act on either.
          drop(key);
          options.onMalformed(key, decision);
        } else if (decision.fleet === options.fleet) take(key, decision);
        else return;
      }
      changeSoon();
    },
    onSynced() {
      synced = true;
      change();
      ready();
    },
  });
  await loaded;
  return {
    inForce: () => inForce,
    ofVerdict: (api, verdict) => byVerdict.get(verdictKey({ api, verdict })),
    async close() {
      clearTimeout(timer);
      if (soon) clearImmediate(soon);
      await subscription.stop();
    },
  };
}

function verdictKey({ api, verdict }: Pick<Decision, 'api' | 'verdict'>): string {
  return `${api} ${verdict}`;
}

function decode(value: Uint8Array): Decision | string {
  let decision: Decision;
  try {
    decision = fromBinary(DecisionSchema, value);
  } catch {
    return 'not a Decision message';
  }
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(decision.id)) return 'id: letters, digits, "-" and "_", at most 64';
  if (decision.expiresAtMs === 0n) return 'expires_at_ms: a decision needs an end';
  if (!/^[0-9a-f]{1,32}$/.test(decision.pseudonym)) return 'pseudonym: not hex';
  return decision;
}

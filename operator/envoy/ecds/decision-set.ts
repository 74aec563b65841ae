import { fromBinary } from '@bufbuild/protobuf';
import { type Decision, DecisionSchema } from '@picket/proto/gen/picket/decision/v1/decision_pb.js';
import { Bucket } from '@picket/proto/subjects.ts';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';

/** Decisions in force for one fleet: what the bucket holds, less what expired. */
export interface DecisionSet {
  /** By decision id. */
  inForce(): ReadonlyMap<string, Decision>;
  close(): Promise<void>;
}

export interface DecisionSetOptions {
  bus: Bus;
  fleet: string;
  clock: Clock;
  /** After the first complete load and after every change. */
  onChange(): void;
  /** An entry that is no decision; `reason` names no value. */
  onMalformed(key: string, reason: string): void;
}

/** No timer waits longer: Node's take 32 bits, and a stepped clock is noticed. */
const maxTimerMs = 30_000;
/** Decisions that are looked through, at most, for each millisecond of time: some percent of a core. */
const endsPerMs = 100;

/** Watches the bucket; resolves once everything present was read. */
export async function watchDecisions(options: DecisionSetOptions): Promise<DecisionSet> {
  const { clock } = options;
  const byKey = new Map<string, Decision>();
  const inForce = new Map<string, Decision>();
  const sharedIds = new Set<string>();
  /** When the first of those in force ends, Unix ms. */
  let nextEnd = Number.POSITIVE_INFINITY;
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
    options.onChange();
  }

  function drop(key: string): boolean {
    const before = byKey.get(key);
    if (!before) return false;
    byKey.delete(key);
    if (inForce.get(before.id) === before) inForce.delete(before.id);
    // Two keys with one id is nobody's intent; what stands under the other one still counts.
    if (sharedIds.has(before.id))
      for (const other of byKey.values())
        if (other.id === before.id && Number(other.expiresAtMs) > clock.now()) inForce.set(other.id, other);
    return true;
  }

  function take(key: string, decision: Decision): void {
    drop(key);
    byKey.set(key, decision);
    const expiresAt = Number(decision.expiresAtMs);
    if (expiresAt <= clock.now()) return;
    if (inForce.has(decision.id)) sharedIds.add(decision.id);
    inForce.set(decision.id, decision);
    nextEnd = Math.min(nextEnd, expiresAt);
  }

  /** What has ended goes; of very many those that end within a moment go together. */
  function end(): void {
    const now = clock.now();
    nextEnd = Number.POSITIVE_INFINITY;
    let ended = false;
    for (const [id, decision] of inForce) {
      const expiresAt = Number(decision.expiresAtMs);
      if (expiresAt > now) nextEnd = Math.min(nextEnd, expiresAt);
      else ended = inForce.delete(id);
    }
    if (ended) change();
    else watchNextEnd();
  }

  function watchNextEnd(): void {
    clearTimeout(timer);
    if (nextEnd === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.max(1, nextEnd - clock.now(), inForce.size / endsPerMs);
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
    async close() {
      clearTimeout(timer);
      if (soon) clearImmediate(soon);
      await subscription.stop();
    },
  };
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

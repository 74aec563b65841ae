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

/** Watches the bucket; resolves once everything present was read. */
export async function watchDecisions(options: DecisionSetOptions): Promise<DecisionSet> {
  const { clock } = options;
  const byKey = new Map<string, Decision>();
  const inForce = new Map<string, Decision>();
  let synced = false;
  let timer: NodeJS.Timeout | undefined;
  let soon: NodeJS.Immediate | undefined;

  /** Entries that arrive together make one change. */
  function refreshSoon(): void {
    soon ??= setImmediate(() => {
      soon = undefined;
      refresh();
    });
  }

  function refresh(): void {
    clearTimeout(timer);
    if (!synced) return;
    inForce.clear();
    const now = clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const decision of byKey.values()) {
      const expiresAt = Number(decision.expiresAtMs);
      if (expiresAt <= now) continue;
      inForce.set(decision.id, decision);
      next = Math.min(next, expiresAt);
    }
    if (next < Number.POSITIVE_INFINITY) {
      timer = setTimeout(refresh, Math.min(maxTimerMs, Math.max(1, next - now)));
      timer.unref();
    }
    options.onChange();
  }

  const bucket = await options.bus.bucket(Bucket.decisions);
  let ready: () => void = () => {};
  const loaded = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const subscription = await bucket.watch({
    onEntry(key, value) {
      if (value === undefined) {
        if (!byKey.delete(key)) return;
      } else {
        const decision = decode(value);
        if (typeof decision === 'string') {
          // What stood there before was replaced by something we cannot read: do not act on either.
          byKey.delete(key);
          options.onMalformed(key, decision);
        } else if (decision.fleet === options.fleet) byKey.set(key, decision);
        else return;
      }
      refreshSoon();
    },
    onSynced() {
      synced = true;
      refresh();
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

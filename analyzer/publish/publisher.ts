/**
 * Verdicts and API figures into the object store and events onto the bus, coalesced: at most one write per verdict in
 * five seconds and twenty writes a second in all, so that an attack is no attack on the control plane. What could not be
 * written stays, and is tried again later and later: nobody else would notice.
 */
import { hash } from 'node:crypto';
import { eventSubject, parseApiName, type EventKind } from '@picket/proto/subjects.ts';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import { type PicketError, toPicketError } from '@picket/runtime/errors.ts';
import type { Ledger } from '@picket/runtime/ledger.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { Condition, ObjectStore, StoredObject } from '@picket/runtime/objects/object-store.ts';
import type { Verdict } from '../verdict.ts';
import { type ConditionDraft, conditionFrom } from './api-status.ts';
import { createBackoff } from './backoff.ts';
import { haveMoved } from './figures.ts';
import { iso, nameOf, namespaceOf } from './risk-verdict.ts';
import { createVerdictObjects, keyOf } from './verdict-objects.ts';

export const ANALYZER_MANAGER = 'picket-analyzer';

/** Bounds of `resources.md`. Objects that are over are deleted at the same rate. */
const writesPerSecond = 20;
const figuresEveryMs = 60_000;
const maxPending = 4_000;
/** Of so many writes one is a status of an API or policy, however many verdicts wait. */
const statusTurn = 4;
/** Others may have changed what we wrote: it is looked at again. */
const rewriteEveryMs = 600_000;

export interface Publisher {
  verdict(verdict: Verdict): void;
  /** A CloudEvent about an API; `id` makes a repeat harmless. */
  event(kind: EventKind, api: string, about: string, id: string, data: unknown): void;
  /** Something about a policy that a person should know. */
  warn(policy: string, reason: string, message: string): void;
  /** Status of a `ProtectedAPI` or `BehaviorPolicy`; the newest wins until it is written. */
  status(kind: StatusKind, qualified: string, status: StatusDraft): void;
  /** The API is no longer protected. */
  forget(api: string): void;
  /** Writes what is due; called a few times a second. Never throws. */
  flush(): Promise<void>;
  stats(): PublisherStats;
  /** Writes what it can; the rest is counted as dropped. */
  close(): Promise<void>;
}

export interface PublisherStats {
  /** Objects whose newest state is not written yet. */
  waiting: number;
  /** Those whose last attempt failed. */
  failing: number;
  /** Why, in the words of the last failure; undefined = none fails. */
  trouble: string | undefined;
  /** Attempts that failed, since start. */
  failures: number;
}

export interface PublisherOptions {
  objects: ObjectStore;
  bus: Bus;
  clock: Clock;
  ledger: Ledger;
  log: Logger;
}

export type StatusKind = 'ProtectedAPI' | 'BehaviorPolicy';

/** Parts of one status, by when a change of them is written. */
export interface StatusDraft {
  /** At once. */
  status: object;
  /** At most once a minute, and when one moved by a tenth. */
  figures?: object;
  /** With the others only, for it says the same in other words. */
  columns?: object;
  /** At once; their messages with the others. */
  conditions: readonly ConditionDraft[];
}

interface PendingStatus extends StatusDraft {
  kind: StatusKind;
  qualified: string;
}

interface WrittenStatus {
  /** Digest of what is written at once. */
  urgent: string;
  figures: object | undefined;
  /** Of our clock's elapsed time. */
  at: number;
}

export function createPublisher(options: PublisherOptions): Publisher {
  const { objects, bus, clock, ledger, log } = options;
  const verdictObjects = createVerdictObjects(objects, clock, ANALYZER_MANAGER);
  const elapsed = (): number => clock.elapsed();
  const backoff = createBackoff(elapsed);
  const pending = new Map<string, Verdict>();
  const statuses = new Map<string, PendingStatus>();
  /** What was last written, so that an unchanged status is not written again. */
  const written = new Map<string, WrittenStatus>();
  const writes = createBudget(writesPerSecond, elapsed);
  const deletions = createBudget(writesPerSecond, elapsed);
  let turn = 0;
  let loaded = false;
  let busy: Promise<void> | undefined;
  let inFlight = 0;
  let failures = 0;
  let trouble: string | undefined;

  /**
   * Whether the object store answers. What it cannot take now is kept by the caller and comes again; what it never will
   * is dropped and counted, and the next change tries again.
   */
  async function attempt(key: string, act: () => Promise<void>, drop: () => void): Promise<boolean> {
    try {
      await act();
      backoff.over(key);
      if (trouble !== undefined && backoff.size() === 0) {
        trouble = undefined;
        log.info('statuses are written again');
      }
      return true;
    } catch (thrown) {
      const error = toPicketError(thrown, `write ${key}`);
      if (!mayPass(error)) {
        backoff.over(key);
        drop();
        ledger.dropped('publish', 'store_refused');
        log.warn('status refused', { error, key });
        return true;
      }
      failures++;
      backoff.failed(key);
      // Said once for an outage, not for each object of it.
      if (trouble === undefined) log.warn('statuses cannot be written and are tried further', { error, key });
      trouble = error.message;
      return false;
    }
  }

  /** The next verdict that has or gets an object; those that get none are no longer waited for. */
  function* dueVerdicts(): Generator<Verdict> {
    const tried = [...pending.values()].filter((verdict) => backoff.isDue(verdictKey(verdict)));
    for (const verdict of verdictObjects.due(tried)) {
      if (verdictObjects.wants(verdict)) {
        yield verdict;
        continue;
      }
      pending.delete(keyOf(verdict));
      backoff.over(verdictKey(verdict));
    }
  }

  async function writeVerdict(verdict: Verdict): Promise<boolean> {
    const done = (): void => {
      // A newer one may have come meanwhile.
      if (pending.get(keyOf(verdict)) === verdict) pending.delete(keyOf(verdict));
    };
    return attempt(
      verdictKey(verdict),
      async () => {
        await verdictObjects.write(verdict);
        done();
      },
      done,
    );
  }

  async function writeStatus(key: string, next: PendingStatus): Promise<boolean> {
    const done = (): void => {
      if (statuses.get(key) === next) statuses.delete(key);
    };
    // Until it is known what became of it, nobody knows what the object says.
    written.delete(key);
    return attempt(
      key,
      async () => {
        const object = { kind: next.kind, namespace: namespaceOf(next.qualified), name: nameOf(next.qualified) };
        const current = await objects.get<StoredObject<unknown, { conditions?: Condition[] }>>(object);
        if (current) {
          const conditions = next.conditions.map((draft) =>
            conditionFrom(draft, current.status?.conditions, current.metadata.generation, clock.now()),
          );
          const { status, figures, columns } = next;
          await objects.applyStatus(
            object,
            { ...status, ...figures, ...(columns ? { columns } : {}), conditions },
            ANALYZER_MANAGER,
          );
          written.set(key, { urgent: urgentOf(next), figures, at: elapsed() });
        }
        done();
      },
      done,
    );
  }

  /** One after the other, until nothing is due, the budget is used up or the object store does not answer. */
  async function work(): Promise<void> {
    if (!loaded) {
      if (!backoff.isDue('load')) return;
      loaded = await attempt(
        'load',
        () => verdictObjects.load(),
        () => {},
      );
      if (!loaded) return;
    }
    const verdicts = dueVerdicts();
    const dueStatuses = [...statuses].filter(([key]) => backoff.isDue(key)).values();
    const nextVerdict = (): (() => Promise<boolean>) | undefined => {
      const { value } = verdicts.next();
      return value && (() => writeVerdict(value));
    };
    const nextStatus = (): (() => Promise<boolean>) | undefined => {
      const { value } = dueStatuses.next();
      return value && (() => writeStatus(...value));
    };
    while (writes.has()) {
      turn = (turn + 1) % statusTurn;
      const act = turn === 0 ? (nextStatus() ?? nextVerdict()) : (nextVerdict() ?? nextStatus());
      if (!act) break;
      writes.take();
      if (!(await act())) return;
    }
    for (const verdict of verdictObjects.over()) {
      const key = `delete ${keyOf(verdict)}`;
      if (!deletions.has()) break;
      if (pending.has(keyOf(verdict)) || !backoff.isDue(key)) continue;
      deletions.take();
      if (
        !(await attempt(
          key,
          () => verdictObjects.remove(verdict),
          () => {},
        ))
      )
        return;
    }
  }

  return {
    verdict(verdict) {
      if (pending.size >= maxPending && !pending.has(keyOf(verdict))) {
        ledger.dropped('publish', 'buffer_full');
        return;
      }
      pending.set(keyOf(verdict), verdict);
    },
    event(kind, api, about, id, data) {
      if (inFlight >= maxPending) {
        ledger.dropped('publish', 'buffer_full');
        return;
      }
      const event = {
        specversion: '1.0',
        id,
        source: `picket/${api}`,
        type: `dev.picket.${kind}.v1`,
        subject: about,
        time: iso(clock.now()),
        datacontenttype: 'application/json',
        data,
      };
      inFlight++;
      bus
        .publish(
          eventSubject({ event: kind, ...parseApiName(api), about: [about] }),
          Buffer.from(JSON.stringify(event)),
          { messageId: id },
        )
        .catch((error: unknown) => {
          ledger.dropped('publish', 'bus_failed');
          log.warn('event not published', { error });
        })
        .finally(() => inFlight--);
    },
    warn(policy, reason, message) {
      log.warn(message, { policy, reason });
      const about = { kind: 'BehaviorPolicy', namespace: namespaceOf(policy), name: nameOf(policy) };
      objects.record({ about, type: 'Warning', reason, message }).catch((error: unknown) => {
        ledger.dropped('publish', 'store_refused');
        log.warn('event not recorded', { error, policy });
      });
    },
    status(kind, qualified, draft) {
      const key = `${kind}/${qualified}`;
      const before = written.get(key);
      const age = before ? elapsed() - before.at : Number.POSITIVE_INFINITY;
      const isNew =
        before?.urgent !== urgentOf(draft) || (age >= figuresEveryMs && haveMoved(before.figures, draft.figures));
      if (isNew || age >= rewriteEveryMs) statuses.set(key, { kind, qualified, ...draft });
      // What waited says something that is no longer so.
      else statuses.delete(key);
    },
    forget(api) {
      const key = `ProtectedAPI/${api}`;
      statuses.delete(key);
      written.delete(key);
      backoff.over(key);
      for (const verdict of pending.values()) {
        if (verdict.api !== api) continue;
        pending.delete(keyOf(verdict));
        backoff.over(verdictKey(verdict));
      }
      verdictObjects.forget(api);
    },
    async flush() {
      busy ??= work().finally(() => {
        busy = undefined;
      });
      return busy;
    },
    stats: () => ({ waiting: pending.size + statuses.size, failing: backoff.size(), trouble, failures }),
    async close() {
      await busy;
      for (const verdict of dueVerdicts()) if (!(await writeVerdict(verdict))) break;
      if (pending.size > 0) ledger.dropped('publish', 'shutting_down', pending.size);
      pending.clear();
    },
  };
}

function verdictKey(verdict: Verdict): string {
  return `RiskVerdict/${keyOf(verdict)}`;
}

/** Whether another attempt may go better: the server comes back, and rights do, too, in the middle of an upgrade. */
function mayPass({ code, retriable }: PicketError): boolean {
  return retriable || code === 'PermissionDenied' || code === 'Conflict';
}

function urgentOf({ status, conditions }: StatusDraft): string {
  const states = conditions.map(({ type, status: is, reason }) => [type, is, reason]);
  return hash('sha256', JSON.stringify([status, states]), 'base64');
}

/** So many a second, spread: after a silence no more than between two flushes. */
function createBudget(perSecond: number, elapsed: () => number): { has(): boolean; take(): void } {
  const most = perSecond / 10;
  let left = most;
  let at = elapsed();
  return {
    has() {
      const now = elapsed();
      left = Math.min(most, left + ((now - at) * perSecond) / 1000);
      at = now;
      return left >= 1;
    },
    take: () => void left--,
  };
}

/**
 * Verdicts and API figures into the object store and events onto the bus, coalesced: at most one write per verdict in
 * five seconds and twenty writes a second in all, so that an attack is no attack on the control plane.
 */
import type { RiskVerdict, RiskVerdictStatus } from '@picket/crds/gen/types.ts';
import { Level } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { eventSubject, parseApiName, type EventKind } from '@picket/proto/subjects.ts';
import type { Bus } from '@picket/runtime/bus/bus.ts';
import type { Clock } from '@picket/runtime/clock.ts';
import type { Ledger } from '@picket/runtime/ledger.ts';
import type { Logger } from '@picket/runtime/log.ts';
import type { Condition, ObjectStore, StoredObject } from '@picket/runtime/objects/object-store.ts';
import type { Verdict } from '../verdict.ts';
import type { ConditionDraft } from './api-status.ts';
import { iso, nameOf, namespaceOf, verdictConditions, verdictSpec, verdictStatus } from './risk-verdict.ts';

export const ANALYZER_MANAGER = 'picket-analyzer';

/** Bounds of `resources.md`. */
const perVerdictMs = 5_000;
const writesPerSecond = 20;
const maxPerApi = 50;
const maxPending = 4_000;

export interface Publisher {
  verdict(verdict: Verdict): void;
  /** A CloudEvent about an API; `id` makes a repeat harmless. */
  event(kind: EventKind, api: string, about: string, id: string, data: unknown): void;
  /** Something about a policy that a person should know. */
  warn(policy: string, reason: string, message: string): void;
  /** Status of a `ProtectedAPI` or `BehaviorPolicy`; the newest wins until it is written. */
  status(kind: StatusKind, qualified: string, status: object, conditions: readonly ConditionDraft[]): void;
  /** The API is no longer protected. */
  forget(api: string): void;
  /** Writes what is due; called a few times a second. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface PublisherOptions {
  objects: ObjectStore;
  bus: Bus;
  clock: Clock;
  ledger: Ledger;
  log: Logger;
}

export type StatusKind = 'ProtectedAPI' | 'BehaviorPolicy';

/** What the bounds need of a verdict whose object exists. */
interface LiveVerdict extends Pick<Verdict, 'api' | 'name' | 'score' | 'expiresAt'> {
  /** A decision of it is in force. */
  decides: boolean;
}

interface PendingStatus {
  kind: StatusKind;
  qualified: string;
  status: object;
  conditions: readonly ConditionDraft[];
}

export function createPublisher(options: PublisherOptions): Publisher {
  const { objects, bus, clock, ledger, log } = options;
  const pending = new Map<string, Verdict>();
  const statuses = new Map<string, PendingStatus>();
  /** What was last written, so that an unchanged status is not written again. */
  const written = new Map<string, string>();
  /** Verdict objects that exist, by qualified name. */
  const live = new Map<string, { verdict: LiveVerdict; writtenAt: number }>();
  let tokens = writesPerSecond;
  let refilledAt = clock.now();
  let busy: Promise<void> | undefined;
  let inFlight = 0;

  const keyOf = (v: Pick<Verdict, 'api' | 'name'>): string => `${namespaceOf(v.api)}/${v.name}`;

  let seeded = false;

  /** Objects of an earlier run: their end must be watched, too. */
  const seed = async (): Promise<void> => {
    for (const { metadata, spec, status } of await objects.list<
      StoredObject<RiskVerdict['spec'], RiskVerdict['status']>
    >('RiskVerdict')) {
      const verdict: LiveVerdict = {
        api: `${metadata.namespace}/${spec.apiRef.name}`,
        name: metadata.name,
        score: status?.score ?? 0,
        expiresAt: status?.expiresAt ? Date.parse(status.expiresAt) : 0,
        decides: status?.decision !== undefined,
      };
      if (!live.has(keyOf(verdict))) live.set(keyOf(verdict), { verdict, writtenAt: 0 });
    }
  };

  const wanted = (verdict: Verdict): boolean => {
    if (live.has(keyOf(verdict))) return true;
    if (verdict.level < Level.ELEVATED && !verdict.decision) return false;
    // What was only inherited, and is not acted on, says nothing that its source does not say.
    if (verdict.findings.length === 0 && verdict.inheritsFrom !== undefined && !verdict.decision) return false;
    const peers = [...live.values()].filter((l) => l.verdict.api === verdict.api);
    if (peers.length < maxPerApi) return true;
    // At the bound a newcomer must clearly outrank the least of those that enforce nothing.
    const weakest = peers.filter((l) => !l.verdict.decides).sort((a, b) => a.verdict.score - b.verdict.score)[0];
    if (!weakest || weakest.verdict.score + 5 > verdict.score) return false;
    void attempt(() => remove(weakest.verdict));
    return true;
  };

  const remove = async (verdict: LiveVerdict): Promise<void> => {
    live.delete(keyOf(verdict));
    const key = { kind: 'RiskVerdict', namespace: namespaceOf(verdict.api), name: verdict.name };
    // With its API it goes by itself.
    if (await objects.get(key)) await objects.delete(key);
  };

  const write = async (verdict: Verdict, now: number): Promise<void> => {
    const namespace = namespaceOf(verdict.api);
    const key = keyOf(verdict);
    const known = live.get(key);
    live.set(key, { verdict: { ...verdict, decides: verdict.decision !== undefined }, writtenAt: now });
    if (!known) {
      const owner = await objects.get({ kind: 'ProtectedAPI', namespace, name: nameOf(verdict.api) });
      await objects.apply<RiskVerdict & { metadata: never }>(
        {
          apiVersion: 'picket.dev/v1alpha1',
          kind: 'RiskVerdict',
          metadata: {
            name: verdict.name,
            namespace,
            labels: { 'picket.dev/api': nameOf(verdict.api) },
            ...(owner
              ? {
                  ownerReferences: [
                    {
                      apiVersion: owner.apiVersion,
                      kind: owner.kind,
                      name: owner.metadata.name,
                      uid: owner.metadata.uid,
                    },
                  ],
                }
              : {}),
          },
          spec: verdictSpec(verdict),
        },
        ANALYZER_MANAGER,
      );
    }
    const object = { kind: 'RiskVerdict', namespace, name: verdict.name };
    const current = await objects.get<StoredObject<RiskVerdict['spec'], RiskVerdict['status']>>(object);
    if (!current) return;
    const conditions = verdictConditions(verdict, current.spec).map((draft) =>
      conditionFrom(draft, current.status?.conditions, current.metadata.generation, now),
    );
    await objects.applyStatus(object, { ...statusOf(verdict, current.status), conditions }, ANALYZER_MANAGER);
  };

  const writeStatus = async (key: string, next: PendingStatus): Promise<void> => {
    const object = { kind: next.kind, namespace: namespaceOf(next.qualified), name: nameOf(next.qualified) };
    const current = await objects.get<StoredObject<unknown, { conditions?: Condition[] }>>(object);
    if (!current) return;
    const conditions = next.conditions.map((draft) =>
      conditionFrom(draft, current.status?.conditions, current.metadata.generation, clock.now()),
    );
    const text = JSON.stringify([next.status, next.conditions, current.metadata.generation]);
    if (written.get(key) === text) return;
    written.set(key, text);
    tokens--;
    await objects.applyStatus(object, { ...next.status, conditions }, ANALYZER_MANAGER);
  };

  const due = (now: number): Verdict[] =>
    [...pending.values()]
      .filter((v) => now - (live.get(keyOf(v))?.writtenAt ?? 0) >= perVerdictMs)
      .sort((a, b) => Number(Boolean(b.decision)) - Number(Boolean(a.decision)) || b.score - a.score);

  /** One object that cannot be written holds up no other; the next change tries again. */
  const attempt = async (act: () => Promise<void>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      ledger.dropped('publish', 'store_refused');
      log.warn('status not written', { error });
    }
  };

  const work = async (now: number): Promise<void> => {
    if (!seeded) await seed();
    seeded = true;
    tokens = Math.min(writesPerSecond, tokens + ((now - refilledAt) * writesPerSecond) / 1000);
    refilledAt = now;
    for (const verdict of due(now)) {
      if (tokens < 1) break;
      pending.delete(keyOf(verdict));
      if (!wanted(verdict)) continue;
      tokens--;
      await attempt(() => write(verdict, now));
    }
    for (const [key, next] of statuses) {
      if (tokens < 1) break;
      statuses.delete(key);
      await attempt(() => writeStatus(key, next));
    }
    for (const { verdict } of [...live.values()])
      if (now > verdict.expiresAt && !pending.has(keyOf(verdict))) await attempt(() => remove(verdict));
  };

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
      void attempt(() => objects.record({ about, type: 'Warning', reason, message }));
    },
    status(kind, qualified, status, conditions) {
      statuses.set(`${kind}/${qualified}`, { kind, qualified, status, conditions });
    },
    forget(api) {
      statuses.delete(`ProtectedAPI/${api}`);
      written.delete(`ProtectedAPI/${api}`);
      for (const [key, verdict] of pending) if (verdict.api === api) pending.delete(key);
      // Nothing is judged there any more: what their objects say would stay and be wrong.
      for (const [key, { verdict, writtenAt }] of live)
        if (verdict.api === api) live.set(key, { verdict: { ...verdict, expiresAt: 0 }, writtenAt });
    },
    async flush() {
      if (busy) return busy;
      busy = work(clock.now()).finally(() => {
        busy = undefined;
      });
      return busy;
    },
    async close() {
      await busy;
      tokens = Number.POSITIVE_INFINITY;
      for (const verdict of pending.values()) if (wanted(verdict)) await write(verdict, clock.now()).catch(() => {});
      pending.clear();
    },
  };
}

/** After a crash that lost the rows, what was told of the evidence before is all that is known of it. */
function statusOf(verdict: Verdict, told: RiskVerdict['status']): RiskVerdictStatus {
  const status = verdictStatus(verdict);
  if (verdict.findings.length > 0 || !told?.findings?.length) return status;
  const { decision, enforceable } = status;
  const { conditions: _conditions, enforcement: _enforcement, decision: _decision, ...evidence } = told;
  return { ...evidence, ...(enforceable ? { enforceable } : {}), ...(decision ? { decision } : {}) };
}

/** The transition time changes only with the status of the condition. */
function conditionFrom(
  draft: ConditionDraft,
  before: readonly Condition[] | undefined,
  generation: number,
  now: number,
): Condition {
  const same = before?.find((c) => c.type === draft.type && c.status === draft.status);
  return { ...draft, observedGeneration: generation, lastTransitionTime: same?.lastTransitionTime ?? iso(now) };
}

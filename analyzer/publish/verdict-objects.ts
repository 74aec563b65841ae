/** The `RiskVerdict` objects: which verdicts have one, within bounds, and what they say. */
import type { RiskVerdict, RiskVerdictStatus } from '@picket/crds/gen/types.ts';
import { Level } from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import type { Clock } from '@picket/runtime/clock.ts';
import type { ObjectStore, StoredObject } from '@picket/runtime/objects/object-store.ts';
import type { Verdict } from '../verdict.ts';
import { conditionFrom } from './api-status.ts';
import { nameOf, namespaceOf, verdictConditions, verdictSpec, verdictStatus } from './risk-verdict.ts';

/** Bounds of `resources.md`. */
const maxPerApi = 50;
const maxInAll = 2_000;
const perVerdictMs = 5_000;
/** At the bound a newcomer must outrank the least by so much, else two would take turns. */
const hysteresis = 5;

/** What the bounds need of a verdict whose object exists. */
export interface LiveVerdict extends Pick<Verdict, 'api' | 'name' | 'score' | 'expiresAt'> {
  /** A decision of it is in force. */
  decides: boolean;
  /** Of our clock's elapsed time. */
  writtenAt: number;
}

export interface VerdictObjects {
  /** Objects of an earlier run: their end must be watched, too. */
  load(): Promise<void>;
  /**
   * Those that may be written again by now, in order: what acts and is not shown yet, what acts, the rest; among them
   * first whose last turn is longest ago.
   */
  due(verdicts: readonly Verdict[]): Verdict[];
  /** Whether the verdict has or shall have an object; at the bound it gets one if it outranks another. */
  wants(verdict: Verdict): boolean;
  /** Writes the object; where bounds ask for it another one goes. Nothing is noted as written before it is. */
  write(verdict: Verdict): Promise<void>;
  /** Verdicts that are over and still have an object. */
  over(): LiveVerdict[];
  remove(verdict: Pick<Verdict, 'api' | 'name'>): Promise<void>;
  /** Nothing is judged there any more: what the objects say would stay and be wrong. */
  forget(api: string): void;
}

type Stored = StoredObject<RiskVerdict['spec'], RiskVerdict['status']>;

export function keyOf({ api, name }: Pick<Verdict, 'api' | 'name'>): string {
  return `${namespaceOf(api)}/${name}`;
}

export function createVerdictObjects(objects: ObjectStore, clock: Clock, manager: string): VerdictObjects {
  const live = new Map<string, LiveVerdict>();

  function writtenAt(verdict: Verdict): number {
    return live.get(keyOf(verdict))?.writtenAt ?? -perVerdictMs;
  }

  /** Who must go before the verdict has a place: undefined = nobody, "full" = it gets none. */
  function inTheWay(verdict: Verdict): LiveVerdict | 'full' | undefined {
    if (live.has(keyOf(verdict))) return undefined;
    const peers = [...live.values()].filter(({ api }) => api === verdict.api);
    const rivals = peers.length >= maxPerApi ? peers : live.size >= maxInAll ? [...live.values()] : [];
    if (rivals.length === 0) return undefined;
    const idle = rivals.filter(({ decides }) => !decides);
    const least = idle.reduce<LiveVerdict | undefined>((a, b) => (a && a.score <= b.score ? a : b), undefined);
    if (!least || (!verdict.decision && verdict.score < least.score + hysteresis)) return 'full';
    return least;
  }

  async function remove(verdict: Pick<Verdict, 'api' | 'name'>): Promise<void> {
    const key = { kind: 'RiskVerdict', namespace: namespaceOf(verdict.api), name: verdict.name };
    // With its API it goes by itself.
    if (await objects.get(key)) await objects.delete(key);
    live.delete(keyOf(verdict));
  }

  async function create(verdict: Verdict): Promise<Stored> {
    const namespace = namespaceOf(verdict.api);
    const owner = await objects.get({ kind: 'ProtectedAPI', namespace, name: nameOf(verdict.api) });
    const ownerReferences = owner && [
      { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata.name, uid: owner.metadata.uid },
    ];
    return objects.apply<Stored>(
      {
        apiVersion: 'picket.dev/v1alpha1',
        kind: 'RiskVerdict',
        metadata: {
          name: verdict.name,
          namespace,
          labels: { 'picket.dev/api': nameOf(verdict.api) },
          ...(ownerReferences ? { ownerReferences } : {}),
        },
        spec: verdictSpec(verdict),
      },
      manager,
    );
  }

  return {
    async load() {
      for (const { metadata, spec, status } of await objects.list<Stored>('RiskVerdict')) {
        const verdict: LiveVerdict = {
          api: `${metadata.namespace}/${spec.apiRef.name}`,
          name: metadata.name,
          score: status?.score ?? 0,
          expiresAt: status?.expiresAt ? Date.parse(status.expiresAt) : 0,
          decides: status?.decision !== undefined,
          writtenAt: -perVerdictMs,
        };
        live.set(keyOf(verdict), verdict);
      }
    },
    due: (verdicts) =>
      verdicts
        .map((verdict) => {
          const rank = !verdict.decision ? 2 : live.has(keyOf(verdict)) ? 1 : 0;
          return { verdict, rank, at: writtenAt(verdict) };
        })
        .filter(({ at }) => clock.elapsed() - at >= perVerdictMs)
        .sort((a, b) => a.rank - b.rank || a.at - b.at || b.verdict.score - a.verdict.score)
        .map(({ verdict }) => verdict),
    wants(verdict) {
      if (live.has(keyOf(verdict))) return true;
      if (verdict.level < Level.ELEVATED && !verdict.decision) return false;
      // What was only inherited, and is not acted on, says nothing that its source does not say.
      if (verdict.findings.length === 0 && verdict.inheritsFrom !== undefined && !verdict.decision) return false;
      return inTheWay(verdict) !== 'full';
    },
    async write(verdict) {
      const loser = inTheWay(verdict);
      if (loser && loser !== 'full') await remove(loser);
      const object = { kind: 'RiskVerdict', namespace: namespaceOf(verdict.api), name: verdict.name };
      const current = (await objects.get<Stored>(object)) ?? (await create(verdict));
      // From here on there is something to remove, whatever becomes of its status.
      live.set(keyOf(verdict), {
        ...{ api: verdict.api, name: verdict.name, score: verdict.score, expiresAt: verdict.expiresAt },
        ...{ decides: verdict.decision !== undefined, writtenAt: writtenAt(verdict) },
      });
      const conditions = verdictConditions(verdict, current.spec).map((draft) =>
        conditionFrom(draft, current.status?.conditions, current.metadata.generation, clock.now()),
      );
      await objects.applyStatus(object, { ...statusOf(verdict, current.status), conditions }, manager);
      const written = live.get(keyOf(verdict));
      if (written) written.writtenAt = clock.elapsed();
    },
    over: () => [...live.values()].filter(({ expiresAt }) => clock.now() > expiresAt),
    remove,
    forget(api) {
      for (const verdict of live.values()) if (verdict.api === api) verdict.expiresAt = 0;
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

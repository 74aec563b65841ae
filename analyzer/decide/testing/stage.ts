/** One coordinator under a policy that tags, throttles and denies, fed with sightings that a test makes up. */
import { create } from '@bufbuild/protobuf';
import {
  Action,
  BehaviorSchema,
  type CompiledPolicy,
  CompiledPolicySchema,
  Level,
  Mode,
  PrincipalKind,
  ResponseSchema,
  SafetySchema,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { Key } from '../../engine/key-kind.ts';
import type { Sighting } from '../../engine/sighting.ts';
import type { Standing } from '../../profile/standing-count.ts';
import { createPartial, Population } from '../../detect/population.ts';
import type { CoordinatorOutput } from '../coordinator-output.ts';
import { type Coordinator, createCoordinator } from '../coordinator.ts';
import type { MatchValues } from '../match.ts';

export const start = Date.UTC(2026, 3, 1);
export const minute = 60_000;
const day = 86_400_000;

/** Every pseudonym can be named to Envoy, by itself. */
export const knownValues: MatchValues = {
  keyOf: (kind, pseudonym) => ({
    ok: true,
    value: kind === PrincipalKind.ADDRESS ? `192.0.2.${Number.parseInt(pseudonym, 16)}` : pseudonym,
    as: 'value',
  }),
  traitOf: (_trait, pseudonym) => pseudonym,
};

export interface SafetyText {
  maxShareOfPrincipals?: number;
  maxShareOfRequests?: number;
  minBaselineMs?: number;
  maxPrincipalsPerAddress?: number;
}

export function policyWith(
  options: { mode?: Mode; revision?: string; safety?: SafetyText; top?: Action; actOn?: PrincipalKind[] } = {},
): CompiledPolicy {
  const { mode = Mode.ENFORCE, revision = '1', safety = {}, top = Action.DENY } = options;
  return create(CompiledPolicySchema, {
    api: 'shop/shop',
    apiUid: 'uid',
    fleet: 'edge',
    revision,
    behavior: create(BehaviorSchema, {
      policy: 'shop/policy',
      policyRevision: revision,
      mode,
      actOn: options.actOn ?? [],
      responses: [
        create(ResponseSchema, { level: Level.ELEVATED, action: Action.TAG, forMs: BigInt(10 * minute) }),
        create(ResponseSchema, { level: Level.HIGH, action: Action.THROTTLE, forMs: BigInt(10 * minute) }),
        create(ResponseSchema, { level: Level.CRITICAL, action: top, forMs: BigInt(10 * minute) }),
      ],
      safety: create(SafetySchema, {
        maxShareOfPrincipals: safety.maxShareOfPrincipals ?? 0.01,
        maxShareOfRequests: safety.maxShareOfRequests ?? 0.02,
        minBaselineMs: BigInt(safety.minBaselineMs ?? day),
        maxPrincipalsPerAddress: safety.maxPrincipalsPerAddress ?? 5,
      }),
    }),
  });
}

/** Surprises that alone reach a level under `policyWith`. */
export const surpriseOf = { tag: 6, throttle: 9, deny: 14 } as const;

export function sighting(over: Partial<Sighting> & { until: number }): Sighting {
  return {
    detector: 'scraping',
    family: 'volume',
    api: 1,
    code: Key.address,
    valueLo: 1,
    valueHi: 0,
    since: over.until - minute,
    surprise: surpriseOf.deny,
    observed: 100,
    expected: 1,
    unit: 'requests',
    baseline: 1000,
    populationSince: start - 2 * day,
    successShare: 0,
    sampleSeqs: [],
    facts: {
      ...{ firstAt: over.until - minute, lastAt: over.until, requests: 100, sharedBy: 1 },
      ...{ operations: 1, networks: 1, devices: 1, errorRatio: 0 },
    },
    exempt: false,
    reputation: 0,
    traits: [],
    partition: 0,
    seq: 1,
    ...over,
  };
}

export interface Stage {
  coordinator: Coordinator;
  /** One tick at `at` with these sightings; without any, time alone passes and everything is reconsidered. */
  tick(at: number, ...sightings: Sighting[]): CoordinatorOutput;
}

export function startStage(
  options: { policy?: CompiledPolicy; values?: MatchValues; standing?: Standing; learnedSince?: number } = {},
): Stage {
  const coordinator = createCoordinator({
    policy: options.policy ?? policyWith(),
    values: options.values ?? knownValues,
    requestIdOf: () => '',
  });
  const population = new Population();
  population.merge([new Map([[1, createPartial()]])], options.learnedSince ?? start - 2 * day);
  let tick = 0;
  return {
    coordinator,
    tick: (at, ...sightings) =>
      coordinator.take(
        {
          tick: ++tick,
          at,
          population: population.snapshot.get(1),
          standing: options.standing,
          reconsider: sightings.length === 0,
        },
        sightings,
      ),
  };
}

/** So many principals of every kind are in good standing, with so many requests each. */
export function standingOf(principals: number, requestsEach = 100): Standing {
  return {
    principals: new Float64Array(16).fill(principals),
    requests: new Float64Array(16).fill(principals * requestsEach),
  };
}

/** "event action" of each change. */
export function changes(output: CoordinatorOutput): string[] {
  return output.decisions.map((d) => `${d.event} ${Action[d.decision.action]}`);
}

import { createHash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import type { BehaviorPolicy, Detectors } from '@picket/crds/gen/types.ts';
import {
  Action,
  type Behavior,
  BehaviorSchema,
  Level,
  Mode,
  PrincipalKind,
  Sensitivity,
} from '@picket/proto/gen/picket/policy/v1/policy_pb.js';
import { parseDurationMs, parseShare } from './duration.ts';
import { nameOf } from './precedence.ts';

/** Longest life of a repeated decision, whatever the policy says. */
const maxDecisionMs = 7 * 86_400_000;

/** What an API without a policy gets: everything is watched, nothing is done. */
export function unattachedBehavior(): Behavior {
  return create(BehaviorSchema, {
    mode: Mode.OBSERVE,
    falseAlertsPerDay: 2,
    actOn: [PrincipalKind.USER, PrincipalKind.APP, PrincipalKind.ADDRESS, PrincipalKind.CAMPAIGN],
    safety: {
      maxShareOfPrincipals: 0.01,
      maxShareOfRequests: 0.02,
      minBaselineMs: 86_400_000n,
      maxPrincipalsPerAddress: 5,
    },
  });
}

/** BehaviorPolicy → Behavior. Durations and shares were checked by the schema; what it missed falls back to its default. */
export function compileBehaviorPolicy(policy: BehaviorPolicy): Behavior {
  const { spec } = policy;
  const behavior = create(BehaviorSchema, {
    policy: nameOf(policy),
    mode: { Observe: Mode.OBSERVE, DryRun: Mode.DRY_RUN, Enforce: Mode.ENFORCE }[spec.mode],
    falseAlertsPerDay: spec.falseAlertBudget.perDay,
    detectors: Object.fromEntries(
      Object.entries(spec.detectors ?? {}).map(([id, detector]) => [id, settings(detector)]),
    ),
    responses: spec.responses.map((response) => {
      const forMs = parseDurationMs(response.for) ?? 0;
      const maxForMs = response.maxFor === undefined ? 12 * forMs : (parseDurationMs(response.maxFor) ?? forMs);
      return {
        level: levelOf(response.level),
        action: actionOf(response.action),
        forMs: BigInt(forMs),
        maxForMs: BigInt(Math.min(maxDecisionMs, Math.max(forMs, maxForMs))),
        throttleRequestsPerMinute: response.throttle?.requestsPerMinute ?? 0,
        flows: response.flows ?? [],
      };
    }),
    actOn: spec.actOn.map(kindOf),
    safety: {
      maxShareOfPrincipals: parseShare(spec.safety.maxShareOfPrincipals) ?? 0.01,
      maxShareOfRequests: parseShare(spec.safety.maxShareOfRequests) ?? 0.02,
      minBaselineMs: BigInt(parseDurationMs(spec.safety.minBaseline) ?? 86_400_000),
      maxPrincipalsPerAddress: spec.safety.maxPrincipalsPerAddress,
    },
  });
  behavior.policyRevision = createHash('sha256').update(toBinary(BehaviorSchema, behavior)).digest('hex').slice(0, 16);
  return behavior;
}

function settings(detector: NonNullable<Detectors[keyof Detectors]>) {
  const { enabled, sensitivity, ...limits } = detector;
  const numbers = Object.entries(limits).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return {
    enabled,
    sensitivity: { Low: Sensitivity.LOW, Normal: Sensitivity.NORMAL, High: Sensitivity.HIGH }[sensitivity],
    limits: Object.fromEntries(numbers),
  };
}

export function kindOf(kind: string): PrincipalKind {
  return PrincipalKind[kind.toUpperCase() as keyof typeof PrincipalKind] ?? PrincipalKind.UNSPECIFIED;
}

function levelOf(level: string): Level {
  return Level[level.toUpperCase() as keyof typeof Level] ?? Level.UNSPECIFIED;
}

function actionOf(action: string): Action {
  return Action[action.toUpperCase() as keyof typeof Action] ?? Action.UNSPECIFIED;
}

import type { Condition } from '@picket/crds/gen/types.ts';

/** What a decide step says of one aspect; time and generation are added once, here. */
export interface ConditionClaim<Type extends string = string, Reason extends string = string> {
  type: Type;
  status: Condition['status'];
  reason: Reason;
  message: string;
}

/** Bound of `message` in the schema. */
const maxMessageLength = 4_096;

/** Conditions as they are stored: the time of a transition stays while `status` does. */
export function buildConditions(
  claims: readonly ConditionClaim[],
  previous: readonly Condition[] | undefined,
  generation: number,
  now: number,
): Condition[] {
  return claims.map(({ type, status, reason, message }) => {
    const before = previous?.find((condition) => condition.type === type);
    return {
      type,
      status,
      reason,
      message: message.length > maxMessageLength ? `${message.slice(0, maxMessageLength - 1)}…` : message,
      observedGeneration: generation,
      lastTransitionTime: before && before.status === status ? before.lastTransitionTime : new Date(now).toISOString(),
    };
  });
}

/**
 * `Ready` of an object whose claims all hold, else why not: what Argo CD, Flux and `kubectl wait` compute health from.
 *
 * @param message what holds then
 */
export function readyClaim(claims: readonly ConditionClaim[], message: string): ConditionClaim {
  const failing = claims.find(({ status }) => status !== 'True');
  return failing
    ? { type: 'Ready', status: 'False', reason: failing.reason, message: `${failing.type}: ${failing.message}` }
    : { type: 'Ready', status: 'True', reason: 'Ready', message };
}

/** Conditions by which an object says that it is not in force as written. */
const telling: readonly string[] = ['Accepted', 'ResolvedRefs', 'Attached', 'Loaded'];

/** What is wrong now and was not, or was for another reason. */
export function newTroubles(
  before: readonly Condition[] | undefined,
  now: readonly Condition[] | undefined,
): readonly Condition[] {
  return (now ?? []).filter(
    ({ type, status, reason, message }) =>
      ((status === 'False' && telling.includes(type)) || reason === 'RefusedByEnvoy') &&
      !before?.some((c) => c.type === type && c.status === status && c.reason === reason && c.message === message),
  );
}

/** Whether the stored status says all of this already, so that nothing needs to be written. */
export function saysAlready(stored: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(stored)) return false;
    // Lists of conditions have other writers too; ours are found by type.
    return wanted.every((item: unknown, i) =>
      isRecord(item) && typeof item['type'] === 'string'
        ? stored.some((other) => isRecord(other) && other['type'] === item['type'] && saysAlready(other, item))
        : stored.length === wanted.length && saysAlready(stored[i], item),
    );
  }
  if (isRecord(wanted)) {
    return isRecord(stored) && Object.entries(wanted).every(([key, value]) => saysAlready(stored[key], value));
  }
  return stored === wanted;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import { formatFieldError, validateObject } from '@picket/crds/validate.ts';
import type { StoredObject } from '@picket/runtime/objects/object-store.ts';
import { buildConditions, type ConditionClaim, readyClaim } from './conditions.ts';
import { type StatusWriter, writeStatus } from './status.ts';

/**
 * What this version does not understand in an object. The API server lets through what its definitions allow, which may
 * be newer than this program, or older and laxer.
 */
export function invalidityOf({ apiVersion, kind, metadata, spec }: StoredObject): string | undefined {
  const { errors } = validateObject(kind, { apiVersion, kind, metadata, spec });
  return errors.length === 0 ? undefined : errors.slice(0, 3).map(formatFieldError).join('. ');
}

/** Says so in its status; what is in force of it, if anything, stays. */
export function reportInvalid(
  sinks: StatusWriter,
  object: StoredObject<unknown, Parameters<typeof writeStatus>[2]>,
  invalidity: string,
  now: number,
): Promise<void> {
  const accepted: ConditionClaim = {
    type: 'Accepted',
    status: 'False',
    reason: 'NotUnderstood',
    message:
      `${invalidity}. This version of Picket does not know it: upgrade the chart picket to the version of picket-crds, ` +
      'or correct the object; what was in force before stays',
  };
  const { generation } = object.metadata;
  const claims = [accepted, readyClaim([accepted], '')];
  const status = {
    observedGeneration: generation,
    conditions: buildConditions(claims, object.status?.conditions, generation, now),
  };
  return writeStatus(sinks, object, status);
}

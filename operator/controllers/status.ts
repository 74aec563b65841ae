import type { Condition, ObjectMeta } from '@picket/crds/gen/types.ts';
import { newTroubles, saysAlready } from './conditions.ts';
import { fieldManager, type StatusSink } from './sinks.ts';

export interface StatusWriter {
  objects: StatusSink;
}

/** Writes a part of status, unless the object says it already; what a person should know of it becomes an event, too. */
export async function writeStatus(
  { objects }: StatusWriter,
  object: { kind: string; metadata: ObjectMeta; status?: { conditions?: Condition[] } | undefined },
  status: { conditions?: Condition[] },
): Promise<void> {
  if (saysAlready(object.status, status)) return;
  const { namespace, name } = object.metadata;
  const about = { kind: object.kind, namespace, name };
  await objects.applyStatus(about, { ...status }, fieldManager);
  for (const { type, reason, message } of newTroubles(object.status?.conditions, status.conditions))
    await objects.record({ about, type: 'Warning', reason, message: `${type}: ${message}` });
}

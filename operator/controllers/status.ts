import type { ObjectMeta } from '@picket/crds/gen/types.ts';
import { saysAlready } from './conditions.ts';
import type { StatusSink } from './sinks.ts';

/** Fields that other writers own stay theirs: everything here goes under this name. */
export const fieldManager = 'picket-operator';

export interface StatusWriter {
  objects: StatusSink;
}

/** Writes a part of status, unless the object says it already. */
export async function writeStatus(
  { objects }: StatusWriter,
  object: { kind: string; metadata: ObjectMeta; status?: unknown },
  status: object,
): Promise<void> {
  if (saysAlready(object.status, status)) return;
  const { namespace, name } = object.metadata;
  await objects.applyStatus({ kind: object.kind, namespace, name }, { ...status }, fieldManager);
}

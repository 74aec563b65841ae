/** What an installed definition lacks of the status that this program writes: an older one must not stop all of it. */
import { PicketError } from '../../errors.ts';
import { UNKNOWN_FIELD } from './status-error.ts';

export interface UnknownFields {
  /** The status without what the definition of the kind is known to lack. */
  known(kind: string, status: object): object;
  /** Whether the error told of fields that are lacking. */
  learn(kind: string, error: unknown): boolean;
  /** The definition may have been upgraded. */
  forget(kind: string): void;
}

export function createUnknownFields(): UnknownFields {
  /** Paths below status, by kind: "learning.outcomes". */
  const byKind = new Map<string, Set<string>>();
  return {
    known(kind, status) {
      const paths = byKind.get(kind);
      if (!paths) return status;
      const copy = structuredClone(status) as Record<string, unknown>;
      for (const path of paths) remove(copy, path.split('.'));
      return copy;
    },
    learn(kind, error) {
      if (!(error instanceof PicketError) || error.reason !== UNKNOWN_FIELD) return false;
      const paths = byKind.get(kind) ?? new Set();
      // A field within the items of a list goes with the list.
      const told = [...error.message.matchAll(/\.status\.([\w.]+)\S*: field not declared in schema/g)];
      for (const [, path] of told) if (path !== undefined) paths.add(path);
      byKind.set(kind, paths);
      return told.length > 0;
    },
    forget: (kind) => void byKind.delete(kind),
  };
}

function remove(object: Record<string, unknown>, [name = '', ...rest]: string[]): void {
  const child = object[name];
  if (rest.length === 0) delete object[name];
  else if (typeof child === 'object' && child !== null) remove(child as Record<string, unknown>, rest);
}
